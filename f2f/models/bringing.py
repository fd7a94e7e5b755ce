"""Fetches what an engine is about to load, as ``f2f models pull`` does: resumed, checked, with progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from f2f.engines.status import downloads_allowed
from f2f.errors import UsageError
from f2f.models.registry import find_model
from f2f.models.selection import unmet_agreement


def bring(name: str, progress: Callable[[float, float | None, str], None]) -> None:
    """Fetch a model that is not here yet.

    What the registry does not know, what must not be fetched, and files of the user's own are left to the
    engine, which says what is wrong with them.

    Args:
        name: of the registry, or the model's id on the hub.
        progress: of a stage's context; told of megabytes.

    Raises:
        EngineUnavailableError: no source gives the right files.
    """
    if not downloads_allowed("auto") or Path(name).expanduser().exists():
        return
    try:
        model = find_model(name)
    except UsageError:
        return
    if model.place.is_packaged or unmet_agreement(model) or model.place.find():
        return
    model.place.fetch(lambda done, total: progress(done / 1e6, total / 1e6 if total else None, "MB"))
