"""Wav2Lip generator: mel window and masked face in, talking face out.

Source: Prajwal et al., "A Lip Sync Expert Is All You Need", ACM MM 2020, section 3.3; layer table from
the published code (Rudrabha/Wav2Lip, ``models/wav2lip.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lipsync_core.models.layers import ConvUnit, DeconvUnit, mel_encoder, residual_units, scaled_channels

FACE_SIZE_PX = 96
MEL_BANDS = 80
MEL_WINDOW_COLUMNS = 16  # 200 ms at 80 mel columns a second


class Wav2Lip(nn.Module):
    """U-Net that redraws the lower half of a face to match 200 ms of speech.

    Args:
        width: channel multiplier; 1.0 is the published network (36,298,035 parameters), whose
            state dict this class shares key for key.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        c = {n: scaled_channels(n, width) for n in (16, 32, 64, 128, 256, 384, 512)}
        self.face_encoder_blocks = _face_encoder(c)
        self.audio_encoder = mel_encoder(width, deep_residuals=1)
        self.face_decoder_blocks = _face_decoder(c)
        self.output_block = nn.Sequential(
            ConvUnit(c[64] + c[16], c[32], 3, 1, 1), nn.Conv2d(c[32], 3, 1), nn.Sigmoid()
        )

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Generate faces.

        Args:
            mel: (N, 1, 80, 16), or (N, T, 1, 80, 16), normalised mel in -4...4.
            faces: (N, 6, 96, 96), or (N, 6, T, 96, 96), BGR in 0...1; channels 0-2 are the target
                face with its lower half (rows >= 48) zero, channels 3-5 the reference face.

        Returns:
            (N, 3, 96, 96), or (N, 3, T, 96, 96), BGR in 0...1.

        Raises:
            ValueError: ``faces`` has neither 4 nor 5 dimensions.
        """
        if faces.dim() == 4:
            return self._generate(mel, faces)
        if faces.dim() != 5:
            raise ValueError(
                f"faces has shape {tuple(faces.shape)}; give (N, 6, 96, 96) or (N, 6, T, 96, 96)"
            )
        n_steps = faces.shape[2]
        flat_mel = torch.cat(mel.unbind(1), dim=0)  # time-major, like the published code
        flat_faces = torch.cat(faces.unbind(2), dim=0)
        out = self._generate(flat_mel, flat_faces)
        return torch.stack(out.chunk(n_steps, dim=0), dim=2)

    def _generate(self, mel: Tensor, faces: Tensor) -> Tensor:
        x: Tensor = self.audio_encoder(mel)
        skips: list[Tensor] = []
        for block in self.face_encoder_blocks:
            faces = block(faces)
            skips.append(faces)
        for block in self.face_decoder_blocks:
            x = torch.cat((block(x), skips.pop()), dim=1)
        out: Tensor = self.output_block(x)
        return out


def _face_encoder(c: dict[int, int]) -> nn.ModuleList:
    """Return seven blocks that take (N, 6, 96, 96) down to (N, 512 * width, 1, 1)."""

    def down(c_in: int, c_out: int, residuals: int) -> nn.Sequential:
        return nn.Sequential(ConvUnit(c_in, c_out, 3, 2, 1), *residual_units(c_out, residuals))

    return nn.ModuleList(
        [
            nn.Sequential(ConvUnit(6, c[16], 7, 1, 3)),
            down(c[16], c[32], 2),
            down(c[32], c[64], 3),
            down(c[64], c[128], 2),
            down(c[128], c[256], 2),
            down(c[256], c[512], 1),
            nn.Sequential(ConvUnit(c[512], c[512], 3, 1, 0), ConvUnit(c[512], c[512], 1, 1, 0)),
        ]
    )


def _face_decoder(c: dict[int, int]) -> nn.ModuleList:
    """Return seven blocks; each one's output is joined with the encoder's map of the same size."""

    def up(c_in: int, c_out: int, residuals: int) -> nn.Sequential:
        return nn.Sequential(DeconvUnit(c_in, c_out, 2, 1, 1), *residual_units(c_out, residuals))

    return nn.ModuleList(
        [
            nn.Sequential(ConvUnit(c[512], c[512], 1, 1, 0)),
            nn.Sequential(DeconvUnit(2 * c[512], c[512], 1, 0, 0), *residual_units(c[512], 1)),
            up(2 * c[512], c[512], 2),
            up(c[512] + c[256], c[384], 2),
            up(c[384] + c[128], c[256], 2),
            up(c[256] + c[64], c[128], 2),
            up(c[128] + c[32], c[64], 2),
        ]
    )
