"""Visual-quality discriminator: tells generated lower faces from real ones.

Source: Prajwal et al., "A Lip Sync Expert Is All You Need", ACM MM 2020, section 3.4; layer table from the
published code (Rudrabha/Wav2Lip, ``Wav2Lip_disc_qual``), whose state dict this class shares key for key.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.models.layers import scaled_channels

LEAK = 0.01  # the slope below zero with which the published weights were trained


class VisualQualityDiscriminator(nn.Module):
    """Convolutions without any normalisation, one probability for every frame.

    Args:
        width: channel multiplier; 1.0 is the published network (14,113,793 parameters, 28 tensors).
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        c = {n: scaled_channels(n, width) for n in (32, 64, 128, 256, 512)}
        self.face_encoder_blocks = nn.ModuleList(
            [
                nn.Sequential(LeakyUnit(3, c[32], 7, 1, 3)),
                _down(c[32], c[64], 5, (1, 2)),
                _down(c[64], c[128], 5, 2),
                _down(c[128], c[256], 5, 2),
                _down(c[256], c[512], 3, 2),
                _down(c[512], c[512], 3, 2),
                nn.Sequential(LeakyUnit(c[512], c[512], 3, 1, 0), LeakyUnit(c[512], c[512], 1, 1, 0)),
            ]
        )
        self.binary_pred = nn.Sequential(nn.Conv2d(c[512], 1, 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the probability that each frame is real.

        Args:
            frames: (N, 3, T, 96, 96), BGR in 0...1, whole faces; only the lower half is looked at.

        Returns:
            (T * N, 1) in 0...1, time-major: all samples of the first frame, then of the second.
        """
        return torch.sigmoid(self.logits(frames))

    def logits(self, frames: Tensor) -> Tensor:
        """Return what `forward` gives before the sigmoid, for losses that take logits."""
        if frames.dim() != 5:
            raise ValueError(f"frames has shape {tuple(frames.shape)}; give (N, 3, T, 96, 96)")
        x = torch.cat(frames.unbind(2), dim=0)
        x = x[:, :, x.shape[2] // 2 :]
        for block in self.face_encoder_blocks:
            x = block(x)
        return torch.as_tensor(self.binary_pred(x)).flatten(1)


class LeakyUnit(nn.Module):
    """Convolution and leaky ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int | tuple[int, int], padding: int
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel, stride, padding))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to (N, C_out, H', W')."""
        return F.leaky_relu(self.conv_block(x), LEAK)


def _down(c_in: int, c_out: int, kernel: int, stride: int | tuple[int, int]) -> nn.Sequential:
    padding = kernel // 2
    return nn.Sequential(
        LeakyUnit(c_in, c_out, kernel, stride, padding), LeakyUnit(c_out, c_out, kernel, 1, padding)
    )
