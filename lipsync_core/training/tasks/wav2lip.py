"""The tasks of Wav2Lip: judged by the lip-sync expert, and by the visual-quality discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lipsync_core.models import LipSyncExpert, VisualQualityDiscriminator, Wav2Lip
from lipsync_core.models.lipsync_expert import expert_frames
from lipsync_core.training import losses
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import WindowSampler
from lipsync_core.training.tasks.base import Batch, Figures
from lipsync_core.training.tasks.generator import GeneratorTask, as_frames, lower_windows

_EXPERT_ONLY_AUDIO_LAYER = 11
_SYNC = "sync"


class Wav2LipTask(GeneratorTask):
    """Wav2Lip generator: image loss, and the sync loss of a frozen (or fine-tuned) expert.

    The expert may see 5, 3 or 1 frames: the central ones of the five generated, with the same sound.
    """

    def __init__(
        self,
        config: TrainConfig,
        sampler: WindowSampler,
        held_out: WindowSampler | None,
        expert: LipSyncExpert | None,
    ) -> None:
        super().__init__(config, sampler, held_out)
        self.network: Wav2Lip = Wav2Lip(config.width)
        self.expert = expert
        self.needs_sync_mel = expert is not None and config.uses_expert
        self.sync_on = False
        self._fakes: Tensor | None = None
        if expert is None:
            return
        if config.finetune_expert and config.uses_expert:
            self.opponent = expert
        else:
            self.judge = expert.requires_grad_(False)
        expert.train(config.expert_mode == "train")

    def begin(self) -> None:
        """Take over the expert's audio layers if configured: they know visemes already."""
        if self.config.audio_from_expert and self.expert is not None:
            copy_audio_encoder(self.expert, self.network)

    def begin_step(self, step: int, progress: float) -> None:
        """Switch the expert on when its time has come."""
        c = self.config
        due = {
            "progress": progress >= c.sync_start_progress,
            "step": step >= c.sync_start_step,
            "eval": False,
        }
        self.sync_on = self.sync_on or due[c.sync_switch]

    def validated(self, figures: Figures) -> None:
        """Switch the expert on, for good, once its loss on held-out clips is low enough."""
        below = figures.get(_SYNC, float("inf")) < self.config.sync_eval_threshold
        if self.config.sync_switch == "eval" and below:
            self.sync_on = True

    def switches(self) -> dict[str, bool]:
        """Return whether the expert is on."""
        return {_SYNC: self.sync_on}

    def set_switches(self, switches: dict[str, bool]) -> None:
        """Go on with the expert on or off."""
        self.sync_on = switches.get(_SYNC, False)

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, Figures]:
        """Return the image loss, and the expert's losses once they are switched on.

        In validation the expert's figures are computed in any case: they decide about the switch.
        """
        output, target, reference = self.generate(batch)
        image, figures = self.image_loss(output, target, reference)
        # Judges see the true face around the generated mouth: else the generator learns to please them with
        # dark smears on the cheek instead of with lips.
        seen = torch.lerp(target, output, self.mouth) if self.config.judge_mouth_only else output
        self._fakes = seen.detach()
        judged, weight = output.new_zeros(()), 0.0
        if self.needs_sync_mel and (self.sync_on or not self.network.training):
            judged, more = self._sync_losses(batch, seen, target)
            figures |= more
            weight = self.config.sync_weight
        adversarial, more = self.adversarial(seen)
        figures |= more
        if more:
            weight += self.config.adversarial_weight
        share = 1.0 - weight if self.config.image_share == "remainder" else 1.0
        return share * image + judged + adversarial, figures

    def adversarial(self, seen: Tensor) -> tuple[Tensor, Figures]:
        """Return the discriminator's loss on generated frames: none here."""
        return seen.new_zeros(()), {}

    def _sync_losses(self, batch: Batch, seen: Tensor, target: Tensor) -> tuple[Tensor, Figures]:
        c, expert = self.config, self.expert
        assert expert is not None
        with torch.no_grad():
            heard = expert.embed_audio(batch["sync_mel"])
        windows = self._windows(seen)
        said = expert.embed_faces(windows)
        sync, contrast = losses.sync_loss(heard, said), losses.sync_contrast(heard, said)
        judged = c.sync_weight * sync + c.contrast_weight * contrast
        figures = {_SYNC: sync.item(), "contrast": contrast.item()}
        if c.feature_weight:
            feature = losses.feature_loss(expert, windows, self._windows(target))
            judged = judged + c.feature_weight * feature
            figures["feature"] = feature.item()
        return judged, figures

    def _windows(self, frames: Tensor) -> Tensor:
        """Return the lower halves (N, 3 T_v, 48, 96) that the expert looks at."""
        assert self.expert is not None
        shown = expert_frames(self.expert.window_frames)
        return lower_windows(frames)[:, 3 * shown.start : 3 * shown.stop]

    def opponent_loss(self, batch: Batch) -> tuple[Tensor, Figures]:
        """Return the fine-tuned expert's loss: real pairs are in sync, fakes or wrong sounds are not.

        As LipGAN's discriminator: a fair coin chooses between generated mouths and real ones under the sound
        of another clip.
        """
        expert, fakes = self.expert, self._fakes
        assert expert is not None
        assert fakes is not None
        real = self._windows(as_frames(batch["target"]))
        fooled = bool(batch["coin"][0])
        faces = self._windows(fakes) if fooled else real
        mel = batch["sync_mel"] if fooled else batch["other_sync_mel"]
        audio, face = expert(torch.cat((batch["sync_mel"], mel)), torch.cat((real, faces)))
        cosine = (audio.float() * face.float()).sum(dim=1)
        label = torch.cat((cosine.new_ones(len(real)), cosine.new_zeros(len(real))))
        loss = losses.labelled_bce(cosine, label)
        own, other = cosine.detach().chunk(2)
        wrong = {"expert_fake" if fooled else "expert_rolled": other.mean().item()}
        return loss, {"expert_bce": loss.item(), "expert_real": own.mean().item(), **wrong}


class Wav2LipGANTask(Wav2LipTask):
    """Wav2Lip with the visual-quality discriminator as opponent."""

    def __init__(
        self,
        config: TrainConfig,
        sampler: WindowSampler,
        held_out: WindowSampler | None,
        expert: LipSyncExpert | None,
    ) -> None:
        super().__init__(config, sampler, held_out, expert)
        self.discriminator = VisualQualityDiscriminator(config.discriminator_width or config.width)
        self.opponent: nn.Module | None = self.discriminator

    def adversarial(self, seen: Tensor) -> tuple[Tensor, Figures]:
        """Return the weighted adversarial loss."""
        c = self.config
        loss = losses.adversarial_loss(self.discriminator.logits(seen[:, :, None]), c.adversarial_loss)
        return c.adversarial_weight * loss, {"adversarial": loss.item()}

    def opponent_loss(self, batch: Batch) -> tuple[Tensor, Figures]:
        """Return the discriminator's loss on real frames and on those just generated."""
        assert self._fakes is not None
        real = self.discriminator.logits(as_frames(batch["target"])[:, :, None])
        fake = self.discriminator.logits(self._fakes[:, :, None])
        loss = losses.discriminator_loss(real, fake)
        figures = {"real": real.sigmoid().mean().item(), "fake": fake.sigmoid().mean().item()}
        return loss, {"discriminator": loss.item(), **figures}


def copy_audio_encoder(expert: LipSyncExpert, generator: Wav2Lip) -> None:
    """Copy the expert's audio layers into a generator of the same width.

    The expert has one residual unit more at 256 channels (its layer 11), which is left out.
    """
    layers = [layer for index, layer in enumerate(expert.audio_encoder) if index != _EXPERT_ONLY_AUDIO_LAYER]
    for source, target in zip(layers, generator.audio_encoder, strict=True):
        target.load_state_dict(source.state_dict())
