"""One stage of one run, ready to be executed: look the result up, else do the work and store it.

``flows`` wraps each call in a Prefect task; inline runs just call it. Both see the same thing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from f2f.disk_errors import disk_words
from f2f.errors import F2FError, StageError
from f2f.limits import Limits, Needs, have_room
from f2f.memory import keep_demand
from f2f.peak_memory import PeakMemory
from f2f.results import Result
from f2f.stage import MapParts, Observer, StageContext
from f2f.watchdog import Watchdog, deadline_for
from f2f.workspace import Stored, Workspace, make_key

R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class StageCall(Generic[R]):
    """A stage with its inputs bound. Calling it twice does the work once.

    Attributes:
        stage: the stage's name.
        target_language: None for stages that all target languages share.
        description: one phrase for a person.
        kind: type of the result.
        version: version of the stage; raised whenever its work changes.
        inputs: everything the result depends on, as JSON values; hashed into the key.
        work: does the work in the context's folder.
        workspace: where results are kept.
        observer: told of start, progress and end.
        device: resolved device for the context.
        limits: what the work may take of this machine.
        check_source: raises where the source is no more what ``inputs`` say; asked after the work.
        map_parts: makes the parts of the work elsewhere, if its stage has parts.
    """

    stage: str
    target_language: str | None
    description: str
    kind: type[R]
    version: int
    inputs: Mapping[str, Any]
    work: Callable[[StageContext], R]
    workspace: Workspace
    observer: Observer
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    check_source: Callable[[], None] = lambda: None
    map_parts: MapParts | None = None

    @property
    def key(self) -> str:
        """Key under which the result is stored."""
        return make_key(self.stage, self.version, self.inputs)

    def find(self) -> Stored[R] | None:
        """Return the stored result, None if the work is still to be done."""
        return self.workspace.load(self.stage, self.key, self.kind)

    def __call__(self) -> Stored[R]:
        """Return the result, stored or newly made.

        Raises:
            F2FError: as the stage raised it.
            StageError: the stage raised anything else, or hung, or the source changed while it worked.
        """
        self.observer.stage_started(self.stage, self.target_language)
        found = self.find()
        if found is not None:
            for notice in found.notices:
                self.observer.notice(notice)
            self.observer.stage_finished(self.stage, 0.0, reused=True)
            self._remove_parts()  # of a run that was killed when it had stored this
            return found
        needs = Needs(self.stage, self.inputs.get("config", {}), self.device, self.description)
        if self.map_parts is not None and self.map_parts.is_elsewhere:
            return self._make(needs)
        with have_room(needs, self.limits, self.observer.notice):
            return self._make(needs)

    def _make(self, needs: Needs) -> Stored[R]:
        """Do the work and store its result."""
        started_s = time.monotonic()
        with self.workspace.begin(self.stage, self.key) as work:
            deadline = deadline_for(self.limits.deadlines, self.limits.duration_s)
            watchdog = Watchdog(self.stage, deadline, self.observer.notice)
            ears = _NoticeKeeper(self.observer, watchdog)
            with watchdog, PeakMemory() as memory:
                result = self._run(self._context(work.folder, ears))
            self.check_source()  # or what was made of another file would be stored as made of this one
            seconds = time.monotonic() - started_s
            try:
                stored = self.workspace.commit(
                    work, result, version=self.version, seconds=seconds, notices=ears.notices,
                    peak_memory_mib=memory.peak_mib,
                )  # fmt: skip
            except OSError as error:
                raise self._failure(error) from error
            self._remove_parts()  # they are in the result now
        if self.map_parts is None:
            keep_demand(needs.demand_key(self.limits), memory.peak_mib)
        self.observer.stage_finished(self.stage, seconds, reused=False)
        return stored

    def _context(self, folder: Path, observer: Observer) -> StageContext:
        return StageContext(
            self.stage,
            folder,
            self.device,
            observer,
            parts_folder=self._parts_folder,
            map_parts=self.map_parts,
        )

    def _remove_parts(self) -> None:
        shutil.rmtree(self._parts_folder.parent, ignore_errors=True)

    @property
    def _parts_folder(self) -> Path:
        name = f"{self.stage}_parts"
        return self.workspace.root / name / (self.target_language or "all") / self.key

    def _run(self, context: StageContext) -> R:
        try:
            return self.work(context)
        except F2FError:
            self.check_source()  # where that is the reason it says so better
            raise
        except MemoryError as error:
            words = f"{self.stage}: out of memory; close other programs"
            raise StageError(self.stage, words, is_passing=True) from error
        except Exception as error:  # a library's own error must not lose which stage it stopped
            self.check_source()
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StageError:
        """Say of a library's error which stage it stopped, and what helps."""
        words = disk_words(error, self.workspace.root) or _words(error)
        return StageError(self.stage, f"{self.stage}: {words}")


def _words(error: Exception) -> str:
    from lipsync_core.errors import LipSyncError

    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, LipSyncError):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


class Execute(Protocol):
    """How a stage call is carried out; the hook by which ``flows`` makes each one a task."""

    def __call__(self, call: StageCall[R], /) -> Stored[R]:
        """Return ``call()``, now, in whatever wrapping."""


def call_inline(call: StageCall[R], /) -> Stored[R]:
    """Carry out a stage in this process, at once."""
    return call()


@dataclass
class _NoticeKeeper:
    """Passes everything on and keeps the notices, so that a reused result can repeat them."""

    observer: Observer
    watchdog: Watchdog
    notices: list[str] = field(default_factory=list)

    def stage_started(self, stage: str, target_language: str | None) -> None:
        self.observer.stage_started(stage, target_language)

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        self.watchdog.saw(done, total, unit)
        self.observer.stage_progress(stage, done, total, unit)

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        self.observer.stage_finished(stage, seconds, reused=reused)

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
        self.observer.notice(text)


def stage_version(module_name: str) -> int:
    """Return ``VERSION`` of a stage's module."""
    import importlib

    return int(importlib.import_module(module_name).VERSION)


def config_values(config: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """JSON values of a configuration section for a key; files are left out, their contents count instead."""
    return {
        name: value
        for name, value in config.model_dump(mode="json").items()
        if name not in without and not isinstance(getattr(config, name), Path)
    }
