"""Download one file with a known hash, so that a broken download can never be taken for the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from f2f.errors import EngineUnavailableError
from lipsync_core.errors import MissingModelError


def fetch_verified(
    url: str, path: Path, sha256: str, progress: Callable[[float, float | None], None] | None = None
) -> Path:
    """Bring ``url`` to ``path`` by the downloader of ``lipsync_core``: resumed, and put in place when whole.

    Args:
        url: where the file is.
        path: where it shall be.
        sha256: hexadecimal hash that it must have.
        progress: called with bytes done and bytes in all (None if unknown).

    Raises:
        EngineUnavailableError: no answer, no room, or other contents than expected.
    """
    from lipsync_core.weights import Weights, fetch

    weights = Weights(path.stem, "", path.name, sha256, None, (url,), "")
    try:
        return fetch(weights, progress, path)
    except MissingModelError as error:
        raise EngineUnavailableError(str(error)) from error
