"""What processes that a test started say, and whether they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path


class Said:
    """Reads all that a process writes, as it writes it: one that nobody reads stands still.

    Args:
        process: with its stdout piped, as text.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._process = process
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    def wait_for(self, text: str, within_s: float = 120.0) -> None:
        """Wait until a line holds ``text``.

        Raises:
            AssertionError: none does in time, or the process ended.
        """
        deadline = time.monotonic() + within_s
        while not any(text in line for line in list(self.lines)):
            assert self._thread.is_alive() and time.monotonic() < deadline, self.lines
            time.sleep(0.05)

    def end(self, within_s: float) -> str:
        """Wait for the end of the process and return everything it said."""
        self._process.wait(timeout=within_s)
        self._thread.join(timeout=within_s)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return "".join(self.lines)


@contextlib.contextmanager
def ended(command: list[str], environment: Mapping[str, str], cwd: Path | None = None) -> Iterator[Said]:
    """Run a process with all that it starts, and end them."""
    process = subprocess.Popen(
        command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    said = Said(process)
    try:
        yield said
    finally:
        with contextlib.suppress(ProcessLookupError):  # where the test ended it
            os.killpg(process.pid, signal.SIGKILL)
        said.end(20)


@contextlib.contextmanager
def none_left(variable: str) -> Iterator[None]:
    """Kill in the end whatever has ``NAME=value`` in its environment, also in a group of its own."""
    try:
        yield
    finally:
        while left := _living_with(variable):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _living_with(variable: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            if variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def living_members(group: int) -> list[int]:
    """Return the processes of a group that still run.

    A killed process that nobody has reaped yet does not: where process 1 is no init, as in many containers,
    nobody ever does.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, own_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # gone meanwhile
            continue
        if int(own_group) == group and state not in "ZX":
            found.append(int(entry.name))
    return found


def group_is_gone(group: int, within_s: float = 10.0) -> bool:
    """Return whether no process of a group runs any more, waiting a little for the last."""
    deadline = time.monotonic() + within_s
    while living_members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
