"""Named slots of this machine: so many stages with networks at once, over all runs and processes.

A slot is a file in ``$F2F_HOME/slots`` that its holder has locked (``flock``), so the kernel gives it back
when the holder dies, however it dies. Before the slots there is a queue, one more lock: whoever waits at its
head gets the next free slot before anybody who comes later, a run's own next stage included.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from f2f.home import home_folder

POLL_S = 0.25
_HOLDER_BYTES = 200
_Tell = Callable[[str], None]


@contextlib.contextmanager
def take_slot(name: str, count: int, purpose: str, tell: _Tell) -> Iterator[None]:
    """Hold one of the slots called ``name`` inside; wait for it, and say so once, while all are taken.

    Args:
        name: ``"gpu"`` or ``"cpu"``.
        count: how many there are; every run goes by its own number.
        purpose: what it is taken for, for those who wait meanwhile.
        tell: told when there is something to wait for, and where slots cannot be kept.
    """
    try:
        folder = home_folder() / "slots"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _wait_for(folder, name, count, tell)
    except OSError as error:
        tell(
            f"the {name} slots of this machine cannot be kept ({error}), so other runs are not waited for; "
            "name a folder that can be written with F2F_HOME"
        )
        yield
        return
    try:
        _write_holder(descriptor, f"process {os.getpid()}: {purpose}")
        yield
    finally:
        _write_holder(descriptor, "")
        os.close(descriptor)


def _wait_for(folder: Path, name: str, count: int, tell: _Tell) -> int:
    """Return the open, locked file of a slot."""
    paths = [folder / f"{name}-{number}.{_machine()}" for number in range(count)]
    queue = folder / f"{name}-queue.{_machine()}"
    has_told = False

    def wait() -> None:
        nonlocal has_told
        if not has_told:
            has_told = True
            who = "; ".join(filter(None, map(_read_holder, paths))) or "another run"
            tell(f"waiting for one of {count} {name} slots of this machine (slots.{name}), held by {who}")
        # Not in step with others who wait.
        time.sleep(POLL_S * (0.5 + random.random()))

    while (head := _try_lock(queue)) is None:
        wait()
    try:
        while True:
            for path in paths:
                if (descriptor := _try_lock(path)) is not None:
                    return descriptor
            wait()
    finally:
        os.close(head)


def _try_lock(path: Path) -> int | None:
    """Return a file descriptor that has the lock of a file; None while somebody else has it."""
    import fcntl

    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags | os.O_RDWR, 0o666)
    except PermissionError:  # made by another user who shares the folder; a lock needs no right to write
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _write_holder(descriptor: int, words: str) -> None:
    with contextlib.suppress(OSError):  # a courtesy to those who wait; the lock itself needs no content
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, words.encode(errors="replace")[:_HOLDER_BYTES], 0)


def _read_holder(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return " ".join(file.read(_HOLDER_BYTES).decode(errors="replace").split())
    except OSError:
        return ""


@functools.lru_cache(maxsize=1)
def _machine() -> str:
    """Return a name of this machine, for homes that several share; the same in all of its containers."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        return socket.gethostname()
