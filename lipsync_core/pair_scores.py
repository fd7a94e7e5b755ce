"""Generates and scores one pair of a file list; `lipsync_core.pair_runs` does whole lists.

Source of the protocol: Wav2Lip ``evaluation/gen_videos_from_filelist`` and ``calculate_scores_*``: 25 frames
a second, the result as long as the speech, one score a pair, plain means. Nothing is encoded in between, so
that the same list gives the same numbers on any machine (up to float rounding).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ
from lipsync_core.containers import sha256_of
from lipsync_core.errors import InvalidInputError, LipSyncError
from lipsync_core.faces.geometry import Box, FrameArray
from lipsync_core.inference import LipSyncer
from lipsync_core.loading import load
from lipsync_core.media import read_audio, read_frames
from lipsync_core.metrics.face_sets import FEATURES_EVERY_FRAMES, face_crops
from lipsync_core.metrics.features import FaceFeatures
from lipsync_core.pairs import Pair, find_audio, find_video
from lipsync_core.scoring import MIN_TRACK_FRAMES, LoadedSyncNet, Mode, VideoScore, load_syncnet, score_frames
from lipsync_core.syncnet_crops import FPS
from lipsync_core.weights import fetch, resolve

logger = logging.getLogger(__name__)

Way = Literal["generated", "unsynced", "real"]
"""What is scored: the generated picture, the picture as it is under the foreign speech, or the picture with
its own sound."""


def load_generator(weights: str, device: str = "cpu") -> tuple[LipSyncer, str]:
    """Return a generator of any kind, and the SHA-256 of its file; nothing is downloaded.

    Args:
        weights: auto, embedded, a name, or a file.
        device: torch device.

    Raises:
        InvalidInputError: the weights are not a generator's.
        MissingModelError: the weights are not here.
    """
    syncer = load(weights, device, allow_download=False)
    if not isinstance(syncer, LipSyncer):
        raise InvalidInputError(f"{weights} is a {type(syncer).__name__}, which makes no faces")
    return syncer, _sha256_of("wav2lip", weights)


def load_meter(syncnet: str, device: str = "cpu") -> tuple[LoadedSyncNet, str]:
    """Return a SyncNet, and the SHA-256 of its file; nothing is downloaded.

    Raises:
        MissingModelError: the weights are not here.
    """
    return load_syncnet(syncnet, device), _sha256_of("syncnet", syncnet)


def _sha256_of(kind: str, choice: str) -> str:
    path = Path(choice)
    return sha256_of(path if path.is_file() else fetch(resolve(kind, choice, allow_download=False)))


@dataclass(frozen=True)
class PairScore:
    """One pair.

    Attributes:
        audio: name in the list.
        video: name in the list.
        lse_d: LSE-D, None when nothing could be measured.
        lse_c: LSE-C.
        offset_frames: of lips against sound.
        n_windows: behind the numbers.
        n_frames: of the picture that was scored.
        n_generated: of them with a generated lower face.
        error: why there is no number, in words.
    """

    audio: str
    video: str
    lse_d: float | None = None
    lse_c: float | None = None
    offset_frames: int | None = None
    n_windows: int = 0
    n_frames: int = 0
    n_generated: int = 0
    error: str | None = None


@dataclass(frozen=True)
class PairJudge:
    """What pairs are scored with.

    Attributes:
        way: see `Way`.
        syncnet: the loaded SyncNet.
        syncer: the generator, for ``"generated"``.
        mode: how faces are found, see `lipsync_core.scoring.score_video`.
        min_track_frames: shorter face tracks are left out.
        features: network for a Fréchet distance between true and generated faces, or None.
        weights_sha256: of the generator's file; part of the key under which results are kept.
        syncnet_sha256: of the SyncNet's file; likewise.
    """

    way: Way
    syncnet: LoadedSyncNet
    syncer: LipSyncer | None = None
    mode: Mode = "track"
    min_track_frames: int = MIN_TRACK_FRAMES
    features: FaceFeatures | None = None
    weights_sha256: str = ""
    syncnet_sha256: str = ""

    def __post_init__(self) -> None:
        if (self.way == "generated") != (self.syncer is not None):
            raise InvalidInputError(f"{self.way} pairs and a generator do not fit together")

    @property
    def key(self) -> dict[str, Any]:
        """What the numbers depend on, apart from list and files."""
        return {
            "way": self.way,
            "weights_sha256": self.weights_sha256,
            "syncnet": self.syncnet.name,
            "syncnet_sha256": self.syncnet_sha256,
            "mode": self.mode,
            "min_track_frames": self.min_track_frames,
            "features": self.features.weights_sha256 if self.features else "",
        }


@dataclass
class _FaceFeatures:
    """Features of true and generated faces of one pair."""

    features: FaceFeatures | None
    true: list[npt.NDArray[np.float32]] = field(default_factory=list)
    other: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def push(self, true_frame: FrameArray, frame: FrameArray, box: Box) -> None:
        if self.features is not None:
            true, other = face_crops(true_frame, frame, box, self.features.face_size_px)
            self.true.append(self.features(true))
            self.other.append(self.features(other))

    def array(self) -> npt.NDArray[np.float32] | None:
        """Return (2, n, size), or None without any."""
        if not self.true:
            return None
        return np.stack((np.concatenate(self.true), np.concatenate(self.other)))


class _Counter:
    def __init__(self) -> None:
        self.n_frames = self.n_generated = 0


def score_pair(pair: Pair, root: Path, judge: PairJudge) -> tuple[PairScore, npt.NDArray[np.float32] | None]:
    """Score one pair; what goes wrong stands in the score.

    Returns:
        The score, and (2, n, size) features of true and generated faces if the judge has a network for them.
    """
    import cv2

    counter, faces = _Counter(), _FaceFeatures(judge.features)
    try:
        video = find_video(root, pair.video)
        speech = read_audio(video if judge.way == "real" else find_audio(root, pair.audio), SAMPLE_RATE_HZ)
        frames = _pictures(video, speech, judge, counter, faces)
        score = score_frames(
            frames, speech, judge.syncnet, mode=judge.mode, min_track_frames=judge.min_track_frames
        )
    except (LipSyncError, OSError, RuntimeError, ValueError, cv2.error) as error:
        return PairScore(pair.audio, pair.video, error=" ".join(str(error).split())), None
    return _pair_score(pair, score, counter), faces.array()


def _pair_score(pair: Pair, score: VideoScore, counter: _Counter) -> PairScore:
    whole = score.whole
    if whole is None:
        return PairScore(pair.audio, pair.video, n_frames=counter.n_frames, error=score.reason)
    return PairScore(
        pair.audio,
        pair.video,
        whole.distance,
        whole.confidence,
        whole.offset,
        whole.n_windows,
        counter.n_frames,
        counter.n_generated,
    )


def _pictures(
    video: Path, speech: npt.NDArray[np.floating], judge: PairJudge, counter: _Counter, faces: _FaceFeatures
) -> Iterator[FrameArray]:
    """Yield the frames to score, as many as speech lasts."""
    source = islice(read_frames(video, fps=Fraction(FPS)), speech.size * FPS // SAMPLE_RATE_HZ)
    if judge.syncer is None:
        for frame in source:
            counter.n_frames += 1
            yield frame
        return
    for synced in judge.syncer(source, speech, FPS):
        frame = synced.pasted()
        assert isinstance(frame, np.ndarray) and isinstance(synced.frame_bgr, np.ndarray)
        counter.n_frames += 1
        if synced.patch is not None:
            counter.n_generated += 1
            if synced.face is not None and synced.index % FEATURES_EVERY_FRAMES == 0:
                faces.push(synced.frame_bgr, frame, synced.face.box)
        yield frame
