"""SyncNet v2, the network behind the sync metrics LSE-D and LSE-C.

Source: Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016; layer
table from the published code (joonson/syncnet_python, ``SyncNetModel.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.models.layers import scaled_channels

FEATURE_SIZE = 1024  # kept at every width, so that metrics see one feature format
SYNCNET_WINDOW_FRAMES = 5  # 200 ms at 25 frames a second
SYNCNET_WINDOW_MFCC = 20  # 200 ms at 100 MFCC columns a second
SYNCNET_FACE_SIZE_PX = 224


class SyncNet(nn.Module):
    """Two branches that embed 200 ms of face and of sound; distance measures how far they are off.

    Args:
        width: channel multiplier of the hidden layers; 1.0 is the published network (13,631,616
            parameters). The feature size stays 1024 at every width.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        self.netcnnaud = _audio_branch(width)
        self.netfcaud = _head(width)
        self.netfclip = _head(width)
        self.netcnnlip = _lip_branch(width)

    def forward_audio(self, mfcc: Tensor) -> Tensor:
        """Map MFCC windows (N, 1, 13, 20) to features (N, 1024), not normalised."""
        out: Tensor = self.netfcaud(self.netcnnaud(mfcc).flatten(1))
        return out

    def forward_lip(self, frames: Tensor) -> Tensor:
        """Map face windows (N, 3, 5, 224, 224), BGR in 0...255, to features (N, 1024), not normalised.

        The first convolution spans all five frames, so nothing is left of time behind it: every layer is
        run as its two-dimensional equal, which is several times faster on a CPU.
        """
        x = frames.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.netcnnlip:
            x = _run_flat(layer, x)
        out: Tensor = self.netfclip(x.flatten(1))
        return out

    def lip_maps(self, frames: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return what some layers of ``netcnnlip`` give for face windows (N, 3, 5, 224, 224), BGR in 0...255.

        Args:
            frames: see `forward_lip`.
            layers: positions in ``netcnnlip``, rising.

        Returns:
            One (N, C, H, W) map per layer; layers behind the last one are not run.
        """
        x = frames.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        maps = []
        for position, layer in enumerate(self.netcnnlip):
            if position > layers[-1]:
                break
            x = _run_flat(layer, x)
            if position in layers:
                maps.append(x)
        return maps


def _run_flat(layer: nn.Module, x: Tensor) -> Tensor:
    """Run one layer of the lip branch on (N, C, H, W), its time axis being of length one or merged with C."""
    if isinstance(layer, nn.Conv3d):
        kernel = layer.weight.flatten(1, 2)
        return F.conv2d(x, kernel, layer.bias, _spatial(layer.stride), _spatial(layer.padding))
    if isinstance(layer, nn.MaxPool3d):
        window, stride = _spatial(layer.kernel_size), _spatial(layer.stride)
        return F.max_pool2d(x, window, stride, _spatial(layer.padding))
    if isinstance(layer, nn.BatchNorm3d):
        return torch.as_tensor(layer(x.unsqueeze(2))).squeeze(2)
    return torch.as_tensor(layer(x))


def _spatial(size: int | str | Sequence[int]) -> tuple[int, int]:
    """Return height and width of a (time, height, width) layer setting, or of a single number."""
    if isinstance(size, str):
        raise TypeError(f"padding {size!r} has no size; the published layers use numbers")
    return (size, size) if isinstance(size, int) else (size[1], size[2])


def _head(width: float) -> nn.Sequential:
    hidden = scaled_channels(512, width)
    return nn.Sequential(
        nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, FEATURE_SIZE)
    )


def _audio_branch(width: float) -> nn.Sequential:
    """Return (N, 1, 13, 20) to (N, 512 * width, 1, 1); list positions are the published key numbers."""
    c64, c192, c256, c384, c512 = (scaled_channels(n, width) for n in (64, 192, 256, 384, 512))

    def conv(c_in: int, c_out: int, kernel: int | tuple[int, int] = 3, padding: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(c_in, c_out, kernel, padding=padding), nn.BatchNorm2d(c_out), nn.ReLU()]

    return nn.Sequential(
        *conv(1, c64),
        nn.MaxPool2d(1, 1),
        *conv(c64, c192),
        nn.MaxPool2d(3, (1, 2)),
        *conv(c192, c384),
        *conv(c384, c256),
        *conv(c256, c256),
        nn.MaxPool2d(3, 2),
        *conv(c256, c512, (5, 4), padding=0),
    )


def _lip_branch(width: float) -> nn.Sequential:
    """Return (N, 3, 5, 224, 224) to (N, 512 * width, 1, 1, 1); positions are the published key numbers."""
    c96, c256, c512 = (scaled_channels(n, width) for n in (96, 256, 512))
    pad = (0, 1, 1)

    def conv(
        c_in: int,
        c_out: int,
        kernel: tuple[int, int, int] = (1, 3, 3),
        stride: tuple[int, int, int] = (1, 1, 1),
        padding: tuple[int, int, int] = pad,
    ) -> list[nn.Module]:
        return [nn.Conv3d(c_in, c_out, kernel, stride, padding), nn.BatchNorm3d(c_out), nn.ReLU()]

    return nn.Sequential(
        *conv(3, c96, (5, 7, 7), (1, 2, 2), (0, 0, 0)),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *conv(c96, c256, (1, 5, 5), (1, 2, 2)),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), pad),
        *conv(c256, c256),
        *conv(c256, c256),
        *conv(c256, c256),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *conv(c256, c512, (1, 6, 6), padding=(0, 0, 0)),
    )
