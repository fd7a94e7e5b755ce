"""The four files beside the input: put in place atomically, and never over a file that is not ours.

The ledger ``outputs.json`` in the workspace holds the hash of every file that was ever put in place. A file
whose hash stands there is ours; one that was edited since, or that f2f never made, is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from f2f.errors import UsageError
from f2f.hashes import FileHashes
from f2f.request import OUTPUT_SUFFIXES, Outputs, Request
from f2f.workspace import write_atomically

LEDGER_NAME = "outputs.json"


def foreign_outputs(request: Request) -> list[Path]:
    """Return the output paths of ``request`` at which lies something that f2f did not put there."""
    made = _read_ledger(request.workspace_root)
    hashes = FileHashes(request.workspace_root)
    paths = [request.output_path(target, suffix) for target in request.targets for suffix in OUTPUT_SUFFIXES]
    return [
        path
        for path in paths
        if path.is_symlink() or (path.exists() and (not path.is_file() or hashes.sha256(path) not in made))
    ]


def publish(request: Request, target: str, files: dict[str, Path]) -> Outputs:
    """Put the files of one target language in place.

    Args:
        request: says where the outputs go and whether files that are not ours may be replaced.
        target: target language.
        files: stored file for each suffix of ``OUTPUT_SUFFIXES``.

    Raises:
        UsageError: something that is not ours lies there, since the checks before the work.
    """
    if not request.force:
        own = Request(request.source, (target,), output_dir=request.output_dir, workdir=request.workdir)
        for path in foreign_outputs(own):
            raise UsageError(foreign_words(path))
    request.output_dir.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(request, target)
    made = _read_ledger(request.workspace_root)
    hashes = FileHashes(request.workspace_root)
    for suffix, stored in files.items():
        path = request.output_path(target, suffix)
        digest = hashes.sha256(stored)
        if path.is_file() and not path.is_symlink() and hashes.sha256(path) == digest:
            continue
        # Into the ledger first: whatever kills us between the two steps, the file is known as ours.
        made[digest] = {"name": path.name, "size": stored.stat().st_size}
        write_atomically(request.workspace_root / LEDGER_NAME, json.dumps(made, ensure_ascii=False, indent=1))
        _put(stored, path, link=suffix == ".mp4")
    return Outputs(target, *(request.output_path(target, suffix) for suffix in OUTPUT_SUFFIXES))


def foreign_words(path: Path) -> str:
    """Say that ``path`` is not ours and what to do."""
    return (
        f"{path} was not made by f2f, or was edited since; move it away, choose another -o DIR, "
        "or give --force"
    )


def _put(stored: Path, path: Path, *, link: bool) -> None:
    """Make ``path`` hold the contents of ``stored``; a large video shares its blocks where the disk can."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        linked = False
        if link:
            with contextlib.suppress(OSError):
                os.link(stored, temporary)
                linked = True
        if not linked:
            shutil.copyfile(stored, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_unfinished(request: Request, target: str) -> None:
    for suffix in OUTPUT_SUFFIXES:
        path = request.output_path(target, suffix)
        for leftover in path.parent.glob(f".{_escape(path.name)}.*.tmp"):
            leftover.unlink(missing_ok=True)


def _escape(name: str) -> str:
    from glob import escape

    return escape(name)


def _read_ledger(root: Path) -> dict[str, Any]:
    try:
        made = json.loads((root / LEDGER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}
