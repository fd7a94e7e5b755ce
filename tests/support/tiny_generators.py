"""Generators with random weights whose activations stay in range, and inputs for them."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor, nn

from lipsync_core.folding import fold_batch_norm
from lipsync_core.generators import inputs_of
from lipsync_core.models.registry import KINDS
from lipsync_core.runtime import FaceSamples

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed"
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def make_inputs(kind: str, n_faces: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return mel in -4...4 and faces in 0...1, channels last as at inference."""
    takes, random = inputs_of(kind), torch.Generator().manual_seed(seed)
    mel = torch.rand(n_faces, 1, 80, takes.mel_columns, generator=random) * 8 - 4
    faces = torch.rand(n_faces, 3 * len(takes.faces), 96, 96, generator=random)
    return mel, faces.contiguous(memory_format=torch.channels_last)


def make_generator(kind: str = "wav2lip", width: float = 0.1) -> nn.Module:
    """Return a folded generator; its batch norms were set to what random inputs give."""
    torch.manual_seed(0)
    network = KINDS[kind].build(width=width)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean
    with torch.no_grad():
        network.train()(*make_inputs(kind, 4, seed=1))
    return fold_batch_norm(network)


def make_samples(kind: str = "wav2lip") -> FaceSamples:
    """Return four faces for each half."""
    return FaceSamples(make_inputs(kind, 4, seed=2), make_inputs(kind, 4, seed=3))
