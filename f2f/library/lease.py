"""Who works on a lecture: one process of one host, on any shared folder, until it stops renewing.

``<workspace>/lease/`` holds numbered files; the highest is the lease. Whoever creates the next number has it:
creating a file exclusively is the one step that every shared file system does atomically, so no two get it,
and no crash leaves a half-made take-over. A holder touches its file; one that was not touched for ``ttl_s``
is expired, and so is at once one whose process is gone from this very host. Clocks of hosts are never
compared: ages are differences of time stamps that the folder itself gives, and before a lease of a living
folder is taken over, it is watched for half its time, so that a clock that jumps costs time, not safety.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

FOLDER_NAME = "lease"
TTL_S = 60.0
_POLL_S = 0.25
_LEFT = b"left"


@dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        host: name of the machine, for a person.
        machine: changes with machine, boot and container; process ids mean something within one only.
        pid: process id.
        pid_started: when that process began, in the kernel's ticks; "" where the system does not tell.
        uuid: of this lease alone.
        started: ISO time.
    """

    host: str
    machine: str
    pid: int
    pid_started: str
    uuid: str
    started: str

    def is_gone(self) -> bool:
        """Whether its process ran here and ended."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return bool(self.pid_started) and _pid_started(self.pid) != self.pid_started


class Lease:
    """The right to work on a lecture, renewed by a thread until it is left.

    Attributes:
        holder: this process.
    """

    def __init__(self, path: Path, holder: Holder, ttl_s: float) -> None:
        self.holder = holder
        self._path = path
        self._ttl_s = ttl_s
        self._stop = threading.Event()
        self._is_lost = False
        self._renewed_s = _awake_s()
        self._thread = threading.Thread(target=self._renew_until_left, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self.is_held():
            # Marked, not removed: the numbers must never go back.
            with contextlib.suppress(OSError):
                self._path.write_bytes(_LEFT)

    def is_held(self) -> bool:
        """Whether nobody else can have taken it; looks at the folder."""
        if self._is_lost or _awake_s() - self._renewed_s > self._ttl_s:
            self._is_lost = True
        else:
            try:
                self._is_lost = _highest(self._path.parent) != _number(self._path)
            except OSError:
                return False  # perhaps for a moment; whether it is lost shows when the folder is back
        return not self._is_lost

    def _renew_until_left(self) -> None:
        while not self._stop.wait(self._ttl_s / 4):
            before_s = _awake_s()
            try:
                if not self.is_held():
                    return
                os.utime(self._path)
                self._renewed_s = before_s
            except OSError:
                continue  # a shared folder may be away for a moment; is_held knows when it was too long


def take_lease(workspace_root: Path, ttl_s: float = TTL_S) -> Lease | None:
    """Take the lease of a lecture; enter what is returned to keep it.

    May take half of ``ttl_s`` where a holder on another machine seems to be gone.

    Args:
        workspace_root: folder of the workspace; made if it is not there.
        ttl_s: how long a lease lives without being renewed; the same for all who work on a library.

    Returns:
        None if somebody else has it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = workspace_root / FOLDER_NAME
    folder.mkdir(parents=True, exist_ok=True)
    highest = _highest(folder)
    if highest and not _may_be_taken(folder / _name(highest), ttl_s):
        return None
    return _create(folder, highest + 1, ttl_s)


def read_holder(workspace_root: Path) -> Holder | None:
    """Return who works on a lecture, or did when the lights went out; None if nobody."""
    folder = workspace_root / FOLDER_NAME
    try:
        highest = _highest(folder)
        return _read(folder / _name(highest)) if highest else None
    except OSError:
        return None


def _create(folder: Path, number: int, ttl_s: float) -> Lease | None:
    path = folder / _name(number)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    pid = os.getpid()
    holder = Holder(socket.gethostname(), _machine(), pid, _pid_started(pid), uuid.uuid4().hex, now)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(asdict(holder)))
    except FileExistsError:
        return None
    if _highest(folder) != number:  # so slow that others came, went, and tidied our number away
        path.unlink(missing_ok=True)
        return None
    for old in folder.glob("*.json"):
        if _number(old) < number:
            old.unlink(missing_ok=True)
    return Lease(path, holder, ttl_s)


def _may_be_taken(path: Path, ttl_s: float) -> bool:
    """Whether the holder left, is gone from this host, or does not renew any more."""
    try:
        if path.read_bytes() == _LEFT:
            return True
        holder = _read(path)
        if holder is not None and holder.is_gone():
            return True
        before = path.stat().st_mtime_ns
        age_s = (_folder_now_ns(path.parent) - before) / 1e9
        if -ttl_s <= age_s <= ttl_s:
            return False
        deadline_s = time.monotonic() + ttl_s / 2  # two renewals
        while time.monotonic() < deadline_s:
            time.sleep(min(_POLL_S, ttl_s / 8))
            if path.stat().st_mtime_ns != before:
                return path.read_bytes() == _LEFT
    except FileNotFoundError:  # somebody was faster
        return False
    return True


def _read(path: Path) -> Holder | None:
    """Return what a lease file says; None for one that was left or is being written."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Holder(**values)
    except (OSError, ValueError, TypeError):
        return None


def _name(number: int) -> str:
    return f"{number:06d}.json"


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0


def _highest(folder: Path) -> int:
    return max((_number(path) for path in folder.iterdir() if path.suffix == ".json"), default=0)


def _folder_now_ns(folder: Path) -> int:
    """Return the time as the file system stamps it, which may not be this host's."""
    clock = folder / f".clock.{os.getpid()}.{threading.get_ident()}.tmp"
    try:
        clock.touch()
        return clock.stat().st_mtime_ns
    finally:
        clock.unlink(missing_ok=True)


def _machine() -> str:
    """Return what tells machines, boots and containers apart; "" where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _pid_started(pid: int) -> str:
    """Return when a process began; "" if it ended, be it unreaped, or if the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def _awake_s() -> float:
    """Return a clock that also runs while the machine sleeps, where there is one, and never jumps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
