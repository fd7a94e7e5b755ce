"""Which engine is chosen, and what is said of it."""

from __future__ import annotations

import pytest
from tiny_generators import make_generator, make_samples, needs_openvino
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.runtime import (
    EngineRequest,
    FaceSamples,
    TorchEngine,
    build_engine,
    choose_engine,
    difference_between,
    refuse_unknown_engine,
    selection,
)


def not_asked() -> FaceSamples | None:
    raise AssertionError("no samples are needed here")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return make_generator()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks count as large."""
    monkeypatch.setattr(selection, "is_compact", lambda network: False)


def set_rates(monkeypatch: pytest.MonkeyPatch, rates: dict[str, float]) -> list[str]:
    """Let timing answer as told, and return the list of engines that were tried."""
    tried: list[str] = []

    def timed(engine: TorchEngine, samples: FaceSamples) -> tuple[Tensor, float]:
        tried.append(engine.name)
        return engine.generate(*samples.held_out), rates[engine.name]

    monkeypatch.setattr(selection, "_timed", timed)
    return tried


def test_torch_and_compact_networks_need_no_measurement(network: nn.Module) -> None:
    for name, word in (("torch", "asked for"), ("auto", "compact")):
        engine, choice = choose_engine(EngineRequest(network, name), not_asked, 10_000)
        assert (engine.name, choice.name, choice.difference) == ("torch", "torch", None)
        assert word in str(choice)


@pytest.mark.usefixtures("large")
def test_short_videos_and_those_without_faces_stay_with_torch(network: nn.Module) -> None:
    _, short = choose_engine(EngineRequest(network), not_asked, 100)
    assert (short.name, "too short" in short.reason) == ("torch", True)
    _, faceless = choose_engine(EngineRequest(network), lambda: None, 1000)
    assert (faceless.name, "too few faces" in faceless.reason) == ("torch", True)


@needs_openvino
@pytest.mark.usefixtures("large")
def test_auto_takes_int8_where_it_is_good_and_faster(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = set_rates(monkeypatch, {"torch": 10.0, "openvino-int8": 45.0})
    monkeypatch.setattr(selection, "GOOD_DB", 20.0)
    samples = make_samples()
    engine, choice = choose_engine(EngineRequest(network), lambda: samples, 1000)
    assert tried == ["torch", "openvino-int8"]
    assert engine.name == choice.name == "openvino-int8"
    assert choice.difference is engine.difference is not None
    exact = TorchEngine(network).generate(*samples.held_out)
    found = difference_between(engine.generate(*samples.held_out), exact)
    assert choice.difference.psnr_db == pytest.approx(found.psnr_db, abs=0.01)
    assert "4.5 times as fast" in str(choice)
    assert "dB PSNR to fp32 on 4 faces" in str(choice)


@needs_openvino
@pytest.mark.usefixtures("large")
def test_auto_leaves_out_what_differs_or_is_slower(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {
        "torch": 10.0,
        "openvino-int8": 99.0,
        "openvino-bf16": 98.0,
        "torch-bf16": 97.0,
        "openvino": 12.0,
    }
    set_rates(monkeypatch, rates)
    monkeypatch.setattr(selection, "GOOD_DB", 90.0)  # only fp32 is as good as that
    _, choice = choose_engine(EngineRequest(network), make_samples, 1000)
    assert choice.name == "openvino"
    assert choice.faces_per_s == 12.0
    set_rates(monkeypatch, {**rates, "openvino": 9.0})
    _, choice = choose_engine(EngineRequest(network), make_samples, 1000)
    assert choice.name == "torch"
    assert "openvino-int8 differs too much" in choice.reason


@pytest.mark.usefixtures("large")
def test_auto_without_openvino(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection.importlib.util, "find_spec", lambda name: None)
    tried = set_rates(monkeypatch, {"torch": 10.0, "torch-bf16": 20.0})
    monkeypatch.setattr(selection, "GOOD_DB", 20.0)
    _, choice = choose_engine(EngineRequest(network), make_samples, 1000)
    assert tried == ["torch", "torch-bf16"]
    assert choice.name == "torch-bf16"
    with pytest.raises(MissingModelError, match="pip install openvino"):
        choose_engine(EngineRequest(network, "openvino"), not_asked)


def test_an_engine_asked_for_is_measured(network: nn.Module) -> None:
    engine, choice = choose_engine(EngineRequest(network, "torch-bf16"), make_samples)
    assert engine.name == "torch-bf16"
    assert choice.difference is not None
    assert choice.difference.n_faces == 4
    assert 0 < choice.difference.max_abs < 0.2
    assert choice.faces_per_s is not None
    _, unmeasured = choose_engine(EngineRequest(network, "torch-bf16"), lambda: None)
    assert unmeasured.difference is None
    assert "too few faces" in str(unmeasured)


def test_what_cannot_be_is_refused(network: nn.Module) -> None:
    with pytest.raises(InvalidInputError, match="openvino-bf16"):
        refuse_unknown_engine("tensorrt")
    with pytest.raises(InvalidInputError, match="runs on the CPU"):
        refuse_unknown_engine("openvino", "cuda")
    with pytest.raises(InvalidInputError, match="calibrated on faces"):
        build_engine(EngineRequest(network, "openvino-int8"), None)


def test_rates_are_measured(network: nn.Module) -> None:
    samples = make_samples()
    faces, rate = selection._timed(TorchEngine(network), samples)
    assert (faces - TorchEngine(network).generate(*samples.held_out)).abs().max() < 1e-4
    assert rate > 0
