"""Prepared clips, memory-mapped, and the draw of windows from them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import MEL_BANDS, MEL_WINDOW_COLUMNS, MFCC_COEFFICIENTS, mel_columns, mel_window_start
from lipsync_core.errors import InvalidInputError
from lipsync_core.training.prepare import FACE_STORE_PX, FORMAT_VERSION, FPS, HEAD_STORE_PX, ClipRecord

WINDOW_FRAMES = 5
MFCC_WINDOW_COLUMNS = 20
MFCC_PER_FRAME = 4

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


class PreparedClips:
    """What `lipsync_core.training.prepare` wrote, read on demand.

    Attributes:
        clips: one record per clip.

    Raises:
        InvalidInputError: the folder is no prepared data of this version.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / "clips.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInputError(
                f"{folder} holds no prepared clips ({error}); run: python -m lipsync_core.training.prepare"
            ) from error
        if index.get("format_version") != FORMAT_VERSION:
            raise InvalidInputError(
                f"{folder} has data format {index.get('format_version')!r}, this program reads "
                f"{FORMAT_VERSION}: prepare it again"
            )
        self.clips = [ClipRecord(**{**record, "box": tuple(record["box"])}) for record in index["clips"]]
        self._faces = np.memmap(folder / "faces.u8", np.uint8, "r").reshape(
            -1, FACE_STORE_PX, FACE_STORE_PX, 3
        )
        self._heads = np.memmap(folder / "heads.u8", np.uint8, "r").reshape(
            -1, HEAD_STORE_PX, HEAD_STORE_PX, 3
        )
        self._mel = np.memmap(folder / "mel.f32", np.float32, "r").reshape(-1, MEL_BANDS)
        self._mfcc = np.memmap(folder / "mfcc.f32", np.float32, "r").reshape(-1, MFCC_COEFFICIENTS)

    def faces(self, clip: ClipRecord, start: int, count: int = WINDOW_FRAMES) -> ByteArray:
        """Return (count, 120, 120, 3) BGR face crops from frame ``start``."""
        first = clip.first_frame + start
        return np.asarray(self._faces[first : first + count])

    def heads(self, clip: ClipRecord, start: int, count: int = WINDOW_FRAMES) -> ByteArray:
        """Return (count, 112, 112, 3) BGR SyncNet crops from frame ``start``."""
        first = clip.first_frame + start
        return np.asarray(self._heads[first : first + count])

    def mel(self, clip: ClipRecord) -> FloatArray:
        """Return the clip's (80, T) mel spectrogram."""
        return np.asarray(self._mel[clip.first_mel : clip.first_mel + clip.n_mel].T)

    def mel_at(self, clip: ClipRecord, frame: int, mel_offset_frames: float = 0.0) -> FloatArray:
        """Return the (80, 16) window that a frame hears, silence beyond the ends."""
        start = mel_window_start(frame, FPS, mel_offset_frames)
        return mel_columns(self.mel(clip), start, MEL_WINDOW_COLUMNS)

    def mfcc_at(self, clip: ClipRecord, frame: int) -> FloatArray:
        """Return the (13, 20) MFCC window that begins with a frame."""
        first = clip.first_mfcc + MFCC_PER_FRAME * frame
        return np.asarray(self._mfcc[first : first + MFCC_WINDOW_COLUMNS].T)

    def last_start(self, clip: ClipRecord) -> int:
        """Return the last frame at which a window has all its frames and all its sound."""
        by_mfcc = (clip.n_mfcc - MFCC_WINDOW_COLUMNS) // MFCC_PER_FRAME
        by_mel = (clip.n_mel - MEL_WINDOW_COLUMNS) * FPS // 80
        return min(clip.n_frames - WINDOW_FRAMES, by_mfcc, by_mel)


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
        self._probabilities = weights / weights.sum()

    def clip(self, rng: np.random.Generator) -> ClipRecord:
        """Draw one clip."""
        return self.data.clips[int(rng.choice(len(self.data.clips), p=self._probabilities))]

    def starts(self, rng: np.random.Generator, clip: ClipRecord, count: int, gap: int) -> list[int]:
        """Draw ``count`` window starts at least ``gap`` frames apart (closer if the clip is too short)."""
        last = self.data.last_start(clip)
        slack = last - (count - 1) * gap
        if slack < 0:
            return sorted(int(s) for s in rng.integers(0, last + 1, count))
        free = np.sort(rng.integers(0, slack + 1, count))
        return [int(s) for s in free + gap * np.arange(count)]
