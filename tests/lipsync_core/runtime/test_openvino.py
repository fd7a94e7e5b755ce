"""Graphs and engines on OpenVINO against torch."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from tiny_generators import make_generator, make_inputs, needs_openvino
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.runtime import TorchEngine, difference_between
from lipsync_core.runtime.openvino_engine import OpenVINOEngine
from lipsync_core.runtime.openvino_graph import build_graph, import_openvino
from lipsync_core.runtime.quantization import observe_ranges
from lipsync_core.runtime.recording import record

GENERATORS = ("wav2lip", "lipgan", "speech2vid")


class Assorted(nn.Module):
    """Every function that the graph builder knows and the generators do not use in this form."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, (2, 1), (1, 0), groups=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.plain_norm = nn.BatchNorm2d(8, affine=False)
        with torch.no_grad():
            for norm in (self.norm, self.plain_norm):
                norm.running_mean.uniform_(-1, 1)
                norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 1, 2, 0), value=0.5)
        x = self.plain_norm(self.norm(self.grouped(x)))
        x = F.leaky_relu(x, 0.2)[:, 2:, ..., 1:].contiguous()
        x = F.dropout(x, training=False)
        return torch.tanh(2.0 * x - 0.25) * 0.5 + torch.sigmoid(x)


@needs_openvino
def test_assorted_functions() -> None:
    torch.manual_seed(0)
    network, image = Assorted().eval(), torch.randn(3, 4, 10, 9)
    model = build_graph(record(network, [image[:1]]), 3)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    (out,) = import_openvino().compile_model(model, "CPU", exact)([image]).values()
    with torch.inference_mode():
        assert (torch.from_numpy(out) - network(image)).abs().max() < 1e-5


@needs_openvino
@pytest.mark.parametrize("kind", GENERATORS)
def test_generators_in_fp32(kind: str) -> None:
    network, inputs = make_generator(kind), make_inputs(kind, 11)
    engine = OpenVINOEngine(network, "openvino", kind=kind)
    found = difference_between(engine.generate(*inputs), TorchEngine(network).generate(*inputs))
    assert found.n_faces == 11
    assert found.max_abs < 1e-4
    assert (engine.submit(*inputs)() - engine.generate(*inputs)).abs().max() < 1e-6


@needs_openvino
@pytest.mark.parametrize("kind", GENERATORS)
def test_generators_in_int8_and_bf16(kind: str) -> None:
    network, inputs = make_generator(kind), make_inputs(kind, 5)
    exact = TorchEngine(network).generate(*inputs)
    ranges = observe_ranges(network, [make_inputs(kind, 4, seed=7)])
    for engine in (
        OpenVINOEngine(network, "openvino-int8", ranges, kind=kind),
        OpenVINOEngine(network, "openvino-bf16", kind=kind),
    ):
        found = difference_between(engine.generate(*inputs), exact)
        assert found.psnr_db > 25, engine.name  # random weights amplify every rounding; trained ones do not
        assert found.max_abs > 0 or engine.name == "openvino-bf16"  # processors without bf16 use fp32


@needs_openvino
def test_int8_runs_in_int8() -> None:
    network = make_generator()
    engine = OpenVINOEngine(network, "openvino-int8", observe_ranges(network, [make_inputs("wav2lip", 2)]))
    info = [node.get_rt_info() for node in engine.model.get_runtime_model().get_ops()]
    kinds = [str(i["runtimePrecision"].value) for i in info if "onvolution" in str(i["layerType"].value)]
    assert len(kinds) >= 45
    assert set(kinds) <= {"u8", "i8"}


@needs_openvino
def test_weights_are_shared_with_the_network_and_torch_still_runs_it() -> None:
    network, inputs = make_generator(), make_inputs("wav2lip", 2)
    before = TorchEngine(network).generate(*inputs)
    engine = OpenVINOEngine(network, "openvino")
    places = {parameter.data_ptr() for parameter in network.parameters() if parameter.dim() == 4}
    model = build_graph(record(network, make_inputs("wav2lip", 1)), 2)
    constants = {node.data.ctypes.data for node in model.get_ops() if node.get_type_name() == "Constant"}
    assert places <= constants
    assert (TorchEngine(network).generate(*inputs) - before).abs().max() < 1e-5
    del network
    assert (engine.generate(*inputs) - before).abs().max() < 1e-4


@needs_openvino
def test_unknown_functions_are_named() -> None:
    class Odd(nn.Module):
        def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
            return torch.erf(faces[:, :3])

    with pytest.raises(InvalidInputError, match=r"'erf'.*--engine torch"):
        OpenVINOEngine(Odd(), "openvino")


def test_ranges_and_names_must_fit() -> None:
    with pytest.raises(InvalidInputError, match="needs ranges"):
        OpenVINOEngine(nn.Identity(), "openvino-int8")
    with pytest.raises(InvalidInputError, match="unknown engine"):
        OpenVINOEngine(nn.Identity(), "openvino-int4")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingModelError, match="pip install openvino"):
        import_openvino()


@needs_openvino
def test_nothing_is_reported_to_anyone() -> None:
    """OpenVINO's package sends an event when it is imported; here that part never comes in."""
    assert importlib.util.find_spec("openvino_telemetry")
    check = (
        "import sys; from lipsync_core.runtime.openvino_graph import import_openvino; import_openvino(); "
        "import openvino.tools.ovc as ovc; assert 'stub' in type(ovc.telemetry).__module__; "
        "assert not any(n.startswith('openvino_telemetry') for n in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@needs_openvino
def test_ctrl_c_after_an_engine_went_in_another_thread() -> None:
    """OpenVINO's signal stack must outlive its engines: signals crashed what was left of the process."""
    code = """
import gc, os, signal, threading
from lipsync_core.runtime.openvino_engine import OpenVINOEngine
from tiny_generators import make_generator, make_inputs
came = []
signal.signal(signal.SIGINT, lambda *_: came.append(True))
engines = [OpenVINOEngine(make_generator("wav2lip"), "openvino")]
engines[0].generate(*make_inputs("wav2lip", 3))
last = threading.Thread(target=engines.clear)
last.start()
last.join()
gc.collect()
os.kill(os.getpid(), signal.SIGINT)
print("alive", came)
"""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout.strip()) == (0, "alive [True]"), done.stderr
