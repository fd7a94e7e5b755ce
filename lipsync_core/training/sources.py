"""Which videos a data set holds, who is seen in them, and to which split they belong."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.shards import CLIP_SUFFIXES

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test", "pretrain", "trainval")
# Folders of data sets that say nothing about who is seen: LRS2 (main, pretrain), LRS3 (pretrain, trainval,
# test), GRID (video, mpg_6000), VoxCeleb (dev).
LAYOUT_FOLDERS = frozenset({*SPLITS, "main", "dev", "video", "mpg_6000", "mpg_vcd", "mp4"})
# GRID's s1 ... s34 (also s1_processed, s1.mpg_6000) and VoxCeleb's id10001.
_SPEAKER = re.compile(r"(s\d{1,2}|id\d{5})(?=$|[._-])")


@dataclass(frozen=True)
class Source:
    """One video file.

    Attributes:
        path: the file.
        name: its path below the source folder, with forward slashes.
        identity: who is seen in it, as far as folders tell; see `lipsync_core.training.people` for several.
        split: one of `SPLITS`, or empty.
    """

    path: Path
    name: str
    identity: str
    split: str


def find_sources(root: Path, filelists: Sequence[Path] = (), splits: Sequence[str] = ()) -> list[Source]:
    """Return the videos below a folder, sorted by name.

    A split is known from file lists (``train.txt``, ``val.txt``, ... in ``root`` or ``root/filelists``, as
    LRS2 and Wav2Lip have them: the first word of a line is a path without suffix), else from a folder of
    that name (LRS3).

    Args:
        root: folder of an LRS2, LRS3 or GRID tree, or of any videos.
        filelists: take only the files listed here.
        splits: take only files of these splits.

    Raises:
        InvalidInputError: nothing is found, or a list cannot be read.
    """
    if not root.is_dir():
        raise InvalidInputError(f"{root} is no folder; give one that holds videos")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in CLIP_SUFFIXES and p.is_file())
    if not paths:
        raise InvalidInputError(f"no clips below {root}; expected files ending in {', '.join(CLIP_SUFFIXES)}")
    by_stem = {PurePosixPath(p.relative_to(root).as_posix()).with_suffix(""): p for p in paths}
    if filelists:
        listed = {path for file in filelists for path in _listed_files(file, by_stem)}
        paths = [path for path in paths if path in listed]
        if not paths:
            raise InvalidInputError(f"none of the files listed in {_joined(filelists)} is below {root}")
    split_of = _splits_by_lists(root, by_stem)
    sources = []
    for path in paths:
        name = PurePosixPath(path.relative_to(root).as_posix())
        split = split_of.get(path) or next((part for part in name.parts[:-1] if part in SPLITS), "")
        sources.append(Source(path, str(name), identity_of(name, root.name), split))
    if splits:
        known = sorted({s.split for s in sources} - {""})
        sources = [source for source in sources if source.split in splits]
        if not sources:
            raise InvalidInputError(
                f"no clip below {root} belongs to split {', '.join(splits)}; known here: "
                f"{', '.join(known) or 'none (no file lists, no folder of that name)'}"
            )
    return sources


def identity_of(name: PurePosixPath, root_name: str = "") -> str:
    """Return who is seen in a file, from its path below the source folder.

    A folder named like a GRID or VoxCeleb speaker decides; else the folders above the file, those of the data
    set's layout left out (in LRS that is one broadcast, the nearest to a person that is known); else, for
    files directly in the source folder, the file itself.
    """
    folders = name.parts[:-1]
    for part in (*folders, root_name):
        if match := _SPEAKER.match(part):
            return match[1]
    telling = [part for part in folders if part not in LAYOUT_FOLDERS]
    return "/".join(telling) or name.stem


def _splits_by_lists(root: Path, by_stem: dict[PurePosixPath, Path]) -> dict[Path, str]:
    split_of: dict[Path, str] = {}
    for split in SPLITS:
        for file in (root / f"{split}.txt", root / "filelists" / f"{split}.txt"):
            if file.is_file():
                split_of |= dict.fromkeys(_listed_files(file, by_stem), split)
    return split_of


def _listed_files(file: Path, by_stem: dict[PurePosixPath, Path]) -> list[Path]:
    """Return the files that a list names; entries may leave out the suffix and the folder of the split."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot read file list {file}: {error}") from error
    folders = [
        PurePosixPath(f) for f in ((file.stem, "") if file.stem == "pretrain" else ("main", "", file.stem))
    ]
    found, missing = [], []
    for entry in (line.split()[0] for line in lines if line.strip()):
        plain = PurePosixPath(entry)
        plain = plain.with_suffix("") if plain.suffix.lower() in CLIP_SUFFIXES else plain
        path = next((by_stem[folder / plain] for folder in folders if folder / plain in by_stem), None)
        found += [path] if path is not None else []
        missing += [entry] if path is None else []
    if missing:
        logger.warning("%s names %d files that are not there, %s for one", file, len(missing), missing[0])
    return found


def _joined(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
