"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TOKEN = secrets.token_hex(4)
"""A process id alone is not unique where several hosts share a folder."""


def part_beside(path: Path) -> Path:
    """Return the hidden place beside ``path``, with its suffix, where this process prepares it."""
    return path.with_name(f".{path.stem}.{os.getpid()}-{_TOKEN}.part{path.suffix}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the place to write to; the file gets its name when the block succeeds, and goes when it fails."""
    part = part_beside(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
