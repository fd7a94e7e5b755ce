"""Speech2Vid-style baseline: one still face and speech in, talking face out.

Source: Chung, Jamaludin and Zisserman, "You said that?", BMVC 2017, as described in the Wav2Lip author's
thesis: encoder-decoder, no pose prior, two skip connections, L1 loss. The paper's exact layers could not be
had, so the layer table is this package's: LipGAN's resolutions, without residual units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lipsync_core.models.layers import ConvUnit, DeconvUnit, scaled_channels

MEL_WINDOW_COLUMNS = 27  # 337.5 ms at 80 mel columns a second, the paper's 0.35 s
_FIRST_SKIP, _LAST_SKIP = 2, 3  # encoder blocks whose maps (24x24, 12x12) the decoder sees


class Speech2Vid(nn.Module):
    """Encoder-decoder that draws a face from an unmasked still of it, whatever the pose of the target.

    It has no pose prior: the output keeps the still's pose, so pasting it back fits only where the head is
    as it was in the still.

    Args:
        width: channel multiplier of all layers.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        c = {n: scaled_channels(n, width) for n in (32, 64, 128, 256, 512)}
        self.identity_encoder = nn.ModuleList(
            [
                ConvUnit(3, c[32], 7, 1, 3),
                ConvUnit(c[32], c[64], 5, 2, 2),
                ConvUnit(c[64], c[128], 3, 2, 1),
                ConvUnit(c[128], c[256], 3, 2, 1),
                ConvUnit(c[256], c[512], 3, 2, 1),
                ConvUnit(c[512], c[512], 3, 2, 1),
                ConvUnit(c[512], c[512], 3, 1, 0),
            ]
        )
        self.speech_encoder = nn.Sequential(
            ConvUnit(1, c[64], 3, 1, 1),
            ConvUnit(c[64], c[128], 3, 3, 1),
            ConvUnit(c[128], c[256], 3, (3, 1), 1),
            ConvUnit(c[256], c[512], 3, 3, 1),
            ConvUnit(c[512], c[512], 3, 1, 0),
        )
        self.decoder = nn.ModuleList(
            [
                DeconvUnit(2 * c[512], c[512], 1, 0, 0),
                DeconvUnit(c[512], c[512], 2, 1, 1),
                DeconvUnit(c[512], c[256], 2, 1, 1),
                DeconvUnit(2 * c[256], c[128], 2, 1, 1),
                DeconvUnit(2 * c[128], c[64], 2, 1, 1),
                DeconvUnit(c[64], c[32], 2, 1, 1),
            ]
        )
        self.picture = nn.Sequential(ConvUnit(c[32], c[32], 3, 1, 1), nn.Conv2d(c[32], 3, 1), nn.Sigmoid())

    def forward(self, mel: Tensor, identity: Tensor) -> Tensor:
        """Generate faces.

        Args:
            mel: (N, 1, 80, 27), normalised mel in -4...4.
            identity: (N, 3, 96, 96), BGR in 0...1, the whole face, not masked.

        Returns:
            (N, 3, 96, 96), BGR in 0...1.
        """
        skips: dict[int, Tensor] = {}
        x = identity
        for number, unit in enumerate(self.identity_encoder):
            x = unit(x)
            if number in (_FIRST_SKIP, _LAST_SKIP):
                skips[x.shape[2]] = x
        x = torch.cat((self.speech_encoder(mel), x), dim=1)
        for unit in self.decoder:
            x = unit(x)
            if x.shape[2] in skips:
                x = torch.cat((x, skips[x.shape[2]]), dim=1)
        return torch.as_tensor(self.picture(x))
