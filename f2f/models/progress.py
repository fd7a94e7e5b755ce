"""Shows downloads: bars with rate and time left on a terminal, plain lines elsewhere, events for programs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

_LINE_EVERY_S = 10.0
_EVENT_EVERY_S = 1.0
_RATE_WINDOW_S = 20.0

Emit = Callable[..., None]
"""``emit(event, **values)`` of `f2f.console.JsonObserver`."""


class Meter:
    """Rate of one download over its last seconds; what lay there before does not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def push(self, done: int) -> None:
        """Take note that ``done`` bytes are there now; fewer than before means a new beginning."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((self._clock(), done))
        while len(self._seen) > 2 and self._seen[-1][0] - self._seen[0][0] > _RATE_WINDOW_S:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes a second, None while nothing can be said."""
        if len(self._seen) < 2:
            return None
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s and last > first else None

    def left_s(self, total: int | None) -> float | None:
        """Seconds to go until ``total`` bytes are there."""
        if total is None or self.rate is None:
            return None
        return max(0, total - self._seen[-1][1]) / self.rate


class Display(Protocol):
    """Shows one download after the other."""

    def begin(self, name: str, total: int | None) -> None:
        """A download of about ``total`` bytes begins."""

    def update(self, done: int, total: int | None) -> None:
        """It has come so far."""

    def end(self, words: str) -> None:
        """It is over; ``words`` say how."""


@contextmanager
def download_display(console: Console, emit: Emit | None) -> Iterator[Display]:
    """Give the display that fits: events for a program, bars on a terminal, else plain lines."""
    if emit is not None:
        yield EventDisplay(emit)
    elif console.is_terminal:
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(),
            TransferSpeedColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=console) as progress:
            yield BarDisplay(progress)
    else:
        yield LineDisplay(console)


class BarDisplay:
    """One bar for each download."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar: TaskID | None = None
        self._name = ""

    def begin(self, name: str, total: int | None) -> None:
        """See `Display`."""
        self._name, self._bar = name, self._progress.add_task(name, total=total)

    def update(self, done: int, total: int | None) -> None:
        """See `Display`."""
        if self._bar is not None:
            self._progress.update(self._bar, completed=done, total=total)

    def end(self, words: str) -> None:
        """See `Display`."""
        if self._bar is not None:
            self._progress.stop_task(self._bar)
        self._progress.console.print(Text(f"{self._name}: {words}"), soft_wrap=True)


class _Paced:
    """A display that speaks now and then: the download's name, its rate, and when it spoke last."""

    def __init__(self, every_s: float, clock: Callable[[], float]) -> None:
        self._every_s, self._clock = every_s, clock
        self._start("")

    def _start(self, name: str) -> None:
        self._name, self._meter, self._told_s = name, Meter(self._clock), self._clock()

    def _is_due(self, done: int, *, is_last: bool = False) -> bool:
        """Take note that ``done`` bytes are there, and tell whether to say so."""
        self._meter.push(done)
        is_due = is_last or self._clock() - self._told_s >= self._every_s
        if is_due:
            self._told_s = self._clock()
        return is_due


class LineDisplay(_Paced):
    """A line every ten seconds, for files and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(_LINE_EVERY_S, clock)
        self._console = console

    def begin(self, name: str, total: int | None) -> None:
        """See `Display`."""
        self._start(name)
        self._say(f"{name}: {'about ' + size_words(total) if total else 'size not known yet'}")

    def update(self, done: int, total: int | None) -> None:
        """See `Display`."""
        if self._is_due(done):
            self._say(f"{self._name}: {progress_words(done, total, self._meter)}")

    def end(self, words: str) -> None:
        """See `Display`."""
        self._say(f"{self._name}: {words}")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


class EventDisplay(_Paced):
    """JSON events, one a second."""

    def __init__(self, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(_EVENT_EVERY_S, clock)
        self._emit = emit

    def begin(self, name: str, total: int | None) -> None:
        """See `Display`."""
        self._start(name)
        self._emit("download_started", model=name, total_bytes=total)

    def update(self, done: int, total: int | None) -> None:
        """See `Display`."""
        if self._is_due(done, is_last=done == total):
            rate, left_s = self._meter.rate, self._meter.left_s(total)
            self._emit(
                "download_progress", model=self._name, done_bytes=done, total_bytes=total,
                bytes_per_s=None if rate is None else round(rate),
                left_s=None if left_s is None else round(left_s),
            )  # fmt: skip

    def end(self, words: str) -> None:
        """See `Display`."""
        self._emit("download_finished", model=self._name, outcome=words)


def progress_words(done: int, total: int | None, meter: Meter) -> str:
    """Return ``"120 MB of 484 MB, 3.2 MB/s, 2 min left"`` as far as it is known."""
    words = [f"{size_words(done)} of {size_words(total)}" if total else size_words(done)]
    if meter.rate is not None:
        words.append(f"{size_words(meter.rate)}/s")
    left_s = meter.left_s(total)
    if left_s is not None:
        words.append(f"{left_s:.0f} s left" if left_s < 90 else f"{left_s / 60:.0f} min left")
    return ", ".join(words)


def size_words(n_bytes: float) -> str:
    """Return ``"2.5 GB"``, ``"436 MB"`` or ``"12 kB"``."""
    if n_bytes >= 999.5e6:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 999.5e3 else f"{n_bytes / 1e3:.0f} kB"
