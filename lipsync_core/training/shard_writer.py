"""Writes shards so that a kill at any point loses at most the file in work, and nothing is written twice.

A shard in work is a folder ``shard-00007.part``. Rows are appended to its arrays; when all rows of one source
are there, one line of ``journal.jsonl`` says so. Sealing cuts the arrays back to what the journal vouches
for, writes the index and renames the folder, so a source counts as done exactly when its line is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.shards import (
    ARRAY_FILES,
    FACE_STORE_PX,
    FORMAT_VERSION,
    FPS,
    HEAD_STORE_PX,
    INDEX_FILE,
    SHARD_PATTERN,
    ClipRecord,
)

JOURNAL_FILE = "journal.jsonl"
PART_SUFFIX = ".part"
SHARD_BYTES = 2 << 30  # a shard is sealed when it has grown beyond
_ROW_BYTES = {
    "faces.u8": FACE_STORE_PX * FACE_STORE_PX * 3,
    "heads.u8": HEAD_STORE_PX * HEAD_STORE_PX * 3,
    "mel.f32": 80 * 4,
    "mfcc.f32": 13 * 4,
}


@dataclass(frozen=True)
class ClipArrays:
    """One clip ready to be stored.

    Attributes:
        record: what is known of it; offsets and counts are filled in when it is stored.
        faces: (T, 120, 120, 3) uint8 BGR.
        heads: (T, 112, 112, 3) uint8 BGR.
        mel: (M, 80) float32.
        mfcc: (K, 13) float32.
    """

    record: ClipRecord
    faces: npt.NDArray[np.uint8]
    heads: npt.NDArray[np.uint8]
    mel: npt.NDArray[np.float32]
    mfcc: npt.NDArray[np.float32]


@dataclass
class SourceReport:
    """What became of one source; a line of the journal.

    Attributes:
        source: name below the source folder.
        error: why nothing could be read, or None.
        clips: kept, as stored.
        dropped: reason and place of every clip left out.
    """

    source: str
    error: str | None = None
    clips: list[ClipRecord] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)


class ShardWriter:
    """Appends the clips of sources to shards below a folder; each process has a writer of its own.

    Args:
        root: folder of the shards.
        max_bytes: a shard is sealed when it has grown beyond.
    """

    def __init__(self, root: Path, max_bytes: int = SHARD_BYTES) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._part: Path | None = None
        self._files: dict[str, BinaryIO] = {}
        self._rows: dict[str, int] = {}
        self._committed_rows: dict[str, int] = {}

    def add(self, clip: ClipArrays) -> ClipRecord:
        """Store the rows of one clip; it counts once `commit` has named its source."""
        if self._part is None:
            self._open()
        rows: dict[str, npt.NDArray[Any]]
        rows = {"faces.u8": clip.faces, "heads.u8": clip.heads, "mel.f32": clip.mel, "mfcc.f32": clip.mfcc}
        first = dict(self._rows)
        for name, values in rows.items():
            self._files[name].write(np.ascontiguousarray(values).data)
            self._rows[name] += len(values)
        return replace(
            clip.record,
            first_frame=first["faces.u8"], n_frames=len(clip.faces),
            first_mel=first["mel.f32"], n_mel=len(clip.mel),
            first_mfcc=first["mfcc.f32"], n_mfcc=len(clip.mfcc),
        )  # fmt: skip

    def commit(self, report: SourceReport) -> None:
        """Note that a source is done: its clips are stored, or it is known why not."""
        if self._part is None:
            self._open()
        assert self._part is not None
        for file in self._files.values():
            file.flush()
        line = json.dumps({**asdict(report), "rows": self._rows})
        with (self._part / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
            journal.write(line + "\n")
        self._committed_rows = dict(self._rows)
        if sum(self._rows[name] * _ROW_BYTES[name] for name in ARRAY_FILES) > self._max_bytes:
            self.close()

    def rewind(self) -> None:
        """Forget the rows stored since the last commit (their source could not be read to its end)."""
        if self._part is not None:
            self._rows = dict(self._committed_rows)
            for name, file in self._files.items():
                file.flush()
                file.truncate(self._rows[name] * _ROW_BYTES[name])
                file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Seal the shard in work."""
        for file in self._files.values():
            file.close()
        if self._part is not None:
            seal(self._part)
        self._part, self._files, self._rows = None, {}, {}

    def _open(self) -> None:
        self._part = _new_part(self._root)
        self._files = {name: (self._part / name).open("wb") for name in ARRAY_FILES}
        self._rows = dict.fromkeys(ARRAY_FILES, 0)
        self._committed_rows = dict(self._rows)


def _new_part(root: Path) -> Path:
    """Make a folder with the lowest number above all there are; safe among several processes."""
    while True:
        numbers = [int(match[1]) for p in root.iterdir() if (match := re.match(r"shard-(\d+)", p.name))]
        part = root / f"shard-{max(numbers, default=-1) + 1:05d}{PART_SUFFIX}"
        try:
            part.mkdir()
        except FileExistsError:
            continue
        # Another process may just have sealed this very number.
        if not part.with_suffix("").exists():
            return part
        part.rmdir()


def seal(part: Path) -> None:
    """Turn a shard in work into a shard: what its journal vouches for stays, the rest goes."""
    reports, rows = _committed(part)
    if not reports:
        shutil.rmtree(part)
        return
    for name in ARRAY_FILES:
        with (part / name).open("r+b") as file:
            file.truncate(rows[name] * _ROW_BYTES[name])
    clips = [clip for report in reports for clip in report["clips"]]
    sources = [{k: v for k, v in report.items() if k != "rows"} for report in reports]
    for report in sources:
        report["clips"] = len(report["clips"])
    index = {"format_version": FORMAT_VERSION, "fps": FPS, "clips": clips, "sources": sources}
    write_atomically(part / INDEX_FILE, json.dumps(index, indent=1))
    (part / JOURNAL_FILE).unlink()
    part.rename(part.with_suffix(""))


def seal_leftovers(root: Path) -> None:
    """Seal what killed processes left in work; no other process may be writing."""
    for part in sorted(root.glob(f"shard-*{PART_SUFFIX}")):
        if (part / INDEX_FILE).exists() and not (part / JOURNAL_FILE).exists():  # killed before the rename
            part.rename(part.with_suffix(""))
        else:
            seal(part)


def _committed(part: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the whole lines of a journal whose rows are all there, and the row counts after the last."""
    rows = dict.fromkeys(ARRAY_FILES, 0)
    reports: list[dict[str, Any]] = []
    journal = part / JOURNAL_FILE
    text = journal.read_text(encoding="utf-8") if journal.exists() else ""
    sizes = {name: (part / name).stat().st_size if (part / name).exists() else 0 for name in ARRAY_FILES}
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):  # the process died while writing it
            break
        report = json.loads(line)
        if any(report["rows"][name] * _ROW_BYTES[name] > sizes[name] for name in ARRAY_FILES):
            break  # a crash of the machine lost rows that were not on the disk yet
        reports.append(report)
        rows = report["rows"]
    return reports, rows


def sealed_sources(root: Path) -> Iterator[dict[str, Any]]:
    """Yield what became of every source of the sealed shards."""
    for path in sorted(root.glob(f"{SHARD_PATTERN}/{INDEX_FILE}")):
        yield from json.loads(path.read_text(encoding="utf-8")).get("sources", ())


def write_atomically(path: Path, text: str) -> None:
    """Write a text file beside its place, then move it there."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep other processes from writing shards into the same folder; a killed process lets go by itself.

    Raises:
        InvalidInputError: another process is at it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a", encoding="utf-8") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # no such locks on Windows
            pass
        except BlockingIOError as error:
            raise InvalidInputError(
                f"another process is writing to {root}; wait for it or give another folder"
            ) from error
        yield
