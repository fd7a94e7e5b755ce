"""How much memory a piece of work took: this process and the programs it started.

Read from ``/proc``; where there is none (macOS, Windows) nothing is measured, and nothing is made up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

INTERVAL_S = 0.2
_PROC = Path("/proc")
_PF_FORKNOEXEC = 0x40  # include/linux/sched.h


class PeakMemory:
    """Measures the highest resident memory while a ``with`` block runs.

    Counted are this process's whole resident set and, of each process below it, the memory that is its own
    (``RssAnon`` and ``RssShmem``: the pages of its program are shared with others like it), summed at the
    same moment, every ``INTERVAL_S``. A shorter rise of this process's own set counts as well where it is
    the highest since the process began (``VmHWM``). A child counts once it runs a program: just forked it
    still shows its parent's memory. Memory of a GPU is not counted.

    Attributes:
        peak_mib: the highest sum so far, in MiB; None where it cannot be measured.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.peak_mib: float | None = None
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._high_water_kib = 0
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        own = _sizes_kib(os.getpid())
        if own is not None:
            self._high_water_kib = own.get("VmHWM", 0)
            self._sample()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        own = _sizes_kib(os.getpid())
        if own is None:
            return
        total_kib = _total_kib(own)
        if own.get("VmHWM", 0) > self._high_water_kib:
            total_kib = max(total_kib, own["VmHWM"])
        self.peak_mib = max(self.peak_mib or 0.0, total_kib / 1024)


def used_mib() -> float | None:
    """Return what this process and the programs it started take now; None where it cannot be measured."""
    own = _sizes_kib(os.getpid())
    return None if own is None else _total_kib(own) / 1024


def _total_kib(own: dict[str, int]) -> int:
    """Return the memory of this process, whose sizes are given, and of the programs below it."""
    total_kib = own.get("VmRSS", 0)
    for number in processes_below(os.getpid()):
        if not _is_mere_fork(number):
            sizes = _sizes_kib(number) or {}
            total_kib += sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0)
    return total_kib


def _sizes_kib(number: int) -> dict[str, int] | None:
    """Return the memory lines of a process's status, None for a process that is not there."""
    try:
        text = (_PROC / str(number) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.startswith(("Vm", "Rss")):
            sizes[name] = int(value.split()[0])
    return sizes


def processes_below(number: int) -> Iterator[int]:
    """Yield the processes that ``number`` and those below it started, without those that end meanwhile."""
    try:
        tasks = list((_PROC / str(number) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            children = (task / "children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from processes_below(child)


def _is_mere_fork(number: int) -> bool:
    try:
        text = (_PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    flags = int(text.rpartition(")")[2].split()[6])  # the name before it may hold anything
    return bool(flags & _PF_FORKNOEXEC)
