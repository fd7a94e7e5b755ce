"""Lip-sync error: LSE-D (distance), LSE-C (confidence) and the offset between picture and sound.

Source: Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016, and Prajwal et al., "A Lip
Sync Expert Is All You Need", 2020, section 4.2; details from the published scripts (joonson/syncnet_python,
Wav2Lip ``evaluation/scores_LSE``). Here is the arithmetic on features; whole videos are scored by
`lipsync_core.scoring`, whose public names are also found here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError

if TYPE_CHECKING:
    from lipsync_core.scoring import Curve, SyncScore, VideoScore, load_syncnet, score_video

__all__ = [
    "LSE",
    "MAX_SHIFT",
    "Curve",
    "ShiftDistances",
    "SyncScore",
    "VideoScore",
    "load_syncnet",
    "lse",
    "lse_of_distances",
    "score_video",
]

FeatureArray = npt.NDArray[np.floating[Any]]

MAX_SHIFT = 15  # windows (frames) to either side: 0.6 s at 25 frames a second
PAIRWISE_EPSILON = 1e-6  # added to every difference, as torch's pairwise_distance does
_BLOCK_WINDOWS = 256  # bounds temporary memory to about 4 MB


@dataclass(frozen=True)
class LSE:
    """Lip-sync error of one stretch of video.

    Attributes:
        distance: LSE-D, lowest mean distance over all shifts; lower is better.
        confidence: LSE-C, median minus lowest of the mean distances; higher is better.
        offset: ``max_shift - argmin``, in frames, with the sign of syncnet_python: -1 means that the
            picture at frame v fits the sound at frame v + 1.
        distances: (2 * max_shift + 1,) mean distance at each shift, from -max_shift to max_shift.
        n_windows: number of five-frame windows behind the means.
    """

    distance: float
    confidence: float
    offset: int
    distances: npt.NDArray[np.float64] = field(repr=False, compare=False)
    n_windows: int


def lse(video_features: FeatureArray, audio_features: FeatureArray, max_shift: int = MAX_SHIFT) -> LSE:
    """Return LSE-D, LSE-C and offset from SyncNet features, as the published scripts compute them.

    The audio features get ``max_shift`` zero vectors at both ends; each video window is compared with the
    2 * max_shift + 1 audio windows around it by Euclidean distance (1e-6 added to every difference), and
    the distances are averaged over the windows. Zero vectors bias short clips: at shift s, s windows meet
    one.

    Args:
        video_features: (n, d) lip features, one per window; NumPy or a CPU tensor.
        audio_features: (m, d) sound features, equally many in the published scripts. Video windows beyond
            m are left out; sound beyond n is heard.
        max_shift: largest shift tried, in windows.

    Raises:
        InvalidInputError: not two matrices of equal width with at least one row, not finite, or a negative
            ``max_shift``.
    """
    video, audio = _matrix(video_features, "video_features"), _matrix(audio_features, "audio_features")
    if video.shape[1] != audio.shape[1]:
        raise InvalidInputError(
            f"video features have {video.shape[1]} numbers a window and audio features {audio.shape[1]}: "
            "both must come from the same SyncNet"
        )
    shifts = ShiftDistances(max_shift)
    shifts.push_audio(audio)
    pieces = [shifts.push_video(video[: len(audio)]), shifts.finish()]
    return lse_of_distances(np.concatenate(pieces))


def lse_of_distances(distances: npt.NDArray[np.floating[Any]]) -> LSE:
    """Return LSE from the distances of every window at every shift.

    Args:
        distances: (n, 2 * max_shift + 1) from `ShiftDistances`, n >= 1.

    Raises:
        InvalidInputError: no windows.
    """
    if distances.ndim != 2 or len(distances) == 0 or distances.shape[1] % 2 == 0:
        raise InvalidInputError(
            f"distances have shape {distances.shape}; needed are windows by an odd number of shifts"
        )
    means = distances.mean(axis=0, dtype=np.float64)
    best = int(np.argmin(means))
    return LSE(
        distance=float(means[best]),
        confidence=float(np.median(means) - means[best]),  # of 31 values the 16th
        offset=distances.shape[1] // 2 - best,
        distances=means,
        n_windows=len(distances),
    )


class ShiftDistances:
    """Distances between each video window and the audio windows around it, fed in pieces.

    Holds only the features that later windows still need, so memory does not grow with the video.

    Args:
        max_shift: largest shift, in windows.
    """

    def __init__(self, max_shift: int = MAX_SHIFT) -> None:
        if max_shift < 0:
            raise InvalidInputError(
                f"max_shift must be 0 or more, got {max_shift}; 15 is the published value"
            )
        self.max_shift = max_shift
        self._audio: npt.NDArray[np.float64] | None = None
        self._video: npt.NDArray[np.float64] | None = None

    def push_audio(self, features: FeatureArray) -> None:
        """Append (k, d) audio features."""
        if self._audio is None:
            self._audio = np.zeros((self.max_shift, features.shape[1]))
        self._audio = np.concatenate((self._audio, features))

    def push_video(self, features: FeatureArray) -> npt.NDArray[np.float64]:
        """Append (k, d) video features and return the rows of distances that are now complete.

        Returns:
            (j, 2 * max_shift + 1), in order; column ``max_shift`` is shift 0.
        """
        if self._video is None:
            self._video = np.zeros((0, features.shape[1]))
        self._video = np.concatenate((self._video, features))
        return self._drain()

    def finish(self) -> npt.NDArray[np.float64]:
        """Return the remaining rows; audio windows beyond the end are zero vectors."""
        if self._audio is not None:
            self._audio = np.concatenate((self._audio, np.zeros((self.max_shift, self._audio.shape[1]))))
        return self._drain()

    def _drain(self) -> npt.NDArray[np.float64]:
        n_shifts = 2 * self.max_shift + 1
        if self._audio is None or self._video is None:
            return np.zeros((0, n_shifts))
        n_ready = max(0, min(len(self._video), len(self._audio) - 2 * self.max_shift))
        out = np.empty((n_ready, n_shifts))
        for first in range(0, n_ready, _BLOCK_WINDOWS):
            last = min(first + _BLOCK_WINDOWS, n_ready)
            for shift in range(n_shifts):
                difference = self._video[first:last] - self._audio[first + shift : last + shift]
                difference += PAIRWISE_EPSILON
                out[first:last, shift] = np.sqrt(np.einsum("nd,nd->n", difference, difference))
        self._video, self._audio = self._video[n_ready:], self._audio[n_ready:]
        return out


def _matrix(features: FeatureArray, what: str) -> npt.NDArray[np.float64]:
    detach = getattr(features, "detach", None)  # tensors, without importing torch
    matrix = np.asarray(features if detach is None else detach().cpu(), np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InvalidInputError(
            f"{what} has shape {matrix.shape}; needed is (windows, numbers), both at least 1"
        )
    if not np.isfinite(matrix).all():
        raise InvalidInputError(f"{what} contains NaN or infinite numbers: check the network that made them")
    return matrix


def __getattr__(name: str) -> Any:
    """Load `lipsync_core.scoring`, which needs torch and OpenCV, only when it is asked for."""
    if name in {"Curve", "SyncScore", "VideoScore", "load_syncnet", "score_video"}:
        from lipsync_core import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
