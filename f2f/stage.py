"""What a stage function is given beside its inputs, and what watches it work.

A stage is a plain function ``stage(inputs…, config, context) -> Result``. It writes its files into
``context.folder`` (a temporary folder that the workspace moves into place when the stage returns) and
tells ``context`` how far it is. It never prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Observer(Protocol):
    """Sees everything a run does. Console, JSON lines and the Prefect UI each implement it."""

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """A stage begins (also when its result will turn out to be stored already)."""

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """``done`` of ``total`` units ("segments", "frames", "s") are finished; total None = unknown."""

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """A stage ended well; ``reused`` when its stored result was taken and no work was done."""

    def notice(self, text: str) -> None:
        """Something a person must know: a lesser engine, an overflow, a pass-through."""


class SilentObserver:
    """Observer that ignores everything."""

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Ignore."""

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Ignore."""

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Ignore."""

    def notice(self, text: str) -> None:
        """Ignore."""


class MapParts(Protocol):
    """Has the parts of a stage's work made by others, such as workers on other machines."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether they work on other machines, so that the stage itself takes little of this one."""

    def __call__(
        self, folder: Path, numbers: Sequence[int], n_parts: int, made: Callable[[int], None]
    ) -> None:
        """Return when all parts are made.

        Args:
            folder: holds what the makers must know, and takes what they make.
            numbers: parts to make, from 0.
            n_parts: parts that there are, made before or now.
            made: called with the number of each part when it is done.

        Raises:
            StageError: a part failed.
        """


@dataclass(frozen=True)
class StageContext:
    """Handed to every stage.

    Attributes:
        stage: the stage's name, for the observer.
        folder: existing empty folder for the files of the result.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``, already resolved.
        observer: told of progress and notices.
        parts_folder: where finished parts of the work are kept for another attempt, should this one be
            killed; None keeps none.
        map_parts: makes the parts elsewhere; None makes them here.
    """

    stage: str
    folder: Path
    device: str = "cpu"
    observer: Observer = field(default_factory=SilentObserver)
    parts_folder: Path | None = None
    map_parts: MapParts | None = None

    def progress(self, done: float, total: float | None, unit: str) -> None:
        """Report that ``done`` of ``total`` ``unit`` are finished."""
        self.observer.stage_progress(self.stage, done, total, unit)

    def notice(self, text: str) -> None:
        """Report something a person must know."""
        self.observer.notice(text)
