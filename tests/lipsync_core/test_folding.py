"""Folded networks against the originals."""

from __future__ import annotations

import torch
from tiny_generators import make_inputs
from torch import nn

from lipsync_core.folding import fold_batch_norm, lay_out
from lipsync_core.models.registry import KINDS
from lipsync_core.runtime.mapped_filters import MappedFilters


def test_nothing_is_shared_with_the_original() -> None:
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)
    ).eval()
    image = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        before = network(image)
        folded = fold_batch_norm(network)
        for tensor in (*folded.parameters(), *folded.buffers()):
            tensor.zero_()
        assert torch.equal(network(image), before)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in folded.parameters())


def test_every_generator_gives_the_same_faces() -> None:
    for name in ("wav2lip", "lipgan", "speech2vid"):
        torch.manual_seed(0)
        network = KINDS[name].build(width=0.1)
        inputs = make_inputs(name, 3)
        with torch.no_grad():
            network.train()(*inputs)  # statistics other than 0 and 1
            network.eval()
            folded = fold_batch_norm(network)
            assert (folded(*inputs) - network(*inputs)).abs().max() < 1e-5
        assert sum(isinstance(m, nn.BatchNorm2d) for m in folded.modules()) == 0
        kernels = [p for p in folded.parameters() if p.dim() == 4]
        assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_strides_are_the_same_after_a_detour() -> None:
    """Convolutions are chosen by strides, those of sides of length 1 too, and their sums differ in a bit."""
    network = fold_batch_norm(KINDS["wav2lip"].build(width=0.1).eval())
    before = [parameter.stride() for parameter in network.parameters()]
    for detour in (MappedFilters, lambda one: lay_out(one, torch.contiguous_format)):
        detour(network)
        assert [parameter.stride() for parameter in network.parameters()] != before
        lay_out(network, torch.channels_last)
        assert [parameter.stride() for parameter in network.parameters()] == before
