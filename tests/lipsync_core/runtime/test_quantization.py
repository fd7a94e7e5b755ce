"""Ranges and int8 weights in closed form, and int8 arithmetic against torch's own simulation of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_generators import needs_openvino
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError
from lipsync_core.runtime.openvino_graph import build_graph, import_openvino
from lipsync_core.runtime.quantization import ActivationRange, observe_ranges, quantized_weight
from lipsync_core.runtime.recording import record


class TwoLayers(nn.Module):
    """A signed input, then one behind a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3), nn.ConvTranspose2d(8, 4, 3, 2, 1, 1)

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(mel))) + faces[:, :, :1, :1]


@pytest.fixture(scope="module")
def network() -> TwoLayers:
    torch.manual_seed(0)
    return TwoLayers().eval()


def test_levels() -> None:
    assert ActivationRange(0.0, 5.0).levels == (0.0, 5.0)
    low, high = ActivationRange(-1.0, 3.0).levels
    assert high == pytest.approx(3.0)
    assert (high - low) / 255 == pytest.approx(3 / 127)
    assert ActivationRange(-4.0, 1.0).levels == pytest.approx((-4.0, 4 * 127 / 128))


def test_ranges_cover_all_batches(network: TwoLayers) -> None:
    faces = torch.zeros(1, 1, 2, 2)
    quiet, loud = torch.linspace(-1, 1, 400).reshape(1, 1, 20, 20), torch.full((1, 1, 20, 20), 3.0)
    first, second = observe_ranges(network, [(quiet, faces), (loud, faces)])
    assert (first.low, first.high) == pytest.approx((-1, 3))
    with torch.no_grad():
        behind = max(float(torch.relu(network.first(x)).max()) for x in (quiet, loud))
    assert (second.low, second.high) == pytest.approx((0, behind))
    with pytest.raises(InvalidInputError, match="calibrate"):
        observe_ranges(network, [])


def test_a_single_outlier_does_not_widen_the_range() -> None:
    class One(nn.Module):
        def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
            return F.conv2d(mel, torch.ones(1, 1, 1, 1))

    mel = torch.rand(1, 1, 200, 200)
    mel[0, 0, 7, 7] = 1000.0
    (found,) = observe_ranges(One(), [(mel, mel)])
    assert found.low == 0
    assert found.high == pytest.approx(1, abs=0.01)


def test_weights_are_symmetric_per_output_channel(network: TwoLayers) -> None:
    calls = record(network, (torch.rand(1, 1, 20, 20), torch.zeros(1, 1, 2, 2))).calls
    for call, axis in ((calls[0], 0), (calls[2], 1)):
        integers, scale = quantized_weight(call)
        weight = call.args[1].detach().numpy()
        others = tuple(i for i in range(4) if i != axis)
        assert (np.abs(integers).max(axis=others) == 127).all()
        assert np.abs(integers * scale - weight).max() <= scale.max() / 2 + 1e-7


@needs_openvino
def test_integers_compute_what_torch_simulates(network: TwoLayers) -> None:
    mel, faces = torch.rand(1, 1, 20, 20) * 8 - 4, torch.zeros(1, 1, 2, 2)
    ranges = observe_ranges(network, [(mel, faces)])
    model = build_graph(record(network, (mel, faces)), 1, ranges)
    core = import_openvino().Core()
    (found,) = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([mel, faces]).values()

    def quantize(x: Tensor, known: ActivationRange) -> Tensor:
        low, high = known.levels
        step = (high - low) / 255
        zero = round(-low / step)
        return torch.fake_quantize_per_tensor_affine(x, step, zero, 0, 255)

    def weight(layer: nn.Conv2d | nn.ConvTranspose2d, axis: int) -> Tensor:
        scale = layer.weight.abs().amax([i for i in range(4) if i != axis]) / 127
        zeros = torch.zeros(len(scale), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(layer.weight, scale, zeros, axis, -127, 127)

    with torch.no_grad():
        hidden = torch.relu(F.conv2d(quantize(mel, ranges[0]), weight(network.first, 0), network.first.bias))
        second = network.second
        expected = F.conv_transpose2d(
            quantize(hidden, ranges[1]), weight(second, 1), second.bias, second.stride, second.padding, (1, 1)
        )
        exact = network(mel, faces)
    error = np.abs(found - expected.numpy())
    assert np.quantile(error, 0.99) < 1e-5  # where rounding falls on a half, one level may go either way
    assert error.max() < 0.03
    assert 1e-4 < (expected - exact).abs().max() < 0.1
