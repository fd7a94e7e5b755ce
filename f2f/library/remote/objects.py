"""A store of objects behind fsspec: whole objects by key, one that is there only once, no cached listings.

Keys are joined as text and go to the file system as they are: nothing in them is quoted, and no character
of them is a pattern.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from f2f.errors import EngineUnavailableError, UsageError
from f2f.library.store import StoreError

INSTALL = 'pip install ".[remote]"'
N_AT_ONCE = 16
_N_AHEAD = 64 * N_AT_ONCE
_STAMPS = ("LastModified", "last_modified", "mtime", "updated", "created")
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True)
class Entry:
    """Something in the store.

    Attributes:
        key: where it lies, without a slash at either end; a folder whose name is empty has one.
        size: bytes.
        stamp_ns: when it was written, by the store's own clock; where the store has a mark for the content
            of an object (its ETag) this stands in place of the parts of a second.
        is_folder: only its name is known.
    """

    key: str
    size: int = 0
    stamp_ns: int = 0
    is_folder: bool = False

    @property
    def name(self) -> str:
        """Last part of the key."""
        return self.key.rpartition("/")[2]


class Objects:
    """Objects of one protocol.

    Args:
        protocol: as fsspec knows it, such as ``s3``.

    Raises:
        UsageError: fsspec knows no such protocol, or its settings cannot be used.
        EngineUnavailableError: what speaks it is not installed.
    """

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        try:
            import fsspec
        except ImportError as error:
            raise EngineUnavailableError(f"URLs need fsspec, which is not installed: {INSTALL}") from error
        try:
            self._fs = fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            raise EngineUnavailableError(f"{protocol}:// cannot be spoken ({error}): {INSTALL}") from error
        except (ValueError, TypeError) as error:
            raise UsageError(f"{protocol}:// cannot be used ({error}); give s3://bucket/lectures") from error

    def ls(self, folder: str) -> list[Entry]:
        """Return what lies in a folder, nothing where there is none."""
        return list(self._entries(lambda: self._fs.ls(folder, detail=True), folder))

    def find(self, folder: str) -> list[Entry]:
        """Return all objects below a folder."""
        return list(self._entries(lambda: self._fs.find(folder, detail=True).values(), folder))

    def entry(self, key: str) -> Entry | None:
        """Return what is known of an object, None if there is none."""
        try:
            found = _entry(self._fs.info(key))
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            _see(error, f"looking for {self.url(key)}")
            return None
        return None if found.is_folder else found

    def read(self, key: str) -> bytes | None:
        """Return an object, None if there is none."""
        try:
            return bytes(self._fs.cat_file(key))
        except Exception as error:  # noqa: BLE001
            _see(error, f"reading {self.url(key)}")
            return None

    def read_part(self, key: str, start: int, end: int) -> bytes:
        """Return bytes ``start`` to ``end`` of an object."""
        try:
            return bytes(self._fs.cat_file(key, start=start, end=end))
        except Exception as error:
            raise _told(error, f"reading {self.url(key)}") from error

    def read_all(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Give objects with their keys, several on the way at a time."""
        left = iter(keys)
        with ThreadPoolExecutor(N_AT_ONCE) as pool:
            while some := list(islice(left, _N_AHEAD)):
                yield from zip(some, pool.map(self.read, some), strict=True)

    def write(self, key: str, data: bytes) -> None:
        """Write an object; it is replaced whole or not at all."""
        try:
            self._fs.pipe_file(key, data)
        except Exception as error:
            raise _told(error, f"writing {self.url(key)}") from error

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; return whether it was written."""
        try:
            self._fs.pipe_file(key, data, mode="create")
        except Exception as error:
            if isinstance(error, FileExistsError) or _code(error) in _TAKEN:
                # A request whose answer was lost is sent again, and finds what it wrote itself.
                return self.read(key) == data
            raise _told(error, f"writing {self.url(key)}") from error
        return True

    def upload(self, path: Path, key: str) -> Entry:
        """Write a file as an object; it appears whole or not at all."""
        try:
            self._fs.put_file(str(path), key)
            return _entry(self._fs.info(key))
        except Exception as error:
            raise _told(error, f"writing {self.url(key)}") from error

    def download(self, entry: Entry, path: Path) -> bool:
        """Write an object to a file; return whether it still was the one that was listed."""
        try:
            self._fs.get_file(entry.key, str(path))
        except Exception as error:  # noqa: BLE001
            _see(error, f"reading {self.url(entry.key)}")
            return False
        return self.entry(entry.key) == entry and path.stat().st_size == entry.size

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._fs.rm_file(key)
        except Exception as error:  # noqa: BLE001
            _see(error, f"removing {self.url(key)}")

    def url(self, key: str) -> str:
        """Return what a person calls an object."""
        return f"{self.protocol}://{key}"

    def _entries(self, ask: Any, folder: str) -> Iterator[Entry]:
        try:
            found = ask()
        except Exception as error:  # noqa: BLE001
            _see(error, f"listing {self.url(folder)}")
            return
        for facts in found:
            entry, name = _entry(facts), str(facts["name"])
            if entry.key == folder and name.endswith("/") and not any(facts.get(one) for one in _STAMPS):
                yield Entry(f"{folder}/", is_folder=True)  # something lies behind two slashes in a row
            # Some programs mark a folder by an empty object of its name, which has a stamp.
            elif entry.key != folder and not name.endswith("/"):
                yield entry


def _entry(facts: dict[str, Any]) -> Entry:
    key = str(facts["name"]).strip("/")
    if facts["type"] == "directory":
        return Entry(key, is_folder=True)
    stamp_ns = next((_to_ns(facts[name]) for name in _STAMPS if facts.get(name) is not None), 0)
    if mark := facts.get("ETag"):
        digest = hashlib.sha256(str(mark).encode()).digest()
        # In microseconds: not every disk keeps finer ones.
        stamp_ns += int.from_bytes(digest[:8], "big") % 10**6 * 1000 - stamp_ns % 10**9
    return Entry(key, int(facts["size"] or 0), stamp_ns)


def _to_ns(stamp: Any) -> int:
    if isinstance(stamp, str):
        stamp = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    seconds = stamp.timestamp() if isinstance(stamp, datetime) else float(stamp)
    return round(seconds * 1e6) * 1000


def _see(error: Exception, what: str) -> None:
    """Pass over what says that an object or folder is not there; raise anything else.

    Raises:
        StoreError: it is something else, such as a bucket that is not there.
    """
    if not isinstance(error, FileNotFoundError) or _code(error) == "NoSuchBucket":
        raise _told(error, what) from error


def _told(error: Exception, what: str) -> OSError:
    """Return what went wrong as one line with the remedy; what the disk here says stays as it is."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return error
    kind = type(error).__name__
    words = " ".join(str(error).split()) or kind
    with contextlib.suppress(TypeError, AttributeError):
        words = str(error.__cause__.response["Error"]["Message"]) or words  # type: ignore[union-attr]
    if _code(error) == "NoSuchBucket":
        return StoreError(f"{what}: there is no such bucket; make it, or correct its name")
    if "Credentials" in kind or "Credentials" in words:
        return StoreError(f"{what}: {words}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    if isinstance(error, PermissionError):
        return StoreError(f"{what}: {words}; these credentials may not do that")
    if isinstance(error, (ConnectionError, TimeoutError)) or "Connect" in kind or "Timeout" in kind:
        return StoreError(f"{what}: {words}; is the store up, and its address right?")
    return StoreError(f"{what}: {words}")


def _code(error: Exception) -> str:
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None)
    return (
        str(response["Error"].get("Code", "")) if isinstance(response, dict) and "Error" in response else ""
    )
