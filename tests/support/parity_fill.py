"""Weights and inputs that everyone can regenerate, for which published outputs are recorded in ``data/``.

Each array comes from NumPy's frozen ``RandomState`` stream, seeded by the CRC-32 of its name, so a network
with the published keys and shapes gets the same weights as the published one did when the goldens were made.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

DATA = Path(__file__).parent.parent / "lipsync_core" / "data"


def _stream(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()))


def _array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    stream, leaf = _stream(key), key.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var":
        return stream.uniform(0.7, 1.3, shape).astype(np.float32)
    normal = stream.standard_normal(shape)
    if leaf in ("running_mean", "bias"):
        normal = 0.1 * normal
    elif len(shape) == 1:  # scale of a batch norm
        normal = 1.0 + 0.1 * normal
    else:
        normal = normal / math.sqrt(math.prod(shape[1:]))
    return np.asarray(normal, np.float32)


def filled(network: nn.Module) -> nn.Module:
    """Give every parameter and buffer its frozen value and return the network in eval mode."""
    state = {
        k: torch.from_numpy(np.asarray(_array(k, tuple(v.shape)))) for k, v in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network.eval()


def uniform_input(name: str, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return the frozen network input of a name, uniform in low...high."""
    return torch.from_numpy(_stream(name).uniform(low, high, shape).astype(np.float32))


def golden(file: str) -> dict[str, np.ndarray]:
    """Return the recorded arrays of one file."""
    with np.load(DATA / f"{file}.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}
