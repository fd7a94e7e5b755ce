"""The task of SyncNet, the network behind LSE-D and LSE-C."""

from __future__ import annotations

import torch
from torch import Tensor

from lipsync_core.models import SyncNet
from lipsync_core.training import losses
from lipsync_core.training.augment import apply_looks, augment_mfcc, draw_geometry, draw_look, warp_windows
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WINDOW_FRAMES, WindowSampler
from lipsync_core.training.shards import HEAD_STORE_PX
from lipsync_core.training.tasks.base import (
    HEAD_PX,
    Batch,
    Figures,
    Rng,
    Source,
    Task,
    frame_major,
    stacked,
    top1,
)


class SyncNetTask(Task):
    """SyncNet on Euclidean distances, the quantity LSE-D averages.

    ``loss: matching`` asks which sound of the clip is nearest, ``max_margin`` is the published contrastive
    loss over the same pairs.
    """

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.network: SyncNet = SyncNet(config.width)

    def draw_from(self, source: Source, rng: Rng, device: torch.device) -> Batch:
        """Draw mfcc (C K, 1, 13, 20) and levels of faces (C K, 15, 224, 224)."""
        c, data = source.config, source.data
        sounds, frames, ids = [], [], []
        for _ in range(c.clips_per_step):
            clip = source.sampler.clip(rng)
            for start in source.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames):
                frames.append(frame_major(data.heads(clip, start)))
                sounds.append(augment_mfcc(rng, data.mfcc_at(clip, start), c.sound_strength)[None])
                ids.append(f"{clip.name}@{start}")
        geometries = [draw_geometry(rng, c.geometry_strength, HEAD_PX) for _ in frames]
        looks = [draw_look(rng, c.colour_strength) for _ in frames]
        # Colours first: the stored crop has a quarter of the pixels.
        lit = apply_looks(rng, stacked(frames, device), looks, HEAD_STORE_PX)
        lit = lit.view(-1, WINDOW_FRAMES, 3, HEAD_STORE_PX, HEAD_STORE_PX).permute(0, 1, 3, 4, 2)
        faces = warp_windows(lit, geometries, HEAD_STORE_PX, HEAD_PX)
        return Batch({"mfcc": stacked(sounds, device), "faces": faces}, ids)

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the loss over the in-clip distance matrices."""
        c = self.config
        # Colour before time, as the first convolution wants it, and channels last in memory for speed.
        frames = batch["faces"].view(-1, WINDOW_FRAMES, 3, HEAD_PX, HEAD_PX).transpose(1, 2)
        frames = frames.flatten(1, 2).float()
        frames = frames.contiguous(memory_format=torch.channels_last)
        frames = frames.view(len(frames), 3, WINDOW_FRAMES, HEAD_PX, HEAD_PX)
        audio = self.network.forward_audio(batch["mfcc"]).float()
        face = self.network.forward_lip(frames).float()
        shape = (-1, c.windows_per_clip, audio.shape[-1])
        squared = (face.view(shape)[:, :, None] - audio.view(shape)[:, None]).square().sum(dim=-1)
        distance = (squared + 1e-6).sqrt()
        in_sync = distance.diagonal(dim1=1, dim2=2).mean().item()
        figures = {"top1": top1(-distance), "distance": in_sync}
        loss = losses.matching_loss(-distance)
        if c.loss == "max_margin":
            loss = losses.max_margin_loss(distance, c.margin)
        return loss, {c.loss: loss.item(), **figures}
