"""How often an expert or a SyncNet is right on clips it has never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lipsync_core.evaluate import LSE, lse
from lipsync_core.models import LipSyncExpert, SyncNet
from lipsync_core.training.augment import draw_geometry, warp_window
from lipsync_core.training.dataset import WINDOW_FRAMES, PreparedClips
from lipsync_core.training.prepare import HEAD_STORE_PX, ClipRecord
from lipsync_core.training.tasks import FACE_PX, HEAD_PX, frame_major

THRESHOLD = 0.5


@dataclass(frozen=True)
class ExpertAccuracy:
    """Shares of five-frame windows judged rightly at a cosine of 0.5.

    Attributes:
        off_sync: share of pairs of a window with the sound of another moment of its clip that score < 0.5.
        in_sync: share of true pairs that score > 0.5.
        ranking: share of (true, false) pairs of one window in which the true one scores higher.
    """

    off_sync: float
    in_sync: float
    ranking: float
    n_windows: int


@torch.inference_mode()
def expert_similarity(
    expert: LipSyncExpert, data: PreparedClips, clip: ClipRecord
) -> npt.NDArray[np.float32]:
    """Return (n, n) cosines of every window's mouth (rows) with every window's sound (columns) of a clip."""
    plain = draw_geometry(np.random.default_rng(0), 0.0)
    faces, mels = [], []
    frames = warp_window(data.faces(clip, 0, clip.n_frames), plain, FACE_PX, FACE_PX, FACE_PX // 2)
    for start in range(data.last_start(clip) + 1):
        faces.append(frame_major(frames[start : start + WINDOW_FRAMES]))
        mels.append(data.mel_at(clip, start)[None])
    face = expert.embed_faces(torch.from_numpy(np.stack(faces)).float() / 255)
    audio = expert.embed_audio(torch.from_numpy(np.stack(mels)))
    return np.asarray((face @ audio.T).numpy(), np.float32)


def expert_accuracy(
    expert: LipSyncExpert, data: PreparedClips, clips: list[ClipRecord], min_distance_frames: int = 1
) -> ExpertAccuracy:
    """Return the accuracy over all windows of some clips.

    Args:
        expert: in eval mode.
        data: prepared clips.
        clips: those of ``data`` to use.
        min_distance_frames: false pairs are at least so many frames apart; 1 is the published protocol.
    """
    true_scores, false_low, false_all, ranked = [], 0, 0, 0
    for clip in clips:
        cosine = expert_similarity(expert, data, clip)
        index = np.arange(len(cosine))
        false = np.abs(index[:, None] - index[None, :]) >= min_distance_frames
        true_scores.append(np.diag(cosine))
        false_low += int((cosine[false] < THRESHOLD).sum())
        false_all += int(false.sum())
        ranked += int(((cosine < np.diag(cosine)[:, None]) & false).sum())
    scores = np.concatenate(true_scores)
    return ExpertAccuracy(
        off_sync=false_low / false_all,
        in_sync=float((scores > THRESHOLD).mean()),
        ranking=ranked / false_all,
        n_windows=len(scores),
    )


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
