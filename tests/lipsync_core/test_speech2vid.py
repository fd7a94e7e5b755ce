import itertools

import pytest
import torch
from parity_fill import filled, uniform_input

from lipsync_core.models import Speech2Vid


@pytest.mark.parametrize("width", [0.125, 0.25, 1.0])
@torch.inference_mode()
def test_it_keeps_inputs_and_outputs_at_every_width(width):
    out = Speech2Vid(width).eval()(torch.zeros(2, 1, 80, 27), torch.rand(2, 3, 96, 96))
    assert out.shape == (2, 3, 96, 96)
    assert float(out.min()) >= 0 and float(out.max()) <= 1


@torch.inference_mode()
def test_sound_and_still_reach_the_picture():
    network = filled(Speech2Vid(0.125))
    mel, still = uniform_input("m", (1, 1, 80, 27), -4, 4), uniform_input("f", (1, 3, 96, 96))
    before = network(mel, still)
    assert float((network(mel * 0.5, still) - before).abs().max()) > 1e-6
    assert float((network(mel, still * 0.5) - before).abs().max()) > 1e-6


@torch.inference_mode()
def test_exactly_two_maps_bypass_the_bottleneck():
    """The decoder units that take more channels than the one before them gave."""
    decoder = Speech2Vid(0.125).decoder
    kernels = [unit.conv_block[0].weight for unit in decoder]
    joined = [later.shape[0] - earlier.shape[1] for earlier, later in itertools.pairwise(kernels)]
    assert [extra > 0 for extra in joined] == [False, False, True, True, False]


def test_gradients_reach_every_weight():
    network = Speech2Vid(0.125)
    loss = network(torch.randn(2, 1, 80, 27), torch.rand(2, 3, 96, 96)).abs().mean()
    loss.backward()
    assert all(p.grad is not None for p in network.parameters())
