"""What the training loop knows of a task: batches with names, networks, switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import PreparedClips, WindowSampler

FACE_PX = 96
HEAD_PX = 224
CPU = torch.device("cpu")
Rng = np.random.Generator
Figures = dict[str, float]
Array = npt.NDArray[Any]


@dataclass
class Batch:
    """Tensors of one step, and where each of their rows was cut out.

    Attributes:
        tensors: all of the same length along the first axis.
        ids: one text per row, clip names and first frames, for the report of a step that went wrong.
    """

    tensors: dict[str, Tensor]
    ids: list[str]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        moved = {name: value.to(device, non_blocking=True) for name, value in self.tensors.items()}
        return Batch(moved, self.ids)

    def parts(self, count: int) -> Iterator[Batch]:
        """Yield ``count`` parts of equal length."""
        size = len(self.ids) // count
        for first in range(0, size * count, size):
            rows = slice(first, first + size)
            yield Batch({name: value[rows] for name, value in self.tensors.items()}, self.ids[rows])


@dataclass(frozen=True)
class Source:
    """Where batches come from: a sampler, and the configuration whose augmentation holds for it."""

    sampler: WindowSampler
    config: TrainConfig

    @property
    def data(self) -> PreparedClips:
        """The prepared clips."""
        return self.sampler.data


class Task:
    """A network, its batches and its loss; what is not overridden does nothing.

    Attributes:
        network: what is trained and exported.
        extra: what is learnt beside the network, by the same optimiser, and not exported.
        opponent: what is trained against the network by an optimiser of its own, or None.
        judge: frozen network that a loss looks through, or None.
        n_opponent_turns: own steps of the opponent before each of the network, if the configuration wants
            them.
    """

    network: nn.Module
    extra: nn.Module
    opponent: nn.Module | None = None
    judge: nn.Module | None = None
    n_opponent_turns: int = 0

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        self.config, self.sampler = config, sampler
        plain = replace(
            config, geometry_strength=0.0, colour_strength=0.0, sound_strength=0.0, blur_reference_share=0.0
        )
        self.training = Source(sampler, config)
        self.held_out = Source(held_out, plain) if held_out is not None else None
        self.extra = nn.Identity()

    def begin(self) -> None:
        """Prepare the network for a new run, after any weights of an earlier phase were loaded."""

    def draw(self, rng: Rng, device: torch.device = CPU) -> Batch:
        """Draw one batch for training (may run in a thread of its own), augmented on ``device``."""
        return self.draw_from(self.training, rng, device)

    def draw_held_out(self, rng: Rng, device: torch.device = CPU) -> Batch:
        """Draw one batch of held-out clips, without augmentation."""
        if self.held_out is None:
            raise ValueError("no clips are held out: val_clips is 0")
        return self.draw_from(self.held_out, rng, device)

    def draw_from(self, source: Source, rng: Rng, device: torch.device) -> Batch:
        """Draw one batch onto ``device``."""
        raise TypeError(f"{type(self).__name__} draws no batches")

    def begin_step(self, step: int, progress: float) -> None:
        """Set what depends on how far the run is: ``step`` done, share ``progress`` of the schedule."""

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the loss and the figures to print; ``progress`` is the share of the run done."""
        raise TypeError(f"{type(self).__name__} has no loss")

    def opponent_loss(self, batch: Batch) -> tuple[Tensor, Figures]:
        """Return the opponent's loss on the batch that `loss` has just seen."""
        raise TypeError(f"{type(self).__name__} has no opponent")

    def opponent_turn(self, batch: Batch, turn: int) -> tuple[Tensor, Figures]:
        """Return the opponent's loss in one of its own steps, before the network's; `loss` comes later.

        The network is in evaluation mode.
        """
        raise TypeError(f"{type(self).__name__} has no opponent with steps of its own")

    def validated(self, figures: Figures) -> None:
        """Hear of the mean figures on held-out clips."""

    def switches(self) -> dict[str, bool]:
        """Return what has been switched on; stored in the checkpoint."""
        return {}

    def set_switches(self, switches: dict[str, bool]) -> None:
        """Go on with the switches of a checkpoint."""

    def samples(self, batch: Batch) -> Tensor | None:
        """Return (3, H, W) BGR in 0...1, a grid of examples to look at, if there is something to see."""
        return None

    def modules(self) -> list[nn.Module]:
        """Return every network of the task."""
        return [m for m in (self.network, self.extra, self.opponent, self.judge) if m is not None]


def frame_major(windows: Array) -> Array:
    """Turn (T, H, W, 3) into (3 T, H, W), t0 B, G, R, t1 B, ..."""
    frames: Array = windows.transpose(0, 3, 1, 2).reshape(-1, *windows.shape[1:3])
    return frames


def stacked(arrays: list[Array], device: torch.device = CPU) -> Tensor:
    """Return arrays of equal shape as one tensor."""
    return torch.from_numpy(np.stack(arrays)).to(device)


def top1(similarity: Tensor) -> float:
    """Return how often the diagonal of (C, K, K) is the best of its row."""
    best = similarity.argmax(dim=-1)
    return (best == torch.arange(similarity.shape[-1], device=best.device)).float().mean().item()
