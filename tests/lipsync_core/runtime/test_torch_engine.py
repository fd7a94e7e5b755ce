"""Engines on PyTorch."""

from __future__ import annotations

import pytest
import torch
from tiny_generators import make_generator, make_inputs, needs_cuda
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError
from lipsync_core.runtime import TorchEngine, TorchOptions, difference_between


def test_fp32_is_the_network_itself() -> None:
    network, inputs = make_generator(), make_inputs("wav2lip", 3)
    engine = TorchEngine(network)
    with torch.inference_mode():
        assert (engine.generate(*inputs) - network(*inputs)).abs().max() < 1e-4  # threads change the rounding
    assert (engine.name, engine.depth, engine.difference) == ("torch", 1, None)


@pytest.mark.parametrize(("name", "bits"), [("torch-bf16", 8), ("torch-fp16", 11)])
def test_half_precision_is_near_and_leaves_the_network_alone(name: str, bits: int) -> None:
    network, inputs = make_generator(), make_inputs("wav2lip", 3)
    exact = TorchEngine(network).generate(*inputs)
    faces = TorchEngine(network, name).generate(*inputs)
    assert faces.dtype == torch.float32
    assert 0 < difference_between(faces, exact).max_abs < 60 * 2.0**-bits
    assert (TorchEngine(network).generate(*inputs) - exact).abs().max() < 1e-4


class Picky(nn.Module):
    """Refuses all but fp32, as devices refuse types that they do not have."""

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        if faces.dtype != torch.float32:
            raise RuntimeError('"slow_conv2d" not implemented\nlong explanation')
        raise RuntimeError("a mistake in the network")


def test_what_a_device_cannot_do_is_said_in_one_line() -> None:
    inputs = make_inputs("wav2lip", 1)
    with pytest.raises(InvalidInputError, match=r"torch-bf16 cannot run on cpu.*--engine torch") as caught:
        TorchEngine(Picky(), "torch-bf16").generate(*inputs)
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="a mistake"):
        TorchEngine(Picky()).generate(*inputs)


def test_bad_names_and_options() -> None:
    with pytest.raises(InvalidInputError, match="torch-bf16"):
        TorchEngine(make_generator(), "torch-int4")
    with pytest.raises(InvalidInputError, match="CUDA"):
        TorchEngine(make_generator(), options=TorchOptions(cuda_graphs=True))


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", ["torch", "torch-bf16", "torch-fp16"])
@pytest.mark.parametrize("graphs", [False, True])
def test_on_cuda(name: str, graphs: bool) -> None:
    network, inputs = make_generator(), make_inputs("wav2lip", 41)
    exact = TorchEngine(network).generate(*inputs)
    engine = TorchEngine(make_generator(), name, "cuda", TorchOptions(cuda_graphs=graphs, batch_size=16))
    waiting = [engine.submit(*inputs) for _ in range(3)]
    for wait in waiting:
        found = difference_between(wait(), exact)
        assert found.max_abs < 1e-5 if name == "torch" else found.psnr_db > 40
