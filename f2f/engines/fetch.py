"""Download one file with a known hash, so that a broken download can never be taken for the file."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from f2f.errors import EngineUnavailableError

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 30.0  # of a single read, not of the whole download


def fetch_verified(
    url: str, path: Path, sha256: str, progress: Callable[[float, float | None], None] | None = None
) -> Path:
    """Stream ``url`` into ``path``: first beside it, and moved into place when its hash is right.

    Args:
        url: where the file is.
        path: where it shall be.
        sha256: hexadecimal hash that it must have.
        progress: called with bytes done and bytes in all (None if unknown).

    Raises:
        EngineUnavailableError: no answer, no room, or other contents than expected.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        request = urllib.request.Request(url, headers={"User-Agent": "f2f"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer, part.open("wb") as file:
            length = answer.headers.get("Content-Length")
            total = float(length) if length and length.isdigit() else None
            while block := answer.read(_BLOCK_BYTES):
                file.write(block)
                digest.update(block)
                if progress:
                    progress(file.tell(), total)
        if digest.hexdigest() != sha256:
            raise EngineUnavailableError(
                f"{url} gave {part.stat().st_size} bytes with SHA-256 {digest.hexdigest()[:12]}…, expected "
                f"{sha256[:12]}…: the download was cut or altered, run the same command again"
            )
        part.replace(path)
    except (urllib.error.URLError, OSError) as exc:
        raise EngineUnavailableError(f"{url} could not be fetched into {path.parent}: {exc}") from exc
    finally:
        part.unlink(missing_ok=True)
    return path
