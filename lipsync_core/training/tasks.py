"""What is particular to each network: how a batch is drawn, and its loss.

A task owns its network. The loop in `lipsync_core.training.loop` knows only `Task`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lipsync_core.models import LipSyncExpert, SyncNet, Wav2Lip
from lipsync_core.training import losses
from lipsync_core.training.augment import (
    apply_look,
    augment_mel,
    augment_mfcc,
    blur_region,
    draw_geometry,
    draw_look,
    jittered,
    warp_window,
)
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WINDOW_FRAMES, PreparedClips, WindowSampler
from lipsync_core.training.prepare import HEAD_STORE_PX, ClipRecord

FACE_PX = 96
HEAD_PX = 224
_EXPERT_ONLY_AUDIO_LAYER = 11
Batch = dict[str, Tensor]
Rng = np.random.Generator


class Task(Protocol):
    """A network, its batches and its loss."""

    @property
    def network(self) -> nn.Module:
        """What is trained and exported."""

    @property
    def extra(self) -> nn.Module:
        """What is learnt beside the network and not exported."""

    def begin(self) -> None:
        """Prepare the network for a new run, after any weights of an earlier phase were loaded."""

    def draw(self, rng: Rng) -> Batch:
        """Draw one batch (runs in a thread of its own)."""

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and the figures to print; ``progress`` is the share of the run done."""


def make_task(config: TrainConfig, data: PreparedClips, expert: LipSyncExpert | None = None) -> Task:
    """Return the task of a configuration; ``expert`` is needed for a generator with a sync loss."""
    sampler = WindowSampler(data, config.identity_power)
    if config.kind == "lipsync_expert":
        return ExpertTask(config, sampler)
    if config.kind == "syncnet":
        return SyncNetTask(config, sampler)
    return GeneratorTask(config, sampler, expert)


def frame_major(windows: np.ndarray) -> np.ndarray:
    """Turn (T, H, W, 3) into (3 T, H, W), t0 B, G, R, t1 B, ..."""
    return windows.transpose(0, 3, 1, 2).reshape(-1, *windows.shape[1:3])


class ExpertTask:
    """Lip-sync expert: in-clip matching plus the published binary cross entropy."""

    def __init__(self, config: TrainConfig, sampler: WindowSampler) -> None:
        self.config, self.sampler = config, sampler
        self.network = LipSyncExpert(config.width)
        self.extra: nn.Module = LogitScale(8.0)

    def begin(self) -> None:
        """Nothing to prepare."""

    def draw(self, rng: Rng) -> Batch:
        """Draw mel (C K, 1, 80, 16) and lower halves (C K, 15, 48, 96) as bytes."""
        c, data = self.config, self.sampler.data
        mels, faces = [], []
        for _ in range(c.clips_per_step):
            clip = self.sampler.clip(rng)
            for start in self.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames):
                geometry = draw_geometry(rng, c.geometry_strength)
                window = warp_window(data.faces(clip, start), geometry, FACE_PX, FACE_PX, FACE_PX // 2)
                faces.append(frame_major(apply_look(rng, window, draw_look(rng, c.colour_strength), FACE_PX)))
                mels.append(augment_mel(rng, data.mel_at(clip, start), c.sound_strength)[None])
        return {"mel": torch.from_numpy(np.stack(mels)), "faces": torch.from_numpy(np.stack(faces))}

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Return the loss over the in-clip similarity matrices."""
        c = self.config
        audio, face = self.network(batch["mel"], batch["faces"].float() / 255)
        shape = (c.clips_per_step, c.windows_per_clip, -1)
        cosine = torch.einsum("ckd,cld->ckl", face.float().view(shape), audio.float().view(shape))
        matching = losses.matching_loss(self.extra(cosine))
        bce = losses.pair_bce(cosine)
        figures = {"matching": matching.item(), "bce": bce.item(), "top1": _top1(cosine)}
        return c.matching_weight * matching + c.bce_weight * bce, figures


class LogitScale(nn.Module):
    """Learnt temperature of the matching loss."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(start))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return x * self.log_scale.exp().clamp(max=50.0)


def _top1(similarity: Tensor) -> float:
    n_windows = similarity.shape[-1]
    best = similarity.argmax(dim=-1)
    return (best == torch.arange(n_windows, device=best.device)).float().mean().item()


class SyncNetTask:
    """SyncNet: in-clip matching on negative Euclidean distances, the quantity LSE-D averages."""

    def __init__(self, config: TrainConfig, sampler: WindowSampler) -> None:
        self.config, self.sampler = config, sampler
        self.network = SyncNet(config.width)
        self.extra: nn.Module = nn.Identity()

    def begin(self) -> None:
        """Nothing to prepare."""

    def draw(self, rng: Rng) -> Batch:
        """Draw mfcc (C K, 1, 13, 20) and faces (C K, 15, 224, 224) as bytes."""
        c, data = self.config, self.sampler.data
        sounds, faces = [], []
        for _ in range(c.clips_per_step):
            clip = self.sampler.clip(rng)
            for start in self.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames):
                geometry = draw_geometry(rng, c.geometry_strength, HEAD_PX)
                look = draw_look(rng, c.colour_strength)
                # Colours first: the stored crop has a quarter of the pixels.
                window = apply_look(rng, data.heads(clip, start), look, HEAD_STORE_PX)
                faces.append(frame_major(warp_window(window, geometry, HEAD_STORE_PX, HEAD_PX)))
                sounds.append(augment_mfcc(rng, data.mfcc_at(clip, start), c.sound_strength)[None])
        return {"mfcc": torch.from_numpy(np.stack(sounds)), "faces": torch.from_numpy(np.stack(faces))}

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Return the matching loss over the in-clip distance matrices."""
        c = self.config
        # Colour before time, as the first convolution wants it, and channels last in memory for speed.
        frames = batch["faces"].view(-1, WINDOW_FRAMES, 3, HEAD_PX, HEAD_PX).transpose(1, 2)
        frames = frames.flatten(1, 2).float()
        frames = frames.contiguous(memory_format=torch.channels_last)
        frames = frames.view(len(frames), 3, WINDOW_FRAMES, HEAD_PX, HEAD_PX)
        shape = (c.clips_per_step, c.windows_per_clip, -1)
        audio = self.network.forward_audio(batch["mfcc"]).float().view(shape)
        face = self.network.forward_lip(frames).float().view(shape)
        squared = (face[:, :, None] - audio[:, None]).square().sum(dim=-1)
        distance = (squared + 1e-6).sqrt()
        matching = losses.matching_loss(-distance)
        in_sync = distance.diagonal(dim1=1, dim2=2).mean().item()
        return matching, {"matching": matching.item(), "top1": _top1(-distance), "distance": in_sync}


@dataclass
class _Pair:
    target: list[np.ndarray]
    reference: list[np.ndarray]
    mels: list[np.ndarray]
    sync_mel: list[np.ndarray]


class GeneratorTask:
    """Wav2Lip generator: weighted L1 with gradients, and the frozen expert's sync loss."""

    def __init__(self, config: TrainConfig, sampler: WindowSampler, expert: LipSyncExpert | None) -> None:
        self.config, self.sampler = config, sampler
        self.network = Wav2Lip(config.width)
        self.extra: nn.Module = nn.Identity()
        self.weights = losses.face_weights(config.lower_half_weight, config.mouth_weight)
        self.mouth = losses.mouth_region()
        self.expert = expert
        if expert is not None:
            expert.requires_grad_(False)
            expert.train(config.expert_mode == "train")

    def begin(self) -> None:
        """Take over the expert's audio layers if configured: they know visemes already."""
        if self.config.audio_from_expert and self.expert is not None:
            copy_audio_encoder(self.expert, self.network)

    def draw(self, rng: Rng) -> Batch:
        """Draw target and reference windows (N, 3 T, 96, 96) as bytes, the sound of each frame and window."""
        c, pair = self.config, _Pair([], [], [], [])
        for _ in range(c.clips_per_step):
            clip = self.sampler.clip(rng)
            self._draw_clip(rng, clip, pair)
        return {
            "target": torch.from_numpy(np.stack(pair.target)),
            "reference": torch.from_numpy(np.stack(pair.reference)),
            "mels": torch.from_numpy(np.stack(pair.mels)),
            "sync_mel": torch.from_numpy(np.stack(pair.sync_mel)),
        }

    def _draw_clip(self, rng: Rng, clip: ClipRecord, pair: _Pair) -> None:
        """Draw the windows of one clip; they share reference and augmentation."""
        c, data = self.config, self.sampler.data
        starts = self.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames)
        geometry, look = draw_geometry(rng, c.geometry_strength), draw_look(rng, c.colour_strength)
        beside = jittered(rng, geometry, c.geometry_strength)
        first = int(rng.integers(0, data.last_start(clip) + 1))
        reference = warp_window(data.faces(clip, first)[: c.frames_per_window], beside, FACE_PX, FACE_PX)
        reference = apply_look(rng, reference, look, FACE_PX)
        if rng.random() < c.blur_reference_share:
            reference = blur_region(reference, self.mouth.numpy())
        sounds = []
        for start in starts:
            chosen = np.sort(rng.permutation(WINDOW_FRAMES)[: c.frames_per_window])
            target = warp_window(data.faces(clip, start)[chosen], geometry, FACE_PX, FACE_PX)
            pair.target.append(frame_major(apply_look(rng, target, look, FACE_PX)))
            pair.reference.append(frame_major(reference))
            heard = [data.mel_at(clip, start + int(f), c.mel_offset_frames) for f in chosen]
            sounds.append(np.stack([*heard, data.mel_at(clip, start)]))
        for sound in augment_mel(rng, np.stack(sounds), c.sound_strength):
            pair.mels.append(sound[:-1, None])
            pair.sync_mel.append(sound[-1:])

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Return the image loss, and the expert's losses once they are switched on."""
        c = self.config
        target = _frames(batch["target"])
        masked = target.clone()
        masked[:, :, FACE_PX // 2 :] = 0
        reference = _frames(batch["reference"])
        faces = torch.cat((masked, reference), dim=1)
        output = self.network(batch["mels"].flatten(0, 1), faces).float()
        weights = self.weights * losses.change_weights(target, reference, c.change_weight)
        image = losses.reconstruction_loss(output, target, weights, c.gradient_weight)
        shape = losses.shape_loss(output, target, self.mouth)
        per_clip = c.windows_per_clip * c.frames_per_window
        motion = losses.motion_loss(output, target, self.mouth, per_clip)
        image = image + c.shape_weight * shape + c.motion_weight * motion
        mouth = (output - target)[:, :, 56:84, 28:68].abs().mean()
        figures = {
            "image": image.item(),
            "shape": shape.item(),
            "motion": motion.item(),
            "mouth_l1": mouth.item(),
        }
        if self.expert is None or not c.uses_expert or progress < c.sync_start_progress:
            return image, figures
        # The expert sees the true face around the generated mouth: else the generator learns to please it
        # with dark smears on the cheek instead of with lips.
        seen = torch.lerp(target, output, self.mouth)
        with torch.no_grad():
            heard = self.expert.embed_audio(batch["sync_mel"])
        said = self.expert.embed_faces(_lower_windows(seen))
        sync, contrast = losses.sync_loss(heard, said), losses.sync_contrast(heard, said)
        feature = losses.feature_loss(self.expert, _lower_windows(seen), _lower_windows(target))
        figures |= {"sync": sync.item(), "contrast": contrast.item(), "feature": feature.item()}
        judged = c.sync_weight * sync + c.contrast_weight * contrast + c.feature_weight * feature
        return image + judged, figures


def copy_audio_encoder(expert: LipSyncExpert, generator: Wav2Lip) -> None:
    """Copy the expert's audio layers into a generator of the same width.

    The expert has one residual unit more at 256 channels (its layer 11), which is left out.
    """
    layers = [layer for index, layer in enumerate(expert.audio_encoder) if index != _EXPERT_ONLY_AUDIO_LAYER]
    for source, target in zip(layers, generator.audio_encoder, strict=True):
        target.load_state_dict(source.state_dict())


def _lower_windows(frames: Tensor) -> Tensor:
    """Turn frames (5 N, 3, 96, 96), window by window, into lower halves (N, 15, 48, 96)."""
    lower = frames[:, :, FACE_PX // 2 :]
    return lower.reshape(-1, 3 * WINDOW_FRAMES, FACE_PX // 2, FACE_PX)


def _frames(windows: Tensor) -> Tensor:
    """Turn byte windows (N, 3 T, H, W) into frames (N T, 3, H, W) in 0...1, window by window."""
    return windows.reshape(-1, 3, *windows.shape[2:]).float() / 255
