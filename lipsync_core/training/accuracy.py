"""How often an expert or a SyncNet is right on clips it has never seen.

The protocol is that of the papers (Prajwal et al. 2020, table of off-sync accuracy): a true pair is a window
of five frames with its own 200 ms of sound, a false pair the same window with the sound of another moment of
its clip, at least one frame away. Where the papers draw one such moment at random, here every one counts, so
the figures are the expectation of that draw and the same on every machine. Every window weighs the same.

A threshold is chosen by `choose_threshold` on held-out training clips, before test clips are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from lipsync_core.audio import mel_window_start
from lipsync_core.errors import InvalidInputError
from lipsync_core.evaluate import LSE, lse
from lipsync_core.models import LipSyncExpert, SyncNet
from lipsync_core.training.augment import draw_geometry, warp_window
from lipsync_core.training.dataset import WINDOW_FRAMES, PreparedClips
from lipsync_core.training.shards import FPS, HEAD_STORE_PX, ClipRecord
from lipsync_core.training.speech import speech_windows
from lipsync_core.training.tasks import FACE_PX, HEAD_PX, frame_major

THRESHOLD = 0.5
PUBLISHED_OFF_SYNC_TARGET = 0.916  # T_v = 5, frozen, LRS2 (thesis table 3.4)
_BATCH_WINDOWS = 64

Selection = Literal["all", "speech", "speech_pairs"]
"""Which pairs count: all; those whose window of frames is speech (its own sound is, the false sound may be
silence); or only those whose false sound is speech too, which is the hardest."""
SELECTIONS: tuple[Selection, ...] = ("all", "speech", "speech_pairs")

Rule = Literal["balanced", "off_sync"]


@dataclass(frozen=True)
class ExpertAccuracy:
    """Shares of windows judged rightly: a pair is taken for synced when its cosine exceeds the threshold.

    Attributes:
        off_sync: share of false pairs at or below the threshold.
        in_sync: share of true pairs above it.
        ranking: share of false pairs that score below the true pair of the same window; no threshold.
        n_windows: true pairs.
        threshold: of the cosine.
    """

    off_sync: float
    in_sync: float
    ranking: float
    n_windows: int
    threshold: float = THRESHOLD

    @property
    def balanced(self) -> float:
        """Mean of both accuracies."""
        return (self.off_sync + self.in_sync) / 2


@dataclass(frozen=True)
class ClipScores:
    """What an expert says about one clip.

    Attributes:
        identity: the person.
        cosine: (n, n) of every window's mouth (rows) with every window's sound (columns).
        is_speech: (n,) whether a window's own sound is speech, see `lipsync_core.training.speech`.
    """

    identity: str
    cosine: npt.NDArray[np.float32]
    is_speech: npt.NDArray[np.bool_]


@torch.inference_mode()
def expert_similarity(
    expert: LipSyncExpert, data: PreparedClips, clip: ClipRecord, mel_offset_frames: float = 0.0
) -> npt.NDArray[np.float32]:
    """Return (n, n) cosines of every window's mouth (rows) with every window's sound (columns) of a clip.

    An expert of fewer than five frames sees the central ones of the window, so that all experts judge the
    same windows of sound.
    """
    plain = draw_geometry(np.random.default_rng(0), 0.0)
    frames = warp_window(data.faces(clip, 0, clip.n_frames), plain, FACE_PX, FACE_PX, FACE_PX // 2)
    n_seen = expert.window_frames
    lead = (WINDOW_FRAMES - n_seen) // 2
    device = next(expert.parameters()).device
    faces, sounds = [], []
    n_windows = data.last_start(clip) + 1
    for first in range(0, n_windows, _BATCH_WINDOWS):
        starts = range(first, min(first + _BATCH_WINDOWS, n_windows))
        seen = np.stack([frame_major(frames[s + lead : s + lead + n_seen]) for s in starts])
        heard = np.stack([data.mel_at(clip, s, mel_offset_frames)[None] for s in starts])
        faces.append(expert.embed_faces(torch.from_numpy(seen).to(device).float() / 255))
        sounds.append(expert.embed_audio(torch.from_numpy(heard).to(device)))
    return np.asarray((torch.cat(faces) @ torch.cat(sounds).T).cpu().numpy(), np.float32)


def score_clips(
    expert: LipSyncExpert, data: PreparedClips, clips: Iterable[ClipRecord], mel_offset_frames: float = 0.0
) -> list[ClipScores]:
    """Return what an expert (in eval mode) says about some clips of prepared data."""
    scores = []
    for clip in clips:
        cosine = expert_similarity(expert, data, clip, mel_offset_frames)
        starts = np.array([mel_window_start(i, FPS, mel_offset_frames) for i in range(len(cosine))])
        scores.append(ClipScores(clip.identity, cosine, speech_windows(data.mel(clip), starts)))
    return scores


def accuracy_of(
    scores: Sequence[ClipScores],
    threshold: float = THRESHOLD,
    selection: Selection = "all",
    min_distance_frames: int = 1,
) -> ExpertAccuracy | None:
    """Return the accuracy over the windows of some clips, or None when there is no pair to judge.

    Args:
        scores: from `score_clips`.
        threshold: of the cosine.
        selection: which pairs count.
        min_distance_frames: the two moments of a false pair are at least so far apart; 1 is the published
            protocol (the sounds of neighbours overlap by four fifths).
    """
    rows = [_judged_windows(clip, threshold, selection, min_distance_frames) for clip in scores]
    windows = np.concatenate([*rows, np.zeros((0, 3))])
    if len(windows) == 0 or np.isnan(windows[:, 0]).all():
        return None
    off_sync, in_sync, ranking = (float(share) for share in np.nanmean(windows, axis=0))
    return ExpertAccuracy(off_sync, in_sync, ranking, len(windows), threshold)


def _judged_windows(
    clip: ClipScores, threshold: float, selection: Selection, min_distance_frames: int
) -> npt.NDArray[np.float64]:
    """Return per window (share of false pairs found, true pair found, share of false pairs below it).

    The shares are NaN for a window without a false pair: a clip may be too short for the distance.
    """
    true = np.diag(clip.cosine)
    index = np.arange(len(true))
    false = np.abs(index[:, None] - index[None, :]) >= max(min_distance_frames, 1)
    if selection == "speech_pairs":
        false &= clip.is_speech[None, :]
    used = clip.is_speech if selection != "all" else np.ones(len(true), bool)
    counts = np.where(false.any(axis=1), false.sum(axis=1), np.nan)
    found = ((clip.cosine <= threshold) & false).sum(axis=1) / counts
    below = ((clip.cosine < true[:, None]) & false).sum(axis=1) / counts
    return np.stack((found, true > threshold, below), axis=1)[used]


def by_identity(scores: Sequence[ClipScores]) -> dict[str, list[ClipScores]]:
    """Return the clips of each person, by name."""
    people: dict[str, list[ClipScores]] = {}
    for clip in sorted(scores, key=lambda c: c.identity):
        people.setdefault(clip.identity, []).append(clip)
    return people


def expert_accuracy(
    expert: LipSyncExpert,
    data: PreparedClips,
    clips: Sequence[ClipRecord],
    threshold: float = THRESHOLD,
    speech_only: bool = False,
    min_distance_frames: int = 1,
) -> ExpertAccuracy:
    """Return the accuracy over all windows of some clips, or over those that contain speech.

    Args:
        expert: in eval mode.
        data: prepared clips.
        clips: those of ``data`` to use.
        threshold: of the cosine.
        speech_only: only windows whose own sound is speech.
        min_distance_frames: false pairs are at least so many frames apart; 1 is the published protocol.

    Raises:
        InvalidInputError: the clips hold no such windows.
    """
    selection: Selection = "speech" if speech_only else "all"
    result = accuracy_of(score_clips(expert, data, clips), threshold, selection, min_distance_frames)
    if result is None:
        raise InvalidInputError(f"{len(clips)} clips hold no windows to judge: give clips of over 0.3 s")
    return result


def choose_threshold(
    scores: Sequence[ClipScores],
    rule: Rule = "balanced",
    target: float = PUBLISHED_OFF_SYNC_TARGET,
    selection: Selection = "speech",
    min_distance_frames: int = 1,
) -> ExpertAccuracy:
    """Choose the threshold on held-out training clips and return the accuracy there.

    Candidates are 0.005, 0.010, ... 0.995. ``balanced`` takes the one with the highest mean of off-sync and
    in-sync accuracy, the lowest of equals; ``off_sync`` takes the lowest one whose off-sync accuracy reaches
    ``target``, whatever becomes of in-sync accuracy, which stands beside it.

    Args:
        scores: clips that were neither trained on nor will be tested on.
        rule: how to choose.
        target: off-sync accuracy wanted, for ``off_sync``.
        selection: which pairs count.
        min_distance_frames: see `accuracy_of`.

    Raises:
        InvalidInputError: unknown rule, no windows, or a target that no threshold reaches.
    """
    if rule not in ("balanced", "off_sync"):
        raise InvalidInputError(f"unknown rule {rule!r}; allowed are 'balanced' and 'off_sync'")
    tried = [accuracy_of(scores, round(0.005 * k, 3), selection, min_distance_frames) for k in range(1, 200)]
    judged = [accuracy for accuracy in tried if accuracy is not None]
    if not judged:
        raise InvalidInputError("no windows to choose a threshold on: give longer clips, with speech")
    if rule == "balanced":
        return max(judged, key=lambda accuracy: accuracy.balanced)
    enough = [accuracy for accuracy in judged if accuracy.off_sync >= target]
    if not enough:
        raise InvalidInputError(f"no threshold below 1 reaches an off-sync accuracy of {target:.1%}")
    return enough[0]


@torch.inference_mode()
def syncnet_features(
    syncnet: SyncNet, data: PreparedClips, clip: ClipRecord, batch_size: int = 20
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return lip and sound features (n, 1024) of every window of a clip."""
    plain = draw_geometry(np.random.default_rng(0), 0.0, HEAD_PX)
    frames = warp_window(data.heads(clip, 0, clip.n_frames), plain, HEAD_STORE_PX, HEAD_PX)
    n_windows = data.last_start(clip) + 1
    mfcc = torch.from_numpy(np.stack([data.mfcc_at(clip, s) for s in range(n_windows)]))[:, None]
    lips = []
    for first in range(0, n_windows, batch_size):
        starts = range(first, min(first + batch_size, n_windows))
        windows = np.stack([frames[s : s + WINDOW_FRAMES] for s in starts])
        lips.append(syncnet.forward_lip(torch.from_numpy(windows).permute(0, 4, 1, 2, 3).float()))
    return torch.cat(lips).numpy(), syncnet.forward_audio(mfcc).numpy()


def syncnet_lse(
    syncnet: SyncNet, data: PreparedClips, clips: list[ClipRecord], sound_of: list[ClipRecord]
) -> list[LSE]:
    """Return LSE of each clip's picture with the sound of another (or its own)."""
    own = {c.first_frame: syncnet_features(syncnet, data, c) for c in {*clips, *sound_of}}
    scores = []
    for picture, sound in zip(clips, sound_of, strict=True):
        lips, heard = own[picture.first_frame][0], own[sound.first_frame][1]
        n = min(len(lips), len(heard))
        scores.append(lse(lips[:n], heard[:n]))
    return scores
