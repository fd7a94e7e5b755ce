"""Who works on a lecture: one process of one host, on any shared folder or store, until it stops renewing.

``<workspace>/lease/`` holds numbered files; the highest is the lease. Whoever creates the next number has it:
creating a file exclusively is the one step that every shared file system does atomically, and a store of
objects, too, so no two get it, and no crash leaves a half-made take-over. A holder touches its file (an
object it writes anew); one that was not touched for ``ttl_s`` is expired, and so is at once one whose
process is gone from this very host. Clocks of hosts are never compared: ages are differences of time stamps
that the folder itself gives, and before a lease of a living folder is taken over, it is watched for half its
time, so that a clock that jumps costs time, not safety.
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

from f2f.library.lease_folder import LeaseFolder

FOLDER_NAME = "lease"
TTL_S = 60.0
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

    def __init__(self, folder: LeaseFolder, number: int, holder: Holder, ttl_s: float) -> None:
        self.holder = holder
        self._folder = folder
        self._number = number
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
                self._folder.write(self._number, _LEFT)

    def is_held(self) -> bool:
        """Whether nobody else can have taken it; looks at the folder."""
        if self._is_lost or _awake_s() - self._renewed_s > self._ttl_s:
            self._is_lost = True
        else:
            try:
                self._is_lost = self._folder.highest() != self._number
            except OSError:
                return False  # perhaps for a moment; whether it is lost shows when the folder is back
        return not self._is_lost

    def may_go_on(self) -> bool:
        """Whether long work need not stop: a folder that is away for a moment is no reason to."""
        return self.is_held() or not self._is_lost

    def _renew_until_left(self) -> None:
        while not self._stop.wait(self._ttl_s / 4):
            before_s = _awake_s()
            try:
                if self.is_held():
                    self._folder.renew(self._number, _content(self.holder))
                    self._renewed_s = before_s
                elif self._is_lost:
                    return
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
    path = workspace_root / FOLDER_NAME
    path.mkdir(parents=True, exist_ok=True)
    return take_lease_in(LeaseFolder(path), ttl_s)


def take_lease_in(folder: LeaseFolder, ttl_s: float) -> Lease | None:
    """Take the lease that a folder stands for; see ``take_lease``."""
    highest = folder.highest()
    if highest and not _may_be_taken(folder, highest, ttl_s):
        return None
    return _create(folder, highest + 1, ttl_s)


def read_holder(workspace_root: Path) -> Holder | None:
    """Return who works on a lecture, or did when the lights went out; None if nobody."""
    return read_holder_in(LeaseFolder(workspace_root / FOLDER_NAME))


def read_holder_in(folder: LeaseFolder) -> Holder | None:
    """Return who has the lease that a folder stands for; see ``read_holder``."""
    try:
        highest = folder.highest()
        return _read(folder, highest) if highest else None
    except OSError:
        return None


def _create(folder: LeaseFolder, number: int, ttl_s: float) -> Lease | None:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    pid = os.getpid()
    holder = Holder(socket.gethostname(), _machine(), pid, _pid_started(pid), uuid.uuid4().hex, now)
    if not folder.create(number, _content(holder)):
        return None
    if folder.highest() != number:  # so slow that others came, went, and tidied our number away
        folder.remove(number)
        return None
    for old in folder.numbers():
        if old < number:
            folder.remove(old)
    return Lease(folder, number, holder, ttl_s)


def _may_be_taken(folder: LeaseFolder, number: int, ttl_s: float) -> bool:
    """Whether the holder left, is gone from this host, or does not renew any more."""
    try:
        if folder.read(number) == _LEFT:
            return True
        holder = _read(folder, number)
        if holder is not None and holder.is_gone():
            return True
        before = folder.stamp_ns(number)
        age_s = (folder.now_ns() - before) / 1e9
        if -ttl_s <= age_s <= ttl_s:
            return False
        deadline_s = time.monotonic() + ttl_s / 2  # two renewals
        while time.monotonic() < deadline_s:
            time.sleep(min(folder.poll_s, ttl_s / 8))
            if folder.stamp_ns(number) != before:
                return folder.read(number) == _LEFT
    except FileNotFoundError:  # somebody was faster
        return False
    return True


def _content(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _read(folder: LeaseFolder, number: int) -> Holder | None:
    """Return what a lease file says; None for one that was left or is being written."""
    try:
        values: dict[str, Any] = json.loads(folder.read(number))
        return Holder(**values)
    except (OSError, ValueError, TypeError):
        return None


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
