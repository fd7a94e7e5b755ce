"""The tasks of the systems before Wav2Lip: LipGAN and the Speech2Vid-style baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lipsync_core.models import LipGANDiscriminator, LipGANGenerator, Speech2Vid
from lipsync_core.training import losses
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WindowSampler
from lipsync_core.training.tasks.base import Batch, Figures
from lipsync_core.training.tasks.generator import GeneratorTask, as_frames


class LipGANTask(GeneratorTask):
    """LipGAN: L1, and a discriminator that judges single frames against their sound.

    The discriminator learns that real pairs belong together and, by a fair coin, that generated faces do not,
    or that real ones under another clip's sound do not. With ``opponent_steps: joint`` both of its terms are
    one step beside the network's, from the same pass. With ``first``, as published, each is a step of its own
    before the network's: first what is wrong, with faces predicted in evaluation mode, then the real pairs.
    """

    n_opponent_turns = 2

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.network: LipGANGenerator = LipGANGenerator(config.width)
        self.discriminator = LipGANDiscriminator(config.discriminator_width or config.width)
        self.opponent: nn.Module | None = self.discriminator
        self._fakes: Tensor | None = None

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the image loss plus the weighted distance that the discriminator sees."""
        output, target, reference = self.generate(batch)
        image, figures = self.image_loss(output, target, reference)
        self._fakes = output.detach()
        distance = self.discriminator(batch["mels"].flatten(0, 1), output)
        contrastive = losses.contrastive_loss(distance, unsynced=False)
        figures |= {"contrastive": contrastive.item()}
        return image + self.config.contrastive_weight * contrastive, figures

    def opponent_loss(self, batch: Batch) -> tuple[Tensor, Figures]:
        """Return the contrastive loss on real pairs plus that on fakes or on rolled sounds."""
        assert self._fakes is not None
        wrong, figures = self._wrong_loss(batch, self._fakes)
        right, more = self._right_loss(batch)
        loss = right + wrong
        return loss, {"discriminator": loss.item(), **more, **figures}

    def opponent_turn(self, batch: Batch, turn: int) -> tuple[Tensor, Figures]:
        """Return the contrastive loss on what is wrong, then that on real pairs."""
        if turn == 1:
            return self._right_loss(batch)
        with torch.no_grad():
            fakes = self.generate(batch)[0] if bool(batch["coin"][0]) else None
        return self._wrong_loss(batch, fakes)

    def _right_loss(self, batch: Batch) -> tuple[Tensor, Figures]:
        distance = self.discriminator(batch["mels"].flatten(0, 1), as_frames(batch["target"]))
        return losses.contrastive_loss(distance, unsynced=False), {"distance_real": distance.mean().item()}

    def _wrong_loss(self, batch: Batch, fakes: Tensor | None) -> tuple[Tensor, Figures]:
        """Return the loss on fakes or on rolled sounds, as the coin fell."""
        if bool(batch["coin"][0]):
            assert fakes is not None
            name, distance = "distance_fake", self.discriminator(batch["mels"].flatten(0, 1), fakes)
        else:
            sounds = batch["other_mels"].flatten(0, 1)
            name, distance = "distance_rolled", self.discriminator(sounds, as_frames(batch["target"]))
        loss = losses.contrastive_loss(distance, unsynced=True, margin=self.config.contrastive_margin)
        return loss, {name: distance.mean().item()}


class Speech2VidTask(GeneratorTask):
    """Speech2Vid-style baseline: L1 from one unmasked still, which gives no hint of the target's pose."""

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.network: Speech2Vid = Speech2Vid(config.width)

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the image loss."""
        output, target, reference = self.generate(batch)
        return self.image_loss(output, target, reference)
