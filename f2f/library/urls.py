"""URLs of libraries, such as ``s3://bucket/lectures``."""

from __future__ import annotations

import re
from pathlib import Path

from f2f.errors import UsageError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)


def is_url(place: str | Path) -> bool:
    """Whether a place is said as a URL."""
    return _URL.fullmatch(str(place)) is not None


def parse_url(url: str) -> tuple[str, str]:
    """Return protocol and path of a URL; the path is taken as it stands, byte for byte.

    Raises:
        UsageError: it names no place in a store.
    """
    found = _URL.fullmatch(url)
    parts = found[2].rstrip("/").split("/") if found else []
    if found is None or any(part in ("", ".", "..") for part in parts) or "::" in url:
        raise UsageError(f"{url} is no place for a library; give one such as s3://bucket/lectures")
    if found[1].lower() in ("file", "local"):
        raise UsageError(
            f"{url} is a folder here; give /{'/'.join(parts)}, and s3://bucket/lectures for a bucket"
        )
    return found[1].lower(), "/".join(parts)
