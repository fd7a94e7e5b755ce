"""Says of a model whether it is here, and whether its files are those that were published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from f2f.models.places import Found
from f2f.models.registry import Model
from lipsync_core.containers import refuse_impostor
from lipsync_core.errors import CheckpointError

State = Literal["right", "unknown", "damaged", "missing"]


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        model: what was checked.
        state: ``"right"``: every file has the hash it was published with; ``"unknown"``: all files are here,
            but for some nobody publishes a hash; ``"damaged"`` or ``"missing"``.
        words: for a person, with the remedy.
    """

    model: Model
    state: State
    words: str

    @property
    def is_usable(self) -> bool:
        """Whether an engine may work with it."""
        return self.state in ("right", "unknown")


def verify(model: Model) -> Verdict:
    """Hash all files of a model that is here."""
    found = model.place.find()
    if found is None:
        begun = model.place.begun_bytes()
        part = f"{begun:,} bytes of an interrupted download are; " if begun else ""
        remedy = "reinstall its package" if model.place.is_packaged else f"run f2f models pull {model.name}"
        return Verdict(model, "missing", f"not here; {part}{remedy}")
    if damage := find_damage(found):
        remedy = "reinstall its package" if model.place.is_packaged else (
            f"run f2f models remove {model.name} and f2f models pull {model.name}"
        )  # fmt: skip
        return Verdict(model, "damaged", f"{damage}: {remedy}")
    unchecked = [file.name for file in found.files if file.digest is None]
    if unchecked:
        return Verdict(model, "unknown", f"no hash is published for {', '.join(unchecked[:3])}")
    n_files = len(found.files)
    return Verdict(model, "right", f"{n_files} file{'s' * (n_files > 1)} as published")


def find_damage(found: Found) -> str | None:
    """Say what is wrong with files, None where every known hash is right."""
    for file in found.files:
        if file.digest is not None and not file.digest.fits(file.path):
            return f"{file.path} is not what was published (its {file.digest.kind} hash differs)"
        if file.digest is None and (problem := _imposture(file.path)):
            return problem
    return None


def _imposture(path: Path) -> str | None:
    if path.suffix in (".json", ".txt", ".yaml", ".model", ".spm"):
        return None
    try:
        refuse_impostor(path)
    except CheckpointError as error:
        return str(error)
    return None
