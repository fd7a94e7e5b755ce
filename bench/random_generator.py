"""Full-size generators with random weights, for benches: speed does not depend on what the weights are."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lipsync_core.models import Wav2Lip


def random_generator(width: float, seed: int = 0) -> nn.Module:
    """Return a Wav2Lip generator whose batch norms fit its activations, so that none dies or explodes.

    Differences between engines are larger than with trained weights: a random network amplifies rounding.
    """
    torch.manual_seed(seed)
    network = Wav2Lip(width)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of the one batch below
    with torch.no_grad():
        network.train()(torch.rand(4, 1, 80, 16) * 8 - 4, torch.rand(4, 6, 96, 96))
    return network.eval()


def write_published_checkpoint(network: nn.Module, path: Path) -> Path:
    """Write weights in the container of the published checkpoints."""
    state = {"state_dict": network.state_dict(), "optimizer": None, "global_step": 0, "global_epoch": 0}
    torch.save(state, path)
    return path
