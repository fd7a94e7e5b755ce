"""Inception v3 as FID wants it: 2,048 numbers a picture, from the weights of the package pytorch-fid.

Source: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016. FID's network is TensorFlow's of
2015-12-05, which averages without the padding and whose last block pools by maximum; its weights are
published as ``pt_inception-2015-12-05-6726825d.pth`` (github.com/mseitzer/pytorch-fid, releases), whose keys
are those of torchvision's ``inception_v3``.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lipsync_core.checkpoints import load_state_dict
from lipsync_core.errors import CheckpointError

INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"
INCEPTION_SHA256_START = "6726825d"
INCEPTION_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{INCEPTION_FILE}"
INCEPTION_SIZE_PX = 299
INCEPTION_FEATURES = 2_048

Size = int | tuple[int, int]


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, H', W')."""
        return F.relu(self.bn(self.conv(x)))


class Branches(nn.Module):
    """Parallel chains of convolutions whose results are stacked by channel.

    Args:
        chains: layers of each chain by name, run one after the other. A name may appear in several chains
            when they begin alike: such a layer is one and the same.
        pool: what the last chain sees: the input's 3x3 ``average`` or ``maximum``.
    """

    chains: tuple[tuple[str, ...], ...]

    def __init__(self, chains: tuple[dict[str, ConvNorm], ...], pool: str = "average") -> None:
        super().__init__()
        for chain in chains:
            for name, layer in chain.items():
                self.add_module(name, layer)
        self.chains = tuple(tuple(chain) for chain in chains)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        if self.pool == "average":
            pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        else:
            pooled = F.max_pool2d(x, 3, 1, 1)
        sources = [x] * (len(self.chains) - 1) + [pooled]
        return torch.cat([self._run(c, s) for c, s in zip(self.chains, sources, strict=True)], dim=1)

    def _run(self, chain: tuple[str, ...], x: Tensor) -> Tensor:
        for name in chain:
            x = self.get_submodule(name)(x)
        return x


class Reduction(Branches):
    """Branches that halve the picture; the last chain is a plain 3x3 maximum with stride 2."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H', W')."""
        kept = [self._run(chain, x) for chain in self.chains]
        return torch.cat([*kept, F.max_pool2d(x, 3, 2)], dim=1)


def _block_a(c_in: int, c_pool: int) -> Branches:
    return Branches(
        (
            {"branch1x1": ConvNorm(c_in, 64, 1)},
            {"branch5x5_1": ConvNorm(c_in, 48, 1), "branch5x5_2": ConvNorm(48, 64, 5, padding=2)},
            {
                "branch3x3dbl_1": ConvNorm(c_in, 64, 1),
                "branch3x3dbl_2": ConvNorm(64, 96, 3, padding=1),
                "branch3x3dbl_3": ConvNorm(96, 96, 3, padding=1),
            },
            {"branch_pool": ConvNorm(c_in, c_pool, 1)},
        )
    )


def _block_b(c_in: int) -> Reduction:
    return Reduction(
        (
            {"branch3x3": ConvNorm(c_in, 384, 3, 2)},
            {
                "branch3x3dbl_1": ConvNorm(c_in, 64, 1),
                "branch3x3dbl_2": ConvNorm(64, 96, 3, padding=1),
                "branch3x3dbl_3": ConvNorm(96, 96, 3, 2),
            },
        )
    )


def _wide(c_in: int, c_out: int) -> ConvNorm:
    return ConvNorm(c_in, c_out, (1, 7), padding=(0, 3))


def _tall(c_in: int, c_out: int) -> ConvNorm:
    return ConvNorm(c_in, c_out, (7, 1), padding=(3, 0))


def _block_c(c: int) -> Branches:
    return Branches(
        (
            {"branch1x1": ConvNorm(768, 192, 1)},
            {"branch7x7_1": ConvNorm(768, c, 1), "branch7x7_2": _wide(c, c), "branch7x7_3": _tall(c, 192)},
            {
                "branch7x7dbl_1": ConvNorm(768, c, 1),
                "branch7x7dbl_2": _tall(c, c),
                "branch7x7dbl_3": _wide(c, c),
                "branch7x7dbl_4": _tall(c, c),
                "branch7x7dbl_5": _wide(c, 192),
            },
            {"branch_pool": ConvNorm(768, 192, 1)},
        )
    )


def _block_d() -> Reduction:
    return Reduction(
        (
            {"branch3x3_1": ConvNorm(768, 192, 1), "branch3x3_2": ConvNorm(192, 320, 3, 2)},
            {
                "branch7x7x3_1": ConvNorm(768, 192, 1),
                "branch7x7x3_2": _wide(192, 192),
                "branch7x7x3_3": _tall(192, 192),
                "branch7x7x3_4": ConvNorm(192, 192, 3, 2),
            },
        )
    )


def _block_e(c_in: int, pool: str) -> Branches:
    def flat(c: int) -> ConvNorm:
        return ConvNorm(c, 384, (1, 3), padding=(0, 1))

    def upright(c: int) -> ConvNorm:
        return ConvNorm(c, 384, (3, 1), padding=(1, 0))

    first, second = ConvNorm(c_in, 384, 1), ConvNorm(c_in, 448, 1)
    third = ConvNorm(448, 384, 3, padding=1)
    return Branches(
        (
            {"branch1x1": ConvNorm(c_in, 320, 1)},
            {"branch3x3_1": first, "branch3x3_2a": flat(384)},
            {"branch3x3_1": first, "branch3x3_2b": upright(384)},
            {"branch3x3dbl_1": second, "branch3x3dbl_2": third, "branch3x3dbl_3a": flat(384)},
            {"branch3x3dbl_1": second, "branch3x3dbl_2": third, "branch3x3dbl_3b": upright(384)},
            {"branch_pool": ConvNorm(c_in, 192, 1)},
        ),
        pool,
    )


class InceptionV3(nn.Module):
    """FID's Inception up to its last average, 21,785,568 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_a(192, 32), _block_a(256, 64), _block_a(288, 64)
        self.Mixed_6a = _block_b(288)
        self.Mixed_6b, self.Mixed_6c = _block_c(128), _block_c(160)
        self.Mixed_6d, self.Mixed_6e = _block_c(160), _block_c(192)
        self.Mixed_7a = _block_d()
        self.Mixed_7b, self.Mixed_7c = _block_e(1280, "average"), _block_e(2048, "maximum")

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W), RGB in 0...1, to (N, 2048)."""
        size = (INCEPTION_SIZE_PX, INCEPTION_SIZE_PX)
        x = 2 * F.interpolate(images, size, mode="bilinear", align_corners=False) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)
        for block in (self.Mixed_5b, self.Mixed_5c, self.Mixed_5d, self.Mixed_6a, self.Mixed_6b):
            x = block(x)
        for block in (self.Mixed_6c, self.Mixed_6d, self.Mixed_6e, self.Mixed_7a, self.Mixed_7b):
            x = block(x)
        return torch.as_tensor(self.Mixed_7c(x)).mean(dim=(2, 3))


def load_inception(path: Path) -> InceptionV3:
    """Return FID's network, filled, in evaluation mode; the classifier in the file is left out.

    Raises:
        CheckpointError: the file does not fit.
    """
    state = {key: value for key, value in load_state_dict(path).items() if not key.startswith("fc.")}
    network = InceptionV3()
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros_like(value))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} is not FID's Inception ({error}): download {INCEPTION_URL} again"
        ) from error
    return network.eval().requires_grad_(False)
