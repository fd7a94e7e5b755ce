"""Where the numbered files of a lease lie, and the few steps that ``lease.py`` needs of such a place."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class LeaseFolder:
    """Numbered lease files in a folder, which machines may share.

    Args:
        path: the folder.
    """

    poll_s = 0.25
    """How often to look whether a lease is renewed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def numbers(self) -> list[int]:
        """Return the numbers of all leases that lie here.

        Raises:
            OSError: the folder cannot be read.
        """
        return [number_of(path.name) for path in self._path.iterdir() if path.suffix == ".json"]

    def highest(self) -> int:
        """Return the number of the lease that counts, 0 if there is none.

        Raises:
            OSError: the folder cannot be read.
        """
        return max(self.numbers(), default=0)

    def create(self, number: int, data: bytes) -> bool:
        """Write a lease unless there is one of that number; return whether it was written."""
        try:
            with self._file(number).open("xb") as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def read(self, number: int) -> bytes:
        """Return what a lease holds.

        Raises:
            FileNotFoundError: it is gone.
        """
        return self._file(number).read_bytes()

    def stamp_ns(self, number: int) -> int:
        """Return a lease's time stamp, which every renewal changes.

        Raises:
            FileNotFoundError: it is gone.
        """
        return self._file(number).stat().st_mtime_ns

    def renew(self, number: int, data: bytes) -> None:
        """Change the time stamp of a lease that holds ``data``."""
        os.utime(self._file(number))

    def write(self, number: int, data: bytes) -> None:
        """Replace what a lease holds."""
        self._file(number).write_bytes(data)

    def remove(self, number: int) -> None:
        """Remove a lease, if it is there."""
        self._file(number).unlink(missing_ok=True)

    def now_ns(self) -> int:
        """Return the time as the file system stamps it, which may not be this host's."""
        clock = self._path / f".clock.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            clock.touch()
            return clock.stat().st_mtime_ns
        finally:
            clock.unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self._path / name_of(number)


def name_of(number: int) -> str:
    """Return the name of a lease's file."""
    return f"{number:06d}.json"


def number_of(name: str) -> int:
    """Return the number of a lease's file, 0 of anything else."""
    stem = name.removesuffix(".json")
    return int(stem) if stem.isdigit() else 0
