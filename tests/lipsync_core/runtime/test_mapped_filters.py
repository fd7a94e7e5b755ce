"""Filters that were dropped are there again when they are read."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
import torch
from tiny_generators import make_generator, make_inputs, needs_openvino
from torch import nn

from lipsync_core.runtime import mapped_filters
from lipsync_core.runtime.mapped_filters import CAN_DROP, MappedFilters
from lipsync_core.runtime.openvino_engine import OpenVINOEngine


def resident_mib() -> float:
    (kib,) = re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kib) / 1024


@pytest.mark.skipif(not CAN_DROP, reason="memory cannot be dropped here")
def test_memory_goes_and_values_stay() -> None:
    network = nn.Sequential(nn.Conv2d(1024, 1024, 5), nn.ReLU(), nn.ConvTranspose2d(64, 32, 3))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    filters = MappedFilters(network)
    for parameter, values in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, values)
        assert parameter.is_contiguous()
    held = resident_mib()
    filters.drop()
    assert held - resident_mib() > 90  # of 100
    for parameter, values in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, values)


def test_without_a_place_for_the_file_they_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    network = make_generator("wav2lip")
    before = [parameter.detach().clone() for parameter in network.parameters()]
    filters = MappedFilters(network)
    filters.drop()
    assert all(parameter.is_contiguous() for parameter in network.parameters())
    for parameter, values in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, values)


@needs_openvino
def test_an_engine_whose_filters_were_dropped_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = []
    drop = MappedFilters.drop
    monkeypatch.setattr(
        mapped_filters.MappedFilters, "drop", lambda self: (drop(self), dropped.append(self))[0]
    )
    network = make_generator("wav2lip")
    inputs = make_inputs("wav2lip", 3)
    with torch.inference_mode():
        exact = network(*inputs)
    engine = OpenVINOEngine(network, "openvino")
    assert not dropped
    for _ in range(2):
        assert (engine.generate(*inputs) - exact).abs().max() < 1e-5
    assert len(dropped) == 1
    with torch.inference_mode():
        assert (network(*inputs) - exact).abs().max() < 1e-5
