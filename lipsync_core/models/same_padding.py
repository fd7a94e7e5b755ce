"""Convolutions with TensorFlow's ``"same"`` padding, which LipGAN was designed with.

TensorFlow gives ``ceil(n / stride)`` outputs and puts the odd pixel of padding **after** the picture, so a
strided convolution is shifted against PyTorch's symmetric padding: kernel 3, stride 2 pads 0 before and 1
after. Its transposed convolution is the gradient of that: ``n * stride`` outputs, the surplus cut off at
the end. PyTorch's ``padding=1, output_padding=1`` is not equal.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels ``"same"`` adds before and after an axis of ``size`` pixels."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution with ``"same"`` padding for any stride.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: side of the square kernel.
        stride: one number, or one for height and width.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int | tuple[int, int] = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, ceil(H / stride), ceil(W / stride))."""
        top, bottom = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        if top == bottom and left == right:  # the convolution pads by itself, which saves a copy
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution with ``"same"`` padding.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: side of the square kernel, at least ``stride``.
        stride: by which height and width grow.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H * stride, W * stride)."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        before = max(kernel - stride, 0) // 2
        height, width = x.shape[2] * stride, x.shape[3] * stride
        out = F.conv_transpose2d(x, self.weight, self.bias, self.stride)
        return out[:, :, before : before + height, before : before + width]
