"""The tasks of the systems before Wav2Lip: LipGAN and the Speech2Vid-style baseline."""

from __future__ import annotations

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
    or that real ones under another clip's sound do not. Both of its terms are one optimiser step here; the
    published script makes two of them.
    """

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
        mels, real, fooled = batch["mels"].flatten(0, 1), as_frames(batch["target"]), bool(batch["coin"][0])
        own = self.discriminator(mels, real)
        if fooled:
            other = self.discriminator(mels, self._fakes)
        else:
            other = self.discriminator(batch["other_mels"].flatten(0, 1), real)
        margin = self.config.contrastive_margin
        loss = losses.contrastive_loss(own, unsynced=False)
        loss = loss + losses.contrastive_loss(other, unsynced=True, margin=margin)
        name = "distance_fake" if fooled else "distance_rolled"
        figures = {"distance_real": own.mean().item(), name: other.mean().item()}
        return loss, {"discriminator": loss.item(), **figures}


class Speech2VidTask(GeneratorTask):
    """Speech2Vid-style baseline: L1 from one unmasked still, which gives no hint of the target's pose."""

    def __init__(self, config: TrainConfig, sampler: WindowSampler, held_out: WindowSampler | None) -> None:
        super().__init__(config, sampler, held_out)
        self.network: Speech2Vid = Speech2Vid(config.width)

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the image loss."""
        output, target, reference = self.generate(batch)
        return self.image_loss(output, target, reference)
