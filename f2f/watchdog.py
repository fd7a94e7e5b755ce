"""A deadline for each stage, so that one that hangs does not hold a library up for ever.

A stage is hung when it has told of no new progress for so long, or when it takes so long in all, that nobody
would wait for it: both relative to the length of the video. One that is slow but comes forward is let alone
up to the second, much later deadline. Time in which this process did not run (stopped, or asleep with the
machine) does not count.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

from f2f.config import DeadlinesConfig
from f2f.errors import EXIT_STAGE_FAILED, StageError
from f2f.peak_memory import processes_below

LOOK_EVERY_S = 1.0
GRACE_S = 10.0  # for a stage whose programs were ended to fail by itself
LAST_ACT_S = 5.0
_last_acts: list[Callable[[str], None]] = []


@dataclass(frozen=True)
class Deadline:
    """How long a stage may take.

    Attributes:
        idle_s: without new progress.
        total_s: in all.
    """

    idle_s: float
    total_s: float


def deadline_for(config: DeadlinesConfig, duration_s: float | None) -> Deadline:
    """Return the deadline of a stage for a video of that length, None where it is not known yet."""
    length_s = duration_s or 0.0
    return Deadline(
        idle_s=max(config.idle_s, config.idle_factor * length_s),
        total_s=max(config.total_s, config.total_factor * length_s),
    )


class Watchdog:
    """Watches one stage in a ``with`` block, and ends it when it hangs.

    First the programs that the stage started are killed. A stage that hung on one of them then fails, and
    the block raises what the matter was. If the stage itself hangs, this process says so and ends with exit
    code 4, for nothing else ends a thread: what is stored is kept, and the kernel gives locks and slots back.

    Args:
        stage: the stage's name.
        deadline: how long it may take.
        tell: told why the stage is ended.
    """

    def __init__(self, stage: str, deadline: Deadline, tell: Callable[[str], None]) -> None:
        self._stage, self._deadline, self._tell = stage, deadline, tell
        self._progress: tuple[float, float | None, str] | None = None
        self._has_moved = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._older: frozenset[int] = frozenset()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def saw(self, done: float, total: float | None, unit: str) -> None:
        """Take note of a stage's progress; the same once more is none."""
        if (done, total, unit) != self._progress:
            self._progress = (done, total, unit)
            self._has_moved.set()

    def __enter__(self) -> Watchdog:
        self._older = frozenset(processes_below(os.getpid()))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._done.set()
        self._thread.join()
        # Not even a result counts: what a killed program gave until then may pass for a whole one.
        if self._reason is not None and (error is None or isinstance(error, Exception)):
            raise StageError(self._stage, self._reason) from error

    def _watch(self) -> None:
        idle_s = total_s = 0.0
        looked_s = time.monotonic()
        while not self._done.wait(LOOK_EVERY_S):
            now_s = time.monotonic()
            passed_s, looked_s = min(now_s - looked_s, 2 * LOOK_EVERY_S), now_s
            idle_s, total_s = idle_s + passed_s, total_s + passed_s
            if self._has_moved.is_set():
                self._has_moved.clear()
                idle_s = 0.0
            reason = self._why_late(idle_s, total_s)
            if reason is not None:
                self._end(reason)
                return

    def _why_late(self, idle_s: float, total_s: float) -> str | None:
        if total_s >= self._deadline.total_s:
            return (
                f"{self._stage} was ended: it is not done after {self._deadline.total_s:,.0f} s "
                "(deadlines.total_s, deadlines.total_factor)"
            )
        if idle_s >= self._deadline.idle_s:
            where = "{:g} of {} {}".format(*_shown(self._progress)) if self._progress else "its start"
            return (
                f"{self._stage} was ended: it hung, with no progress for {self._deadline.idle_s:,.0f} s "
                f"since {where} (deadlines.idle_s, deadlines.idle_factor)"
            )
        return None

    def _end(self, reason: str) -> None:
        with self._lock:
            if self._done.is_set():
                return
            self._reason = reason
        _kill(number for number in processes_below(os.getpid()) if number not in self._older)
        # In a thread of its own, for an observer may hang, too; and first, for some send it over a network.
        threading.Thread(target=self._tell, args=(reason,), daemon=True).start()
        if self._done.wait(min(GRACE_S, self._deadline.idle_s)):
            return
        for act in list(_last_acts):
            thread = threading.Thread(target=act, args=(reason,), daemon=True)
            thread.start()
            thread.join(LAST_ACT_S)
        end_process(f"f2f: {reason}; what is finished is kept; the same command resumes")


@contextlib.contextmanager
def last_act(act: Callable[[str], None]) -> Iterator[None]:
    """Have ``act`` told why, for at most 5 s, before a stage that hangs inside ends this process."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


def end_process(line: str) -> None:
    """End this process now, with everything it started, its last line on stderr and exit code 4."""
    _kill(processes_below(os.getpid()))
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{line}\n".encode(errors="replace"))
    os._exit(EXIT_STAGE_FAILED)


def _shown(progress: tuple[float, float | None, str]) -> tuple[float, str, str]:
    done, total, unit = progress
    return done, "?" if total is None else f"{total:g}", unit


def _kill(numbers: Iterable[int]) -> None:
    for number in list(numbers):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(number, signal.SIGKILL)
