"""Building blocks of LipGAN as its Keras code has them.

TensorFlow ``"same"`` padding, batch norm with eps 1e-3 and Keras momentum 0.8, instance norm of keras_contrib
with ``axis=None`` (Rudrabha/LipGAN, branch ``fully_pythonic``).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.models.same_padding import SameConv2d, SameConvTranspose2d

NORM_EPS = 1e-3
NORM_MOMENTUM = 0.2  # of the new batch; Keras counts the share that stays, 0.8
LEAK = 0.2

Stride = int | tuple[int, int]


class SameUnit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: Stride = 1) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            SameConv2d(in_channels, out_channels, kernel, stride), _batch_norm(out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, ceil(H / stride), ceil(W / stride)), all values >= 0."""
        return torch.relu(self.conv_block(x))


class ValidUnit(nn.Module):
    """Convolution without padding, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel), _batch_norm(out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H - kernel + 1, W - kernel + 1), all values >= 0."""
        return torch.relu(self.conv_block(x))


class ResidualUnit(nn.Module):
    """Two convolutions, both with batch norm and ReLU, plus the input, then ReLU again."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.units = nn.Sequential(SameUnit(channels, channels, 3), SameUnit(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (N, C, H, W); all values >= 0."""
        return torch.relu(self.units(x) + x)


class UpUnit(nn.Module):
    """Transposed convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            SameConvTranspose2d(in_channels, out_channels, 3, stride), _batch_norm(out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H * stride, W * stride), all values >= 0."""
        return torch.relu(self.conv_block(x))


class WholeNorm(nn.Module):
    """Normalises each sample over channels, height and width, with one scale and one shift in all.

    The deviation is biased and eps is added to it, not to the variance: instance norm of keras_contrib with
    ``axis=None``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (N, C, H, W)."""
        variance, mean = torch.var_mean(x, dim=(1, 2, 3), correction=0, keepdim=True)
        return (x - mean) / (variance.sqrt() + NORM_EPS) * self.weight + self.bias


class LeakyNormUnit(nn.Module):
    """Convolution, `WholeNorm`, leaky ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: Stride, same: bool = True
    ) -> None:
        super().__init__()
        convolution = (SameConv2d if same else nn.Conv2d)(in_channels, out_channels, kernel, stride)
        self.conv_block = nn.Sequential(convolution, WholeNorm())

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H', W')."""
        return F.leaky_relu(self.conv_block(x), LEAK)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=NORM_MOMENTUM)
