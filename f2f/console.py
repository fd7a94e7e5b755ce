"""What a run shows: bars on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from f2f.stage import Observer

_LINE_EVERY_S = 10.0  # between two progress lines of one stage where there is no terminal


def title(stage: str, target_language: str | None) -> str:
    """Return the name of a stage as shown: ``"mux → hi"``."""
    name = stage.replace("_", " ")
    return name if target_language is None else f"{name} → {target_language}"


def counts(done: float, total: float | None, unit: str) -> str:
    """Return ``"12/40 segments"`` or, while the total is unknown, ``"12 segments"``."""
    shown = f"{done:.0f}" if total is None else f"{done:.0f}/{total:.0f}"
    return f"{shown} {unit}".rstrip()


@contextmanager
def console_observer(console: Console) -> Iterator[Observer]:
    """Give the observer that fits ``console``: bars on a terminal, else plain lines."""
    if not console.is_terminal:
        yield LineObserver(console)
        return
    progress = Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        _Counts(),
        TimeElapsedColumn(),
        _TimeLeft(),
        console=console,
    )
    with progress:
        yield BarObserver(progress)


class BarObserver:
    """One bar per stage, in one display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Add the stage's bar."""
        self._bars[stage] = self._progress.add_task(title(stage, target_language), total=None, unit="")

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Move the stage's bar."""
        if stage in self._bars:
            self._progress.update(self._bars[stage], completed=done, total=total, unit=unit)

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Fill the stage's bar."""
        bar = self._bars.pop(stage, None)
        if bar is None:
            return
        task = next(task for task in self._progress.tasks if task.id == bar)
        total = task.completed or 1
        self._progress.update(bar, completed=total, total=total, reused=reused)
        self._progress.stop_task(bar)

    def notice(self, text: str) -> None:
        """Print above the bars, once."""
        if text not in self._told:
            self._told.add(text)
            self._progress.console.print(Text(f"note: {text}", style="yellow"))


class LineObserver:
    """One line per event, for files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._targets: dict[str, str | None] = {}
        self._last_s: dict[str, float] = {}
        self._told: set[str] = set()

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Remember when and for which language."""
        self._targets[stage] = target_language
        self._last_s[stage] = time.monotonic()

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Print a line every ten seconds."""
        now_s = time.monotonic()
        if now_s - self._last_s.get(stage, now_s) >= _LINE_EVERY_S:
            self._last_s[stage] = now_s
            self._print(f"{title(stage, self._targets.get(stage))}: {counts(done, total, unit)}")

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Print how long it took."""
        outcome = "stored already" if reused else f"done in {seconds:.1f} s"
        self._print(f"{title(stage, self._targets.get(stage))}: {outcome}")

    def notice(self, text: str) -> None:
        """Print once."""
        if text not in self._told:
            self._told.add(text)
            self._print(f"note: {text}")


class JsonObserver:
    """One JSON object per line and event, for programs; each also holds ``fields``."""

    def __init__(self, stream: IO[str] | None = None, **fields: Any) -> None:
        self._stream = stream or sys.stdout
        self._fields = fields
        self._targets: dict[str, str | None] = {}
        self._last_s: dict[str, float] = {}

    def emit(self, event: str, **values: Any) -> None:
        """Write one event."""
        self._stream.write(json.dumps({"event": event, **self._fields, **values}, ensure_ascii=False) + "\n")
        self._stream.flush()

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Write ``stage_started``."""
        self._targets[stage] = target_language
        self.emit("stage_started", stage=stage, target_language=target_language)

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Write ``stage_progress``, at most once a second and at the end."""
        now_s = time.monotonic()
        if now_s - self._last_s.get(stage, 0.0) < 1 and done != total:
            return
        self._last_s[stage] = now_s
        target = self._targets.get(stage)
        self.emit("stage_progress", stage=stage, target_language=target, done=done, total=total, unit=unit)

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Write ``stage_finished``."""
        target, seconds = self._targets.get(stage), round(seconds, 3)
        self.emit("stage_finished", stage=stage, target_language=target, seconds=seconds, reused=reused)

    def notice(self, text: str) -> None:
        """Write ``notice``."""
        self.emit("notice", text=text)


class Observers:
    """Passes every event to several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.stage_started(stage, target_language)

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.stage_progress(stage, done, total, unit)

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.stage_finished(stage, seconds, reused=reused)

    def notice(self, text: str) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.notice(text)


class _Counts(ProgressColumn):
    """``120/750 frames 31/s``, or that the result was stored already."""

    def render(self, task: Task) -> Text:
        if task.fields.get("reused"):
            return Text("stored already", style="dim")
        unit = task.fields["unit"]
        if not unit:
            return Text("")
        rate = f"  {task.speed:.3g}/s" if task.speed else ""
        return Text(counts(task.completed, task.total, unit) + rate)


class _TimeLeft(TimeRemainingColumn):
    """Time left, only while there is some."""

    def render(self, task: Task) -> Text:
        return Text("") if task.finished or task.total is None else super().render(task)
