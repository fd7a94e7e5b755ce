"""Generates and scores the pairs of a file list, one after the other, so that a run can stop and go on.

Source of the protocol: Wav2Lip ``evaluation/gen_videos_from_filelist`` and ``calculate_scores_*``: 25 frames
a second, the result as long as the speech, one score a pair, plain means. Nothing is encoded in between, so
that the same list gives the same numbers on any machine (up to float rounding).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
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
from lipsync_core.metrics.face_sets import FEATURES_EVERY_FRAMES, FaceSets, Frechet, face_crops
from lipsync_core.metrics.features import FaceFeatures
from lipsync_core.pairs import Pair, find_audio, find_video
from lipsync_core.scoring import MIN_TRACK_FRAMES, LoadedSyncNet, Mode, VideoScore, load_syncnet, score_frames
from lipsync_core.syncnet_meter import FPS
from lipsync_core.weights import fetch, resolve

logger = logging.getLogger(__name__)

Way = Literal["generated", "unsynced", "real"]
"""What is scored: the generated picture, the picture as it is under the foreign speech, or the picture with
its own sound."""
RESULTS_FILE = "pairs.jsonl"


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


class PairRun:
    """A folder that keeps the scores of a list, so that a run that stopped goes on.

    ``pairs.jsonl`` holds one line a pair, written when it is done; ``features/`` what Fréchet distances need.
    Lines of other weights or settings are never used.

    Args:
        folder: made if it is not there.
        judge: see `PairJudge`.

    Raises:
        InvalidInputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, judge: PairJudge) -> None:
        self.folder, self.judge = folder, judge
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._done = self._read()
        except OSError as error:
            raise InvalidInputError(f"cannot keep results in {folder}: {error}") from error

    def scores(
        self, pairs: Sequence[Pair], root: Path, told: Callable[[int, PairScore], None] | None = None
    ) -> list[PairScore]:
        """Return the scores of all pairs, in order; only those not kept yet are made.

        Args:
            pairs: the list.
            root: folder that its names are relative to.
            told: called with the number of pairs done, and the last score.
        """
        scores = []
        for number, pair in enumerate(pairs, 1):
            score = self._done.get(pair)
            if score is None:
                score, features = score_pair(pair, root, self.judge)
                self._keep(pair, score, features)
            scores.append(score)
            if told is not None:
                told(number, score)
        return scores

    def features(self, pair: Pair) -> npt.NDArray[np.float32] | None:
        """Return (2, n, size) features of a pair's true and generated faces, or None without any."""
        path = self._features_path(pair)
        return np.load(path) if path.is_file() else None

    def frechet(self, pairs: Sequence[Pair]) -> Frechet | None:
        """Return the distance between true and generated faces of all pairs, or None without any."""
        if self.judge.features is None:
            return None
        sets = FaceSets(self.judge.features)
        for pair in pairs:
            both = self.features(pair)
            if both is not None:
                sets.push_features(both[0], both[1])
        return sets.frechet()

    def _features_path(self, pair: Pair) -> Path:
        text = json.dumps([pair.audio, pair.video, self.judge.key], sort_keys=True)
        return self.folder / "features" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npy"

    def _keep(self, pair: Pair, score: PairScore, features: npt.NDArray[np.float32] | None) -> None:
        if features is not None:
            path = self._features_path(pair)
            path.parent.mkdir(exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, features)
            part.replace(path)
        if score.error is None:  # what failed is tried again next time
            line = json.dumps({"key": self.judge.key, **asdict(score)}, ensure_ascii=False)
            with (self.folder / RESULTS_FILE).open("a", encoding="utf-8") as results:
                results.write(line + "\n")
            self._done[pair] = score

    def _read(self) -> dict[Pair, PairScore]:
        path = self.folder / RESULTS_FILE
        done: dict[Pair, PairScore] = {}
        if not path.is_file():
            return done
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):  # killed while writing: drop the half line
            text = text[: text.rfind("\n") + 1]
            path.write_text(text, encoding="utf-8")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                if entry.pop("key") == self.judge.key:
                    score = PairScore(**entry)
                    done[Pair(score.audio, score.video)] = score
            except (ValueError, KeyError, TypeError, AttributeError):
                logger.warning("ignored a damaged line of %s", path)
        return done


def mean_figures(scores: Sequence[PairScore]) -> dict[str, float | int | None]:
    """Return plain means over the pairs that could be scored, as in the papers."""
    measured = [s for s in scores if s.lse_d is not None and s.lse_c is not None]
    offsets = [s.offset_frames for s in measured if s.offset_frames is not None]
    return {
        "n_pairs": len(measured),
        "n_failed": len(scores) - len(measured),
        "lse_d": float(np.mean([s.lse_d for s in measured])) if measured else None,
        "lse_c": float(np.mean([s.lse_c for s in measured])) if measured else None,
        "in_sync_share": sum(abs(o) <= 1 for o in offsets) / len(offsets) if offsets else None,
    }
