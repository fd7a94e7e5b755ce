"""The four files beside the input: put in place atomically, and never over a file that is not ours.

The ledger ``outputs.json`` in the workspace holds the hash of every file that was ever put in place. A file
whose hash stands there is ours; one that was edited since, or that f2f never made, is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any

from f2f.errors import UsageError
from f2f.hashes import FileHashes
from f2f.request import OUTPUT_SUFFIXES, Outputs, Request
from f2f.workspace import write_atomically

LEDGER_NAME = "outputs.json"


def output_paths(request: Request, target: str) -> dict[str, Path]:
    """Return where each output of a language goes, by suffix.

    Captions of the user's own that already have the name of our subtitles (``lecture.hi.srt``, which may be
    the very translation that is spoken) stay untouched; ours then go to ``lecture.hi.dub.srt``.
    """
    paths = {suffix: request.output_path(target, suffix) for suffix in OUTPUT_SUFFIXES}
    if _is_foreign(paths[".srt"], request.workspace_root):
        paths[".srt"] = request.output_path(target, ".dub.srt")
    return paths


def placed_outputs(request: Request, target: str) -> Outputs:
    """Return the outputs of a language as they lie in the output folder."""
    video, subtitles, manifest, report = (output_paths(request, target)[suffix] for suffix in OUTPUT_SUFFIXES)
    return Outputs(target, video, subtitles, manifest, report)


def foreign_outputs(request: Request) -> list[Path]:
    """Return the output paths of ``request`` at which lies something that f2f did not put there."""
    paths = [path for target in request.targets for path in output_paths(request, target).values()]
    return [path for path in paths if _is_foreign(path, request.workspace_root)]


def publish(request: Request, target: str, files: Mapping[str, Path]) -> Outputs:
    """Put the files of one target language in place.

    Args:
        request: says where the outputs go and whether files that are not ours may be replaced.
        target: target language.
        files: stored file for each suffix of ``OUTPUT_SUFFIXES``.

    Raises:
        UsageError: something that is not ours lies there, since the checks before the work.
    """
    root, paths = request.workspace_root, output_paths(request, target)
    foreign = [path for path in paths.values() if _is_foreign(path, root)]
    if foreign and not request.force:
        raise UsageError("\n".join(map(foreign_words, foreign)))
    request.output_dir.mkdir(parents=True, exist_ok=True)
    made, hashes = read_ledger(root), FileHashes(root)
    for suffix, path in paths.items():
        _remove_unfinished(path)
        stored = files[suffix]
        digest = hashes.sha256(stored)
        if path.is_file() and not path.is_symlink() and hashes.sha256(path) == digest:
            continue
        # Into the ledger first: whatever kills us between the two steps, the file is known as ours.
        made[digest] = {"name": path.name, "size": stored.stat().st_size}
        write_atomically(root / LEDGER_NAME, json.dumps(made, ensure_ascii=False, indent=1))
        _put(stored, path, link=suffix == ".mp4")
    return placed_outputs(request, target)


def foreign_words(path: Path) -> str:
    """Say that ``path`` is not ours and what to do."""
    return (
        f"{path} was not made by f2f here, or was edited since; move it away, choose another -o DIR, "
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


def _is_foreign(path: Path, root: Path) -> bool:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return True
    return path.exists() and FileHashes(root).sha256(path) not in read_ledger(root)


def _remove_unfinished(path: Path) -> None:
    """Remove what a killed process left beside ``path``; with the lock held nobody else writes."""
    for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


def read_ledger(root: Path) -> dict[str, Any]:
    """Return what was ever put in place from the workspace ``root``: ``{sha256: {name, size}}``."""
    try:
        made = json.loads((root / LEDGER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}
