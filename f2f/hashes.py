"""Hashes of files outside the workspace, remembered by path, size and time stamp."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from f2f.workspace import hash_file, write_atomically


class FileHashes:
    """SHA-256 of files; each is read once as long as its size and time stamp stay the same.

    Args:
        root: folder of the workspace. The memory is kept there if it exists, else nothing is written.
    """

    def __init__(self, root: Path) -> None:
        self._memory_path = root / "hashes.json"
        self._known: dict[str, tuple[int, int, str]] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            for path, (size, mtime_ns, digest) in json.loads(self._memory_path.read_text("utf-8")).items():
                self._known[path] = (int(size), int(mtime_ns), str(digest))

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file.

        Raises:
            OSError: it cannot be read.
        """
        path = path.resolve()
        status = path.stat()
        known = self._known.get(str(path))
        if known and known[:2] == (status.st_size, status.st_mtime_ns):
            return known[2]
        digest = hash_file(path)
        self._known[str(path)] = (status.st_size, status.st_mtime_ns, digest)
        if self._memory_path.parent.is_dir():
            with contextlib.suppress(OSError):  # a memory only: a full disk shows where it matters
                write_atomically(self._memory_path, json.dumps(self._known, ensure_ascii=False, indent=1))
        return digest
