"""Brings models, one after the other: what is here stays, what was begun goes on."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from f2f.engines.status import downloads_allowed
from f2f.errors import EngineUnavailableError, UsageError
from f2f.models.progress import Display, size_words
from f2f.models.registry import Model
from f2f.models.selection import unmet_agreement


def pull(models: Sequence[Model], display: Display) -> list[Model]:
    """Fetch what is not here yet; one model that cannot be had does not keep the others away.

    Returns:
        The models that were fetched.

    Raises:
        UsageError: a licence must be agreed to first, or there is no room; nothing was started.
        EngineUnavailableError: some could not be fetched; one line for each.
    """
    missing = [model for model in models if model.place.find() is None]
    _refuse(missing)
    problems = []
    fetched = []
    for model in missing:
        display.begin(model.name, model.about_bytes)
        try:
            model.place.fetch(display.update)
        except EngineUnavailableError as error:
            display.end("failed")
            problems.append(str(error))
        else:
            found = model.place.find()
            size = size_words(found.size_bytes) if found else "not whole"
            display.end(f"is here ({size}), licence {model.licence}")
            fetched.append(model)
    if problems:
        raise EngineUnavailableError("\n".join(problems))
    return fetched


def _refuse(missing: Sequence[Model]) -> None:
    """Say everything that is in the way before anything is fetched."""
    problems = [words for model in missing if (words := unmet_agreement(model))]
    problems += [f"{model.name}: reinstall its package" for model in missing if model.place.is_packaged]
    problems += _lacking_room(missing)
    if problems:
        raise UsageError("\n".join(dict.fromkeys(problems)))
    if missing and not downloads_allowed("auto"):
        names = ", ".join(model.name for model in missing)
        raise EngineUnavailableError(
            f"{names}: downloads are off (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE or F2F_OFFLINE is set); "
            "unset it, or bring a bundle: f2f models import BUNDLE.tar"
        )


def _lacking_room(missing: Sequence[Model]) -> list[str]:
    needed: dict[tuple[int, Path], int] = defaultdict(int)
    for model in missing:
        folder = existing_parent(model.place.folder)
        size = (model.about_bytes or 0) - model.place.begun_bytes()
        needed[folder.stat().st_dev, folder] += max(0, size)
    by_device: dict[int, tuple[Path, int]] = {}
    for (device, folder), size in needed.items():
        by_device[device] = (folder, size + by_device.get(device, (folder, 0))[1])
    return [
        f"about {size_words(size)} are to come into {folder}, where {size_words(free)} are free: make room"
        for folder, size in by_device.values()
        if size > (free := shutil.disk_usage(folder).free)
    ]


def existing_parent(folder: Path) -> Path:
    """Return ``folder`` or its nearest parent that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())
