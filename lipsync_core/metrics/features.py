"""What a face looks like to a network: features for Fréchet distances.

The name of the distance goes with the network. Only Inception with its published weights makes an FID;
without them the embedded SyncNet's face trunk stands in, and the distance is called by that name. Neither is
to be compared with figures from papers: unit, sampling and crop are our own (face crops, every fifth frame).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lipsync_core.containers import sha256_of
from lipsync_core.errors import CheckpointError, MissingModelError
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.metrics.inception import (
    INCEPTION_FEATURES,
    INCEPTION_FILE,
    INCEPTION_SHA256_START,
    InceptionV3,
    load_inception,
)
from lipsync_core.models import SyncNet
from lipsync_core.models.syncnet import SYNCNET_FACE_SIZE_PX, SYNCNET_WINDOW_FRAMES

logger = logging.getLogger(__name__)

_CONVOLUTIONS_TAPPED = (1, 4)  # the second and the fifth, counted from 0
_BATCH = 16


class FaceFeatures(Protocol):
    """Turns face crops into vectors.

    Attributes:
        distance_name: what the Fréchet distance on these vectors is called.
        weights_sha256: of the file behind them.
        size: length of a vector.
        face_size_px: side of the crops wanted.
    """

    distance_name: str
    weights_sha256: str
    size: int
    face_size_px: int

    def __call__(self, faces_bgr: Sequence[FrameArray]) -> npt.NDArray[np.float32]:
        """Return (n, size) from (face_size_px, face_size_px, 3) uint8 BGR crops."""
        ...


class EmbeddedFeatures:
    """Means and standard deviations over the picture of two layers of the embedded SyncNet's face trunk.

    SyncNet sees the same picture five times. Its second convolution responds to edges and fine texture, so
    that blur and noise show; the fifth to parts of a face, so that another person or mouth shows.

    Args:
        network: a SyncNet of any width.
        weights_sha256: of its file.
    """

    distance_name = "Frechet distance (embedded SyncNet features)"
    face_size_px = SYNCNET_FACE_SIZE_PX

    def __init__(self, network: SyncNet, weights_sha256: str) -> None:
        self.network = network.eval()
        self.weights_sha256 = weights_sha256
        found = [(i, c) for i, c in enumerate(network.netcnnlip) if isinstance(c, nn.Conv3d)]
        tapped = [found[n] for n in _CONVOLUTIONS_TAPPED]
        self._taps = [position + 2 for position, _ in tapped]  # behind batch norm and ReLU
        self.size = 2 * sum(convolution.out_channels for _, convolution in tapped)

    def __call__(self, faces_bgr: Sequence[FrameArray]) -> npt.NDArray[np.float32]:
        """Return (n, size) from (224, 224, 3) uint8 BGR crops."""
        return _batched(self.network, self._pooled, faces_bgr, self.size)

    def _pooled(self, bgr: Tensor) -> Tensor:
        still = bgr.float()[:, :, None].expand(-1, -1, SYNCNET_WINDOW_FRAMES, -1, -1)
        maps = self.network.lip_maps(still, self._taps)
        return torch.cat([pool for m in maps for pool in (m.mean(dim=(2, 3)), m.std(dim=(2, 3)))], dim=1)


class InceptionFeatures:
    """The 2,048 numbers of FID's Inception network.

    Args:
        network: with its published weights.
        weights_sha256: of its file.
    """

    distance_name = "FID"
    size = INCEPTION_FEATURES
    face_size_px = SYNCNET_FACE_SIZE_PX

    def __init__(self, network: InceptionV3, weights_sha256: str) -> None:
        self.network = network
        self.weights_sha256 = weights_sha256

    def __call__(self, faces_bgr: Sequence[FrameArray]) -> npt.NDArray[np.float32]:
        """Return (n, 2048) from uint8 BGR crops, all of one size."""
        return _batched(self.network, self._of_bgr, faces_bgr, self.size)

    def _of_bgr(self, bgr: Tensor) -> Tensor:
        return torch.as_tensor(self.network(bgr.flip(1).float() / 255))


@torch.inference_mode()
def _batched(
    network: nn.Module, describe: Callable[[Tensor], Tensor], faces_bgr: Sequence[FrameArray], size: int
) -> npt.NDArray[np.float32]:
    """Return (n, size): what ``describe`` makes of (b, 3, H, W) uint8 BGR on the network's device."""
    device = next(network.parameters()).device
    rows = [np.zeros((0, size), np.float32)]
    for first in range(0, len(faces_bgr), _BATCH):
        pictures = torch.from_numpy(np.stack(faces_bgr[first : first + _BATCH])).to(device)
        rows.append(describe(pictures.permute(0, 3, 1, 2)).cpu().numpy())
    return np.concatenate(rows)


def find_inception() -> Path | None:
    """Return FID's weights, in our cache folder or in torch hub's; None when they are not here.

    A file of the right name and the wrong content is skipped with a warning.
    """
    from lipsync_core.weights import cache_folder

    for folder in (cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"):
        path = folder / INCEPTION_FILE
        if path.is_file():
            if sha256_of(path).startswith(INCEPTION_SHA256_START):
                return path
            logger.warning("ignored: %s is damaged (its SHA-256 is another); delete it", path)
    return None


def load_features(device: str | torch.device = "cpu") -> FaceFeatures:
    """Return Inception where its weights are here, else the embedded SyncNet.

    Raises:
        MissingModelError: neither is in this installation.
    """
    inception = find_inception()
    if inception is not None:
        network = load_inception(inception).to(device)
        return InceptionFeatures(network, sha256_of(inception))
    return load_embedded_features(device)


def load_embedded_features(device: str | torch.device = "cpu") -> EmbeddedFeatures:
    """Return the features of the embedded SyncNet.

    Raises:
        MissingModelError: the embedded weights are not in this installation.
    """
    from lipsync_core.checkpoints import load_network
    from lipsync_core.weights import resolve

    path = resolve("syncnet", "embedded", allow_download=False).path
    if path is None:
        raise MissingModelError("the embedded SyncNet is not in this installation: reinstall lipsync_core")
    network = load_network(path, "syncnet", device)
    if not isinstance(network, SyncNet):
        raise CheckpointError(f"{path} is no SyncNet: reinstall lipsync_core")
    return EmbeddedFeatures(network, sha256_of(path))
