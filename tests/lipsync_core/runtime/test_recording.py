"""What a network calls, in order."""

from __future__ import annotations

import torch
from tiny_generators import make_generator, make_inputs
from torch import Tensor, nn

from lipsync_core.runtime.quantization import CONVOLUTIONS
from lipsync_core.runtime.recording import record


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        assert x.dim() == 4
        return torch.cat((torch.relu(self.convolution(x)), torch.ones_like(x)[:, :, :2, :2]), dim=1)


def test_calls_in_order_with_their_tensors() -> None:
    network, image = Small(), torch.rand(1, 1, 4, 4)
    recording = record(network, [image])
    assert [call.function for call in recording.calls] == [
        "conv2d", "relu", "ones_like", "__getitem__", "cat",
    ]  # fmt: skip
    convolution, relu, *_, cat = recording.calls
    assert convolution.args[0] is image
    assert convolution.args[1] is network.convolution.weight
    assert relu.args[0] is convolution.output
    assert cat.argument(1, "dim") == 1
    assert recording.outputs == (cat.output,)
    assert torch.equal(cat.output, network(image))


def test_every_convolution_of_a_generator_is_seen() -> None:
    network = make_generator()
    n_layers = sum(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in network.modules())
    calls = record(network, make_inputs("wav2lip", 1)).calls
    assert sum(call.function in CONVOLUTIONS for call in calls) == n_layers == 51
