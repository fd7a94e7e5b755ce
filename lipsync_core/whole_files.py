"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def part_beside(path: Path) -> Path:
    """Return a hidden place beside ``path``, with its suffix, that nobody else has."""
    # A process id alone is not unique where several hosts share the folder.
    return path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.part{path.suffix}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the place to write to; the file gets its name when the block succeeds, and goes when it fails."""
    part = part_beside(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
