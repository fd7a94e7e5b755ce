"""What all generators share: how windows are drawn, the image loss, samples to look at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lipsync_core.generators import inputs_of, join_faces
from lipsync_core.training import losses
from lipsync_core.training.augment import (
    Geometry,
    Look,
    augment_mel,
    augmented_windows,
    blur_regions,
    draw_geometry,
    draw_look,
    jittered,
)
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WINDOW_FRAMES, WindowSampler
from lipsync_core.training.shards import ClipRecord
from lipsync_core.training.tasks.base import (
    FACE_PX,
    Array,
    Batch,
    Figures,
    Rng,
    Source,
    Task,
    stacked,
)

SAMPLE_COLUMNS = 8
_MOUTH_ROWS, _MOUTH_COLUMNS = slice(56, 84), slice(28, 68)


@dataclass
class Drawn:
    """What was drawn so far; the windows of one clip share reference and augmentation."""

    frames: list[Array] = field(default_factory=list)  # of each window
    geometries: list[Geometry] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    reference_frames: list[Array] = field(default_factory=list)  # of each clip
    reference_geometries: list[Geometry] = field(default_factory=list)
    blurred: list[bool] = field(default_factory=list)
    mels: list[Array] = field(default_factory=list)  # of each window
    sync_mel: list[Array] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


class GeneratorTask(Task):
    """Base of the generators' tasks.

    Attributes:
        needs_sync_mel: whether batches hold the sound of whole windows too, for the expert.
    """

    needs_sync_mel = False

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.mel_columns = inputs_of(config.kind).mel_columns
        self.weights = losses.face_weights(config.lower_half_weight, config.mouth_weight)
        self.mouth = losses.mouth_region()

    def draw_from(self, source: Source, rng: Rng, device: torch.device) -> Batch:
        """Draw levels of target and reference windows (N, 3 T, 96, 96) and the sound of each frame.

        ``mels`` is (N, T, 1, 80, columns), ``sync_mel`` (N, 1, 80, 16). For discriminators of sound there are
        ``other_*``, the same of other clips, and ``coin`` (N,), one fair coin for the whole batch.
        """
        drawn = Drawn()
        for _ in range(source.config.clips_per_step):
            self._draw_clip(source, rng, source.sampler.clip(rng), drawn)
        tensors = self._pictures(rng, drawn, device) | {"mels": stacked(drawn.mels, device)}
        if drawn.sync_mel:
            tensors["sync_mel"] = stacked(drawn.sync_mel, device)
        if self.config.rolls_sounds:
            roll = self.config.windows_per_clip if self.config.clips_per_step > 1 else 1
            for name in sorted({"mels", "sync_mel"} & set(tensors)):
                tensors[f"other_{name}"] = tensors[name].roll(roll, 0)
            tensors["coin"] = torch.full((len(drawn.ids),), bool(rng.random() < 0.5), device=device)
        return Batch(tensors, drawn.ids)

    def _draw_clip(self, source: Source, rng: Rng, clip: ClipRecord, drawn: Drawn) -> None:
        """Draw the windows of one clip."""
        c, data = source.config, source.data
        starts = source.sampler.starts(rng, clip, c.windows_per_clip, c.min_gap_frames)
        geometry, look = draw_geometry(rng, c.geometry_strength), draw_look(rng, c.colour_strength)
        first = int(rng.integers(0, data.last_start(clip) + 1))
        drawn.reference_frames.append(data.faces(clip, first)[: c.frames_per_window])
        drawn.reference_geometries.append(jittered(rng, geometry, c.geometry_strength))
        drawn.blurred.append(bool(rng.random() < c.blur_reference_share))
        sounds = []
        for start in starts:
            chosen = np.sort(rng.permutation(WINDOW_FRAMES)[: c.frames_per_window])
            window = data.faces(clip, start)
            drawn.frames.append(window if len(chosen) == WINDOW_FRAMES else window[chosen])
            drawn.geometries.append(geometry)
            drawn.looks.append(look)
            drawn.ids.append(f"{clip.name}@{start} reference {first}")
            sounds.append(self._sounds(source, clip, start, chosen))
        for sound in augment_mel(rng, np.stack(sounds), c.sound_strength):
            drawn.mels.append(sound[: c.frames_per_window, None])
            if self.needs_sync_mel:
                drawn.sync_mel.append(sound[-1:])

    def _sounds(self, source: Source, clip: ClipRecord, start: int, chosen: Array) -> Array:
        """Return the sound of each frame and, behind it, that of the window if the expert needs it."""
        c, data = source.config, source.data
        heard = [data.mel_at(clip, start + int(f), c.mel_offset_frames, self.mel_columns) for f in chosen]
        if self.needs_sync_mel:
            heard.append(data.mel_at(clip, start, c.expert_mel_offset_frames))
        return np.stack(heard)

    def _pictures(self, rng: Rng, drawn: Drawn, device: torch.device) -> dict[str, Tensor]:
        """Return target and reference windows, warped and lit."""
        n_windows, per_clip = len(drawn.frames), self.config.windows_per_clip
        frames = drawn.frames + drawn.reference_frames
        geometries = drawn.geometries + drawn.reference_geometries
        looks = drawn.looks + drawn.looks[::per_clip]
        pictures = augmented_windows(rng, frames, geometries, looks, FACE_PX, device=device)
        target, reference = pictures[:n_windows], pictures[n_windows:]
        if blurred := [i for i, blur in enumerate(drawn.blurred) if blur]:
            soft = blur_regions(reference[blurred], losses.mouth_region().to(device))
            reference[blurred] = soft.round().to(reference.dtype)
        return {"target": target, "reference": reference.repeat_interleave(per_clip, dim=0)}

    def generate(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return output, target and reference frames (N T, 3, 96, 96) in 0...1, window by window."""
        target, reference = as_frames(batch["target"]), as_frames(batch["reference"])
        faces = join_faces(self.config.kind, target, reference)
        output = torch.as_tensor(self.network(batch["mels"].flatten(0, 1), faces))
        return output.float(), target, reference

    def image_loss(self, output: Tensor, target: Tensor, reference: Tensor) -> tuple[Tensor, Figures]:
        """Return the weighted L1 with gradients, shape and motion, and its figures."""
        c = self.config
        self.weights, self.mouth = self.weights.to(output.device), self.mouth.to(output.device)
        weights = self.weights * losses.change_weights(target, reference, c.change_weight)
        image = losses.reconstruction_loss(output, target, weights, c.gradient_weight)
        shape = losses.shape_loss(output, target, self.mouth)
        per_clip = c.windows_per_clip * c.frames_per_window
        motion = losses.motion_loss(output, target, self.mouth, per_clip)
        image = image + c.shape_weight * shape + c.motion_weight * motion
        mouth = (output - target)[:, :, _MOUTH_ROWS, _MOUTH_COLUMNS].abs().mean()
        named = {"image": image, "shape": shape, "motion": motion, "mouth_l1": mouth}
        return image, {name: value.item() for name, value in named.items()}

    @torch.no_grad()
    def samples(self, batch: Batch) -> Tensor:
        """Return a grid: references, targets, outputs, one column per frame."""
        output, target, reference = self.generate(batch)
        step = max(1, len(output) // SAMPLE_COLUMNS)
        rows = [torch.cat(tuple(x[::step][:SAMPLE_COLUMNS]), dim=2) for x in (reference, target, output)]
        return torch.cat(rows, dim=1)


def lower_windows(frames: Tensor) -> Tensor:
    """Turn frames (5 N, 3, 96, 96), window by window, into lower halves (N, 15, 48, 96)."""
    lower = frames[:, :, FACE_PX // 2 :]
    return lower.reshape(-1, 3 * WINDOW_FRAMES, FACE_PX // 2, FACE_PX)


def as_frames(windows: Tensor) -> Tensor:
    """Turn levels of windows (N, 3 T, H, W) into frames (N T, 3, H, W) in 0...1, window by window."""
    return windows.reshape(-1, 3, *windows.shape[2:]) / 255
