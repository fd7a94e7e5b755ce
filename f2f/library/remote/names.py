"""Which keys of a store can be files below a folder here: stores take names that no disk takes, or ``..``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

IS_BOTH = "it is a file and a folder at once; rename one"
_MAX_NAME_BYTES = 255


def why_no_name(name: str) -> str | None:
    """Return why a part of a key can be no file's or folder's name here, None if it can."""
    if not name:
        return "a part of its name is empty (two slashes in a row); rename it"
    try:
        n_bytes = len(os.fsencode(name))
    except UnicodeEncodeError:
        n_bytes = 0
    if name in (".", "..") or "/" in name or "\0" in name or n_bytes == 0:
        return "its name can be none of a file; rename it"
    if n_bytes > _MAX_NAME_BYTES:
        return f"its name is longer than {_MAX_NAME_BYTES} bytes; rename it"
    if "?versionId=" in name:
        return "its name holds ?versionId=, by which stores tell versions; rename it"
    return None


def parts_below(key: str, folder: str) -> tuple[str, ...] | str:
    """Return the parts of a key relative to that of a folder, or why they can be no path here."""
    if not key.startswith(f"{folder}/"):
        return "it lies elsewhere"
    parts = key.removeprefix(f"{folder}/").split("/")
    return next(filter(None, map(why_no_name, parts)), None) or tuple(parts)


def sort_out(keys: Iterable[str], folder: str) -> Iterator[tuple[str, str | None]]:
    """Give each key below a folder, and why it can be no file here, None if it can."""
    parts = {key: parts_below(key, folder) for key in keys}
    good = [found for found in parts.values() if isinstance(found, tuple)]
    folders = {found[:count] for found in good for count in range(1, len(found))}
    for key, found in parts.items():
        if isinstance(found, str):
            yield key, found
        else:
            yield key, IS_BOTH if found in folders else None
