"""Folders here that stand for libraries behind URLs: one for each process, gone with it whatever ends it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import weakref
from contextlib import suppress
from pathlib import Path

from f2f.home import home_folder

FOLDER_NAME = "remote"


def scratch_folder(owner: object) -> Path:
    """Return a new folder that goes with its owner; those of processes that died are removed first.

    Raises:
        OSError: it cannot be made.
    """
    home = home_folder() / FOLDER_NAME
    home.mkdir(parents=True, exist_ok=True)
    for lock in home.glob("*.lock"):
        with suppress(OSError), lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which the kernel gives back when one dies
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    folder = home.resolve() / f"{os.getpid()}-{secrets.token_hex(4)}"
    lock = folder.with_name(f"{folder.name}.lock")
    kept = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(kept, fcntl.LOCK_EX)
    folder.mkdir()
    weakref.finalize(owner, _leave, folder, lock, kept)
    return folder


def _leave(folder: Path, lock: Path, kept: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.unlink(missing_ok=True)
    os.close(kept)
