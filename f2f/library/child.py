"""The batch's side of ``worker.py``: starts it for one lecture, hears what it tells, ends it for certain."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from f2f.errors import EXIT_STAGE_FAILED
from f2f.foreign_modules import safe_path_variables
from f2f.library.worker import BEGIN_EVENT, DONE_EVENT, FAILED_EVENT, Order
from f2f.session import RESUME
from f2f.stage import Observer

_CHECK_EVERY_S = 2.0
_PATIENCE_S = 15.0  # for a clean end after SIGINT
_TAIL_LINES = 20

# In place of "-m", which would take any random.py of the current folder, the lectures' say, for Python's own.
_WORKER = (
    "import sys; sys.path[:] = filter(None, sys.path); "  # PYTHONSAFEPATH does it since Python 3.11
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class LanguageResult:
    """How one language went.

    Attributes:
        target: the language.
        seconds: wall time.
        error: why it failed, in one line; None if it did not.
        exit_code: as ``f2f translate`` would have ended.
        is_final: it will fail again until something changes.
        is_passing: the machine is at fault, and not the lecture: its disk is full, or it lacks an engine.
        reused: nothing had to be made.
        manifest: path of the output's manifest.
        subtitles: path of the output's subtitles.
        duration_s: of the source.
    """

    target: str
    seconds: float
    error: str | None = None
    exit_code: int = 0
    is_final: bool = False
    is_passing: bool = False
    reused: bool = False
    manifest: str | None = None
    subtitles: str | None = None
    duration_s: float | None = None


class LostError(Exception):
    """The child was ended because its work may not go on."""


def run_child(order: Order, observer: Observer, may_go_on: Callable[[], bool]) -> Iterator[LanguageResult]:
    """Have a child process do an order; give each language's result as soon as it is there.

    After a crash the language under way has failed, and another child does the rest.

    Args:
        order: what to do.
        observer: told of stages, progress and notices.
        may_go_on: asked every few seconds; when it says no, the child is ended.

    Raises:
        LostError: ``may_go_on`` said no.
    """
    left = dict(order.requests)
    while left:
        with _Child(order.model_copy(update={"requests": left})) as child:
            current = next(iter(left))
            for event in child.events(may_go_on):
                if event["event"] == BEGIN_EVENT:
                    current = event["target_language"]
                elif event["event"] in (DONE_EVENT, FAILED_EVENT):
                    left.pop(current, None)
                    yield _result(event)
                else:
                    _pass_on(event, observer)
            if left:
                left.pop(current, None)
                yield LanguageResult(current, child.seconds(), child.last_words(), EXIT_STAGE_FAILED)


class _Child:
    """A worker in a process group of its own, ended with everything that it started."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)

    def __enter__(self) -> _Child:
        self._started_s = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, "f2f.library.worker"],
            env={**os.environ, **safe_path_variables()},  # for the worker's own children, too
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._threads = [
            threading.Thread(target=self._hear, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._keep, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(self._order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()  # and left open: its end would end the worker
        return self

    def __exit__(self, *error: object) -> None:
        process = self._process
        if process.poll() is None and any(error):
            process.send_signal(signal.SIGINT)  # to the worker alone, which ends its children in order
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                process.wait(timeout=_PATIENCE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    def events(self, may_go_on: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Give what the worker tells until it ends."""
        checked_s = time.monotonic()
        while True:
            try:
                line = self._lines.get(timeout=_CHECK_EVERY_S)
            except queue.Empty:
                line = b"{}"
            if not line:
                self._process.wait()
                return
            if time.monotonic() - checked_s >= _CHECK_EVERY_S:
                checked_s = time.monotonic()
                if not may_go_on():
                    raise LostError
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and "event" in event:
                    yield event

    def seconds(self) -> float:
        """Wall time since it was started."""
        return round(time.monotonic() - self._started_s, 3)

    def last_words(self) -> str:
        """Say in one line how it ended."""
        code = self._process.returncode
        for thread in self._threads:
            thread.join(timeout=5)
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            why = "; perhaps memory ran out" if -code == signal.SIGKILL else ""
            return f"its process was killed by {name}{why}"
        said = next((line for line in reversed(self._tail) if line.strip()), "it said nothing")
        said = said.removeprefix("f2f: ").removesuffix(f"; {RESUME}")
        return said if code == EXIT_STAGE_FAILED else f"its process ended with code {code}: {said}"

    def _hear(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._lines.put(line)
        self._lines.put(b"")

    def _keep(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            self._tail.append(" ".join(line.decode("utf-8", "replace").split()))


def _result(event: dict[str, Any]) -> LanguageResult:
    if event["event"] == FAILED_EVENT:
        error = "; ".join(event["messages"])
        return LanguageResult(
            event["target_language"], event["seconds"], error, event["exit_code"], event["is_final"],
            event["is_passing"],
        )  # fmt: skip
    return LanguageResult(
        event["target_language"], event["seconds"], reused=event["reused"], manifest=event["manifest"],
        subtitles=event["subtitles"], duration_s=event["duration_s"],
    )  # fmt: skip


def _pass_on(event: dict[str, Any], observer: Observer) -> None:
    match event:
        case {"event": "stage_started", "stage": stage, "target_language": target}:
            observer.stage_started(stage, target)
        case {"event": "stage_progress", "stage": stage, "done": done, "total": total, "unit": unit}:
            observer.stage_progress(stage, done, total, unit)
        case {"event": "stage_finished", "stage": stage, "seconds": seconds, "reused": reused}:
            observer.stage_finished(stage, seconds, reused=reused)
        case {"event": "notice", "text": text}:
            observer.notice(text)
