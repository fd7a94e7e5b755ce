"""Building blocks shared by the published lip-sync networks.

State-dict names (``conv_block.0`` is the convolution, ``conv_block.1`` its batch norm) are a file
format: checkpoints published for Wav2Lip carry them, so they are never renamed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNEL_STEP = 8  # channel counts stay multiples of eight, which CPUs and GPUs vectorise well


def scaled_channels(channels: int, width: float) -> int:
    """Return the published channel count times ``width``, rounded to a multiple of eight (at least 8).

    Raises:
        ValueError: ``width`` is not a positive number.
    """
    if not width > 0:
        raise ValueError(f"width must be positive, got {width!r}; 1.0 gives the published network")
    return max(CHANNEL_STEP, round(channels * width / CHANNEL_STEP) * CHANNEL_STEP)


class ConvUnit(nn.Module):
    """Convolution, batch norm, optional residual addition, ReLU.

    The addition happens before the activation and there is no second convolution: this differs from
    the textbook residual unit and is what the published weights expect (Wav2Lip ``models/conv.py``).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int | tuple[int, int] = 1,
        padding: int = 0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding), nn.BatchNorm2d(out_channels)
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H', W'), all values >= 0."""
        out: Tensor = self.conv_block(x)
        if self.residual:
            out = out + x
        return torch.relu(out)


class DeconvUnit(nn.Module):
    """Transposed convolution, batch norm, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, padding: int, output_padding: int
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ConvTranspose2d(in_channels, out_channels, 3, stride, padding, output_padding),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H', W'), all values >= 0."""
        return torch.relu(self.conv_block(x))


def residual_units(channels: int, count: int) -> list[nn.Module]:
    """Return ``count`` residual 3x3 units that keep shape and channel count."""
    return [ConvUnit(channels, channels, 3, 1, 1, residual=True) for _ in range(count)]


def mel_encoder(width: float, deep_residuals: int) -> nn.Sequential:
    """Return the audio branch, (N, 1, 80, 16) to (N, 512 * width, 1, 1).

    Args:
        width: channel multiplier, 1.0 is the published network.
        deep_residuals: residual units at 256 channels; 1 in the generator, 2 in the expert.
    """
    c32, c64, c128, c256, c512 = (scaled_channels(c, width) for c in (32, 64, 128, 256, 512))
    return nn.Sequential(
        ConvUnit(1, c32, 3, 1, 1),
        *residual_units(c32, 2),
        ConvUnit(c32, c64, 3, (3, 1), 1),
        *residual_units(c64, 2),
        ConvUnit(c64, c128, 3, 3, 1),
        *residual_units(c128, 2),
        ConvUnit(c128, c256, 3, (3, 2), 1),
        *residual_units(c256, deep_residuals),
        ConvUnit(c256, c512, 3, 1, 0),
        ConvUnit(c512, c512, 1, 1, 0),
    )
