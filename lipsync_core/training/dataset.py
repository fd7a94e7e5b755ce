"""Training clips, memory-mapped, and the draw of windows from them (torch and NumPy are all this needs)."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import MEL_BANDS, MEL_WINDOW_COLUMNS, MFCC_COEFFICIENTS, mel_columns, mel_window_start
from lipsync_core.errors import InvalidInputError
from lipsync_core.training.shards import (
    FACE_STORE_PX,
    FORMAT_VERSION,
    FPS,
    HEAD_STORE_PX,
    INDEX_FILE,
    ClipRecord,
    shard_folders,
)

WINDOW_FRAMES = 5
MFCC_WINDOW_COLUMNS = 20
MFCC_PER_FRAME = 4
MAX_MAPPED_SHARDS = 128
_ROW_SHAPES: dict[str, tuple[int, ...]] = {
    "faces.u8": (FACE_STORE_PX, FACE_STORE_PX, 3),
    "heads.u8": (HEAD_STORE_PX, HEAD_STORE_PX, 3),
    "mel.f32": (MEL_BANDS,),
    "mfcc.f32": (MFCC_COEFFICIENTS,),
}

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


class PreparedClips:
    """What ``python -m lipsync_core preprocess`` wrote, read on demand: one folder of arrays or many shards.

    Args:
        folder: what was given to ``preprocess`` as DST.
        splits: read only the clips of these splits; all where empty.

    Attributes:
        clips: one record per clip, sorted by source, so that the order does not depend on how many processes
            wrote the shards. ``first_frame`` counts over all shards and so is different for every clip.

    Raises:
        InvalidInputError: the folder is no training data of this version, or an array is shorter than its
            index says.
    """

    def __init__(self, folder: Path, splits: Collection[str] = ()) -> None:
        self._shards: list[_Shard] = []
        mapped: deque[_Shard] = deque()
        clips: list[ClipRecord] = []
        first_frame = 0
        for number, path in enumerate(shard_folders(folder)):
            shard = _Shard(path, first_frame, mapped)
            self._shards.append(shard)
            clips += [replace(c, shard=number, first_frame=first_frame + c.first_frame) for c in shard.clips]
            first_frame += shard.n_frames
        if splits:
            clips = [clip for clip in clips if clip.split in splits]
        self.clips = sorted(clips, key=_order) if any(c.source for c in clips) else clips

    def faces(self, clip: ClipRecord, start: int, count: int = WINDOW_FRAMES) -> ByteArray:
        """Return (count, 120, 120, 3) BGR face crops from frame ``start``."""
        return self._shards[clip.shard].pictures("faces.u8", clip, start, count)

    def heads(self, clip: ClipRecord, start: int, count: int = WINDOW_FRAMES) -> ByteArray:
        """Return (count, 112, 112, 3) BGR SyncNet crops from frame ``start``."""
        return self._shards[clip.shard].pictures("heads.u8", clip, start, count)

    def mel(self, clip: ClipRecord) -> FloatArray:
        """Return the clip's (80, T) mel spectrogram."""
        rows = self._shards[clip.shard].arrays["mel.f32"]
        return np.asarray(rows[clip.first_mel : clip.first_mel + clip.n_mel].T)

    def mel_at(
        self,
        clip: ClipRecord,
        frame: int,
        mel_offset_frames: float = 0.0,
        columns: int = MEL_WINDOW_COLUMNS,
    ) -> FloatArray:
        """Return the (80, columns) window that a frame hears, silence beyond the ends; not to be written to.

        Args:
            clip: one of `clips`.
            frame: frame of the clip.
            mel_offset_frames: see `lipsync_core.audio.mel_window_start`.
            columns: 16 for Wav2Lip and the expert, 27 for LipGAN and Speech2Vid.
        """
        start = mel_window_start(frame, FPS, mel_offset_frames, columns)
        if start < 0 or start + columns > clip.n_mel:
            return mel_columns(self.mel(clip), start, columns)
        first = clip.first_mel + start
        return np.asarray(self._shards[clip.shard].arrays["mel.f32"][first : first + columns].T)

    def mfcc_at(self, clip: ClipRecord, frame: int) -> FloatArray:
        """Return the (13, 20) MFCC window that begins with a frame."""
        first = clip.first_mfcc + MFCC_PER_FRAME * frame
        return np.asarray(self._shards[clip.shard].arrays["mfcc.f32"][first : first + MFCC_WINDOW_COLUMNS].T)

    def last_start(self, clip: ClipRecord) -> int:
        """Return the last frame at which a window has all its frames and all its sound."""
        by_mfcc = (clip.n_mfcc - MFCC_WINDOW_COLUMNS) // MFCC_PER_FRAME
        by_mel = (clip.n_mel - MEL_WINDOW_COLUMNS) * FPS // 80
        return min(clip.n_frames - WINDOW_FRAMES, by_mfcc, by_mel)


class _Shard:
    """One folder of arrays, mapped while it is in use."""

    def __init__(self, folder: Path, base_frame: int, mapped: deque[_Shard]) -> None:
        index = _read_index(folder / INDEX_FILE)
        self.clips = [_record(values) for values in index["clips"]]
        self.n_frames = max((c.first_frame + c.n_frames for c in self.clips), default=0)
        self._rows = {
            "faces.u8": self.n_frames,
            "heads.u8": self.n_frames,
            "mel.f32": max((c.first_mel + c.n_mel for c in self.clips), default=0),
            "mfcc.f32": max((c.first_mfcc + c.n_mfcc for c in self.clips), default=0),
        }
        for name, n_rows in self._rows.items():
            _check_size(folder / name, n_rows)
        self._folder, self._base_frame, self._mapped = folder, base_frame, mapped
        self._arrays: dict[str, npt.NDArray[Any]] | None = None

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by file name. A mapped file counts as open, so those used longest ago are let go."""
        arrays = self._arrays
        if arrays is None:
            arrays = {name: _mapped(self._folder / name, n_rows) for name, n_rows in self._rows.items()}
            self._arrays = arrays
            self._mapped.append(self)
            if len(self._mapped) > MAX_MAPPED_SHARDS:
                self._mapped.popleft()._arrays = None  # whoever reads them now keeps his own reference
        return arrays

    def pictures(self, name: str, clip: ClipRecord, start: int, count: int) -> ByteArray:
        first = clip.first_frame - self._base_frame + start
        pictures: ByteArray = self.arrays[name][first : first + count]
        return pictures


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{path.parent} holds no training clips ({error}); run: python -m lipsync_core preprocess SRC DST"
        ) from error
    if index.get("format_version") != FORMAT_VERSION:
        raise InvalidInputError(
            f"{path.parent} has data format {index.get('format_version')!r}, this program reads "
            f"{FORMAT_VERSION}: preprocess it again"
        )
    return index


_FIELDS = frozenset(field.name for field in fields(ClipRecord))


def _record(values: dict[str, Any]) -> ClipRecord:
    known = {name: value for name, value in values.items() if name in _FIELDS}
    return ClipRecord(**{**known, "box": tuple(values["box"])})


def _check_size(path: Path, n_rows: int) -> None:
    wanted = n_rows * int(np.prod(_ROW_SHAPES[path.name])) * _dtype(path).itemsize
    size = path.stat().st_size if path.exists() else 0
    if size < wanted:
        raise InvalidInputError(
            f"{path} has {size} bytes and its index speaks of {wanted}: copy the folder again, or preprocess "
            "again"
        )


def _mapped(path: Path, n_rows: int) -> npt.NDArray[Any]:
    """Map the rows of an array file; an empty file, which cannot be mapped, gives no rows."""
    shape = (n_rows, *_ROW_SHAPES[path.name])
    if not n_rows:
        return np.empty(shape, _dtype(path))
    # As a plain array: cutting views out of NumPy's own class takes several times as long.
    return np.memmap(path, _dtype(path), "r", shape=shape).view(np.ndarray)


def _dtype(path: Path) -> np.dtype[Any]:
    return np.dtype(np.uint8 if path.suffix == ".u8" else np.float32)


def _order(clip: ClipRecord) -> tuple[str, float, int]:
    return clip.source, clip.start_s, clip.track


class WindowSampler:
    """Draws clips with balanced identities, and well-spaced windows from each.

    Args:
        data: prepared clips.
        identity_power: an identity of n clips is drawn in proportion to n ** this: 1 is by clip, 0 by person.
    """

    def __init__(self, data: PreparedClips, identity_power: float) -> None:
        self.data = data
        per_identity = Counter(c.identity for c in data.clips)
        weights = np.array([per_identity[c.identity] ** (identity_power - 1.0) for c in data.clips])
        self._cumulative = np.cumsum(weights / weights.sum())
        self._cumulative /= self._cumulative[-1]

    def clip(self, rng: np.random.Generator) -> ClipRecord:
        """Draw one clip."""
        return self.data.clips[int(self._cumulative.searchsorted(rng.random(), side="right"))]

    def starts(self, rng: np.random.Generator, clip: ClipRecord, count: int, gap: int) -> list[int]:
        """Draw ``count`` window starts at least ``gap`` frames apart (closer if the clip is too short)."""
        last = self.data.last_start(clip)
        slack = last - (count - 1) * gap
        if slack < 0:
            return sorted(int(s) for s in rng.integers(0, last + 1, count))
        free = np.sort(rng.integers(0, slack + 1, count))
        return [int(s) for s in free + gap * np.arange(count)]
