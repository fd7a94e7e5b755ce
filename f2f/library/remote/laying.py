"""Files that stand for objects: made in their places, with size and stamp, whatever lay there before."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path

from f2f.library.remote.objects import Entry

_TOO_LARGE = (errno.EFBIG, errno.EINVAL, errno.EOVERFLOW)


def lay(path: Path, entry: Entry) -> bool:
    """Make a file without content that has size and stamp of an object; leave one that has them.

    Returns:
        False where no file can have that size on the disk here.
    """
    if is_same(path, entry):
        return True
    _make_way(path)
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            file.truncate(entry.size)
        os.utime(temporary, ns=(entry.stamp_ns, entry.stamp_ns))
        temporary.replace(path)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno not in _TOO_LARGE:
            raise
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def make_folder(path: Path) -> None:
    """Make a folder of the mirror; what was a file in the store, and is a folder now, goes."""
    for one in (path, *path.parents):
        if one.is_dir():
            break
        if one.is_file():
            one.unlink()
    path.mkdir(parents=True, exist_ok=True)


def _make_way(path: Path) -> None:
    """Let a file of the mirror have its place; what was a folder in the store, and is a file now, goes."""
    make_folder(path.parent)
    if path.is_dir():
        shutil.rmtree(path)


def write(path: Path, data: bytes, stamp_ns: int) -> None:
    """Write a small object's content, with the object's stamp."""
    _make_way(path)
    temporary = beside(path)
    temporary.write_bytes(data)
    os.utime(temporary, ns=(stamp_ns, stamp_ns))
    temporary.replace(path)


def beside(path: Path) -> Path:
    """Return a new name beside a file, under which it is written."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")  # the name itself may be as long as names can be


def is_same(path: Path, entry: Entry) -> bool:
    """Whether a file has size and stamp of an object."""
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (entry.size, entry.stamp_ns)


def why_too_large(entry: Entry) -> str:
    """Return why an object cannot be laid out."""
    return (
        f"its {entry.size} bytes are more than a file can have on the disk here; make it smaller, or set "
        "F2F_HOME to a folder of a larger disk"
    )
