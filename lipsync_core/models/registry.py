"""What every kind of network is: how it is built, recognised and fed.

To add a network, write its class and add its entry to `KINDS`: loading by name or file, look-up of weights,
export metadata and, for a generator, inference follow from the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from lipsync_core.models.lipgan import MEL_WINDOW_COLUMNS as LIPGAN_MEL_COLUMNS
from lipsync_core.models.lipgan import LipGANDiscriminator, LipGANGenerator
from lipsync_core.models.lipsync_expert import LipSyncExpert
from lipsync_core.models.speech2vid import MEL_WINDOW_COLUMNS as SPEECH2VID_MEL_COLUMNS
from lipsync_core.models.speech2vid import Speech2Vid
from lipsync_core.models.syncnet import SyncNet
from lipsync_core.models.visual_quality import VisualQualityDiscriminator
from lipsync_core.models.wav2lip import MEL_WINDOW_COLUMNS as WAV2LIP_MEL_COLUMNS
from lipsync_core.models.wav2lip import Wav2Lip

WIDTH_CHANNELS = 512  # channels of `ModelKind.width_key` at width 1
_EXPERT_FIRST_KERNEL = "face_encoder.0.conv_block.0.weight"

FacePart = Literal["masked", "reference"]
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class GeneratorInputs:
    """What a generator takes.

    Attributes:
        faces: pictures of three channels each, in the order in which they are joined: the target with its
            lower half blank (``"masked"``) and a whole face of the same person (``"reference"``).
        mel_columns: width of the mel window.
    """

    faces: tuple[FacePart, ...]
    mel_columns: int


@dataclass(frozen=True)
class ModelKind:
    """One kind of network.

    Attributes:
        name: as in configurations and in the metadata of weights.
        build: constructor; takes ``width`` and what ``options`` returns.
        width_key: tensor of the state dict whose first axis is 512 channels times the width.
        also_has: a tensor that, together with ``width_key``, is in the state dict of no other network.
        generator: how it is fed if it makes faces; None for a network that judges.
        options: further constructor arguments, read off the tensors' shapes.
    """

    name: str
    build: Callable[..., nn.Module]
    width_key: str
    also_has: str
    generator: GeneratorInputs | None = None
    options: Callable[[State], dict[str, int]] = lambda _: {}

    def fits(self, state: State) -> bool:
        """Say whether a state dict has this network's own names (it may still be incomplete)."""
        return self.width_key in state and self.also_has in state

    def inferred_width(self, state: State) -> float:
        """Return the width that the shapes tell; 0 for a tensor without axes."""
        shape = state[self.width_key].shape
        return shape[0] / WIDTH_CHANNELS if shape else 0.0


def _expert_options(state: State) -> dict[str, int]:
    kernel = state.get(_EXPERT_FIRST_KERNEL)
    return {"window_frames": kernel.shape[1] // 3} if kernel is not None and kernel.dim() == 4 else {}


_WAV2LIP = ModelKind(
    "wav2lip",
    Wav2Lip,
    width_key="face_encoder_blocks.5.0.conv_block.0.weight",
    also_has="face_decoder_blocks.0.0.conv_block.0.weight",
    generator=GeneratorInputs(("masked", "reference"), WAV2LIP_MEL_COLUMNS),
)

_ALL = (
    _WAV2LIP,
    # The same network, trained against the discriminator too.
    ModelKind("wav2lip_gan", Wav2Lip, _WAV2LIP.width_key, _WAV2LIP.also_has, _WAV2LIP.generator),
    ModelKind(
        "lipgan",
        LipGANGenerator,
        width_key="face_encoder.4.0.conv_block.0.weight",
        also_has="mel_encoder.5.conv_block.0.weight",
        generator=GeneratorInputs(("reference", "masked"), LIPGAN_MEL_COLUMNS),
    ),
    ModelKind(
        "speech2vid",
        Speech2Vid,
        width_key="identity_encoder.6.conv_block.0.weight",
        also_has="speech_encoder.4.conv_block.0.weight",
        generator=GeneratorInputs(("reference",), SPEECH2VID_MEL_COLUMNS),
    ),
    ModelKind(
        "lipsync_expert",
        LipSyncExpert,
        width_key="face_encoder.11.conv_block.0.weight",
        also_has="audio_encoder.13.conv_block.0.weight",
        options=_expert_options,
    ),
    ModelKind("syncnet", SyncNet, width_key="netfclip.0.weight", also_has="netcnnaud.0.weight"),
    ModelKind(
        "visual_quality",
        VisualQualityDiscriminator,
        width_key="face_encoder_blocks.5.0.conv_block.0.weight",
        also_has="binary_pred.0.weight",
    ),
    ModelKind(
        "lipgan_discriminator",
        LipGANDiscriminator,
        width_key="face_branch.5.weight",
        also_has="mel_branch.5.weight",
    ),
)

KINDS: dict[str, ModelKind] = {kind.name: kind for kind in _ALL}
"""All kinds by name. Of kinds with the same tensors the first is what an unlabelled file is taken for."""


def recognised(state: State) -> ModelKind | None:
    """Return the kind whose tensors these are; None if no network has such names."""
    return next((kind for kind in KINDS.values() if kind.fits(state)), None)


def kind_of(network: nn.Module) -> str | None:
    """Return the kind of a network by its class, or None; ``"wav2lip"`` for either kind of Wav2Lip."""
    return next((name for name, kind in KINDS.items() if type(network) is kind.build), None)


def same_network(one: str, other: str) -> bool:
    """Say whether weights of one kind fill the network of the other."""
    return KINDS[one].build is KINDS[other].build


def described(kind: str, network: nn.Module, *, mel_offset_frames: float | None = None) -> dict[str, str]:
    """Return the metadata that a weights file carries so that it can be read without being told its kind.

    Args:
        kind: a name in `KINDS`.
        network: the network that is written; its ``width`` and ``window_frames`` are noted.
        mel_offset_frames: alignment a generator was trained with (see `lipsync_core.audio.mel_window_start`).
    """
    metadata = {"kind": KINDS[kind].name, "width": str(network.width)}
    if isinstance(network, LipSyncExpert):
        metadata["window_frames"] = str(network.window_frames)
    if mel_offset_frames is not None:
        metadata["mel_offset_frames"] = str(float(mel_offset_frames))
    return metadata
