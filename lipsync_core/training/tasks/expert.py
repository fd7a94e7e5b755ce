"""The task of the lip-sync expert."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lipsync_core.models import LipSyncExpert
from lipsync_core.models.lipsync_expert import expert_frames
from lipsync_core.training import losses
from lipsync_core.training.augment import augment_mel, augmented_windows, draw_geometry, draw_look
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WindowSampler
from lipsync_core.training.tasks.base import FACE_PX, Batch, Figures, Rng, Source, Task, stacked, top1


class ExpertTask(Task):
    """Lip-sync expert: cosine and binary cross entropy, on all pairs of a clip or on coin-flip pairs.

    ``pairs: coin_flip`` is the published sampling: a fair coin decides whether a window's mouth is replaced
    by that of another moment of the same clip (which may overlap).
    """

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.network: LipSyncExpert = LipSyncExpert(config.width, window_frames=config.window_frames)
        self.extra = LogitScale(8.0)

    def draw_from(self, source: Source, rng: Rng, device: torch.device) -> Batch:
        """Draw mel (C K, 1, 80, 16), levels of lower halves (C K, 3 T, 48, 96), label (C K,)."""
        c, data, flips = source.config, source.data, self.config.pairs == "coin_flip"
        mels, frames, labels, ids = [], [], [], []
        for _ in range(c.clips_per_step):
            clip = source.sampler.clip(rng)
            for start in source.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames):
                shown, label = start, 1.0
                if flips and rng.random() < 0.5:
                    shown, label = _other_start(rng, start, data.last_start(clip)), 0.0
                frames.append(data.faces(clip, shown)[expert_frames(self.config.window_frames)])
                heard = data.mel_at(clip, start, c.expert_mel_offset_frames)
                mels.append(augment_mel(rng, heard, c.sound_strength)[None])
                labels.append(np.float32(label))
                ids.append(f"{clip.name}@{start}" + (f"/{shown}" if shown != start else ""))
        geometries = [draw_geometry(rng, c.geometry_strength) for _ in frames]
        looks = [draw_look(rng, c.colour_strength) for _ in frames]
        faces = augmented_windows(rng, frames, geometries, looks, FACE_PX, FACE_PX // 2, device)
        tensors = {"faces": faces}
        tensors |= {"mel": stacked(mels, device), "label": torch.tensor(labels, device=device)}
        return Batch(tensors, ids)

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the loss over coin-flip pairs, or over the in-clip similarity matrices."""
        c = self.config
        audio, face = self.network(batch["mel"], batch["faces"] / 255)
        if c.pairs == "coin_flip":
            cosine = (audio.float() * face.float()).sum(dim=1)
            loss = losses.labelled_bce(cosine, batch["label"])
            right = ((cosine > 0.5) == (batch["label"] > 0.5)).float().mean().item()
            return c.bce_weight * loss, {"bce": loss.item(), "accuracy": right}
        shape = (-1, c.windows_per_clip, audio.shape[-1])
        cosine = torch.einsum("ckd,cld->ckl", face.float().view(shape), audio.float().view(shape))
        matching = losses.matching_loss(self.extra(cosine))
        bce = losses.pair_bce(cosine)
        figures = {"matching": matching.item(), "bce": bce.item(), "top1": top1(cosine)}
        return c.matching_weight * matching + c.bce_weight * bce, figures


def _other_start(rng: Rng, start: int, last: int) -> int:
    """Draw another start than ``start`` in 0...last (the same if there is no other)."""
    if last == 0:
        return start
    drawn = int(rng.integers(0, last))
    return drawn + (drawn >= start)


class LogitScale(nn.Module):
    """Learnt temperature of the matching loss."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(start))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return x * self.log_scale.exp().clamp(max=50.0)
