"""Lectures in folders, in order, one folder's names in memory at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from f2f.captions import SUFFIXES as CAPTION_SUFFIXES
from f2f.errors import UsageError
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.outputs import read_ledger
from lipsync_core.media import VIDEO_SUFFIXES

_OWN_CAPTIONS = ("review", "dub")  # lecture.hi.review.srt is a table to edit, lecture.hi.dub.srt an output
_MANIFEST_MARK = b"f2f-manifest/"


@dataclass
class Folder:
    """What lies in one folder of a library.

    Attributes:
        videos: entries with a video's suffix.
        folders: names of folders to walk.
        captions: caption files by every stem whose they may be, in small letters.
        names: of everything.
    """

    videos: list[os.DirEntry[str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    captions: dict[str, list[os.DirEntry[str]]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def sidecars(self, stem: str) -> tuple[tuple[str, int, int], ...]:
        """Return name, size and time stamp of the captions of a video."""
        found = []
        for entry in self.captions.get(stem.lower(), ()):
            try:
                status = entry.stat()
            except OSError:
                continue
            found.append((entry.name, status.st_size, status.st_mtime_ns))
        return tuple(sorted(found))

    def why_captions_refused(self, stem: str, real_root: Path) -> str | None:
        """Return why the captions of a video must not be read, and so be spoken; None if they may."""
        for entry in self.captions.get(stem.lower(), ()):
            if entry.is_symlink():
                real = Path(os.path.realpath(entry.path))  # of a link to itself, too
                if not real.is_relative_to(real_root):
                    return (
                        f"its captions {entry.name} are a link out of the library, to {real}; copy the file"
                    )
        return None


def find_lectures(options: LibraryOptions) -> Iterator[Lecture | Refused]:
    """Give every lecture below the library's folder, sorted by path.

    Hidden files and folders are left out, and so are outputs of f2f. A link is followed to a file inside
    the library only; folders are not entered through links.

    Raises:
        UsageError: the library is no folder that can be read.
    """
    root = options.root
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder that holds the lectures")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UsageError(f"{root} may not be read by this user; run: chmod u+rx {root}")
    real_root, skipped = root.resolve(), _skipped_folder(options)
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        try:
            folder = read_folder(root / prefix)
        except OSError as error:
            yield Refused(prefix.rstrip("/"), f"the folder cannot be read: {error.strerror or error}")
            continue
        yield from _lectures_in(folder, prefix, options, real_root)
        below = (name for name in folder.folders if (root / prefix / name).resolve() != skipped)
        prefixes += [f"{prefix}{name}/" for name in sorted(below, reverse=True)]
    for name, reason in options.store.refused():
        if is_wanted(name, options):
            yield Refused(name, reason)


def look_at_lecture(name: str, options: LibraryOptions) -> Lecture | Refused | None:
    """Return one lecture as it lies there now; None if ``find_lectures`` would not give any of that name.

    Args:
        name: its POSIX path relative to the library, none that leads out of it.
        options: of the library.

    Raises:
        OSError: its folder cannot be read.
    """
    prefix = name[: name.rfind("/") + 1]
    found = _lectures_in(read_folder(options.root / prefix), prefix, options, options.root.resolve())
    return next((one for one in found if one.name == name), None)


def sidecars_of(source: Path) -> tuple[tuple[str, int, int], ...]:
    """Return ``(name, bytes, mtime_ns)`` of the caption files beside one video."""
    try:
        return read_folder(source.parent).sidecars(source.stem)
    except OSError:
        return ()


def is_wanted(name: str, options: LibraryOptions) -> bool:
    """Whether a lecture's name, or its file name, matches one of the patterns."""
    file_name = name.rpartition("/")[2]
    return not options.patterns or any(
        fnmatchcase(name, pattern) or fnmatchcase(file_name, pattern) for pattern in options.patterns
    )


def why_refused(path: Path, name: str, real_root: Path) -> str | None:
    """Return why a file of the library cannot be a lecture, None if it can.

    Args:
        path: the file.
        name: its POSIX path relative to the library.
        real_root: the library's folder without links.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not in UTF-8; rename it"
    try:
        real = path.resolve(strict=True)
        kind = real.stat().st_mode
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        return f"it cannot be read ({getattr(error, 'strerror', None) or error}); repair or remove it"
    if not real.is_relative_to(real_root):
        return f"it is a link out of the library, to {real}; copy the file into the library"
    return None if stat.S_ISREG(kind) else "it is not a regular file; remove it"


def _lectures_in(
    folder: Folder, prefix: str, options: LibraryOptions, real_root: Path
) -> Iterator[Lecture | Refused]:
    reasons = {
        entry.name: why_refused(Path(entry.path), prefix + entry.name, real_root)
        for entry in sorted(folder.videos, key=lambda entry: entry.name)
        if is_wanted(prefix + entry.name, options) and not _is_output(entry, folder, options, prefix)
    }
    same = same_stems(name for name, reason in reasons.items() if reason is None)
    for file_name, reason in reasons.items():
        name, path = prefix + file_name, options.root / prefix / file_name
        why = reason or same.get(file_name) or folder.why_captions_refused(path.stem, real_root)
        if why is not None:
            yield Refused(name, why)
        else:
            yield Lecture(path, name, options.targets, sidecars=folder.sidecars(path.stem))


def same_stems(names: Iterable[str]) -> dict[str, str]:
    """Return for each file of a folder that shares its stem with another why it is refused."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(Path(name).stem, []).append(name)
    reasons = {}
    for group in by_stem.values():
        for name in group if len(group) > 1 else ():
            others = ", ".join(one for one in group if one != name)
            reasons[name] = (
                f"its outputs would have the names of those of {others}; rename one, or choose with --pattern"
            )
    return reasons


def read_folder(path: Path) -> Folder:
    """Return what lies in a folder, without what is hidden.

    Raises:
        OSError: it cannot be read.
    """
    folder = Folder()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            folder.names.add(entry.name)
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - for every file of a library
            if entry.is_dir(follow_symlinks=False):
                folder.folders.append(entry.name)
            elif suffix in VIDEO_SUFFIXES:
                folder.videos.append(entry)
            elif suffix in CAPTION_SUFFIXES:
                parts = entry.name.lower().split(".")[:-1]
                if not set(parts[1:]).intersection(_OWN_CAPTIONS):
                    for count in range(1, len(parts) + 1):
                        folder.captions.setdefault(".".join(parts[:count]), []).append(entry)
    return folder


def _is_output(entry: os.DirEntry[str], folder: Folder, options: LibraryOptions, prefix: str) -> bool:
    """Whether f2f made a file such as ``lecture.hi.mp4``: ledger or manifest tell."""
    stem, _, language = Path(entry.name).stem.rpartition(".")
    if not stem or not language:
        return False
    made = read_ledger(options.output_dir / prefix / ".f2f" / stem).values()
    if any(isinstance(one, dict) and one.get("name") == entry.name for one in made):
        return True
    manifest = f"{stem}.{language}.json"
    if manifest not in folder.names:
        return False
    try:
        with (options.root / prefix / manifest).open("rb") as file:
            return _MANIFEST_MARK in file.read(200)
    except OSError:
        return False


def _skipped_folder(options: LibraryOptions) -> Path | None:
    """Return the output folder where it is one inside the library, which mirrors it."""
    output = options.output_dir.resolve()
    return None if output == options.root.resolve() else output
