"""Which engine runs a network: the one asked for, or the fastest whose faces are as good as fp32's."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.folding import lay_out
from lipsync_core.runtime.difference import GOOD_DB, Difference, difference_between
from lipsync_core.runtime.engine import ENGINES, Engine
from lipsync_core.runtime.openvino_engine import OpenVINOEngine
from lipsync_core.runtime.quantization import observe_ranges
from lipsync_core.runtime.samples import FaceSamples
from lipsync_core.runtime.threads import is_compact
from lipsync_core.runtime.torch_engine import TorchEngine, TorchOptions

WORTH_FRAMES = 500  # shorter videos are done before the candidates are measured
_N_TIMED = 3
_TIMED_S = 0.5  # once so long was measured, it was enough

# Int8 first: processors that have its instructions do twice as many of them as of bf16's, so where it is good
# enough the others need not be tried.
_CPU_CANDIDATES = ("openvino-int8", "openvino-bf16", "torch-bf16", "openvino")
_GPU_CANDIDATES = {"cuda": ("torch-fp16", "torch-bf16"), "mps": ("torch-fp16",)}

TakeSamples = Callable[[], FaceSamples | None]


@dataclass(frozen=True)
class EngineChoice:
    """What runs a network, and why.

    Attributes:
        name: of the engine.
        reason: in words.
        difference: measured on faces of the video; None where nothing was measured.
        faces_per_s: measured rate of the network alone, None likewise.
    """

    name: str
    reason: str
    difference: Difference | None = None
    faces_per_s: float | None = None

    def __str__(self) -> str:
        measured = "" if self.difference is None else f"; {self.difference}"
        rate = "" if self.faces_per_s is None else f"; {self.faces_per_s:.0f} faces/s alone"
        return f"{self.name} ({self.reason}{measured}{rate})"


@dataclass(frozen=True)
class EngineRequest:
    """What engine is wanted for what.

    Attributes:
        network: folded, in evaluation mode, fp32, on ``device``.
        name: one of `ENGINES`.
        device: torch device.
        options: for PyTorch.
        kind: of generator.
    """

    network: nn.Module
    name: str = "auto"
    device: str = "cpu"
    options: TorchOptions = field(default_factory=TorchOptions)
    kind: str = "wav2lip"


def refuse_unknown_engine(name: str, device: str = "cpu") -> None:
    """Raise unless an engine of this name can run on this device here.

    Raises:
        InvalidInputError: no such engine, or one for another device.
        MissingModelError: its package is not installed.
    """
    if name not in ENGINES:
        raise InvalidInputError(f"unknown engine {name!r}; choose one of {', '.join(ENGINES)}")
    if not name.startswith("openvino"):
        return
    if torch.device(device).type != "cpu":
        raise InvalidInputError(f"engine {name} runs on the CPU, not on {device!r}; use --device cpu or auto")
    if importlib.util.find_spec("openvino") is None:
        raise MissingModelError(f"engine {name} needs the package openvino; run: pip install openvino")


def choose_engine(
    request: EngineRequest, take_samples: TakeSamples, n_frames: int | None = None
) -> tuple[Engine, EngineChoice]:
    """Return an engine and what is known of it.

    Plain torch in fp32 needs no measurement. Any other engine that was asked for by name is measured on
    real faces. ``"auto"`` takes the fastest whose faces have a PSNR of `GOOD_DB` or more to fp32's; for a
    compact network, which is faster than the encoder as it is, and for short videos that is plain torch.

    Args:
        request: what is wanted.
        take_samples: gives real faces of the video, None if it has too few; called at most once.
        n_frames: faces to generate, None if unknown.

    Raises:
        InvalidInputError: an engine asked for by name cannot run this network or needs faces that are not
            there.
        MissingModelError: its package is not installed.
    """
    refuse_unknown_engine(request.name, request.device)
    if request.name == "torch":
        return _reference(request), EngineChoice("torch", "fp32, as asked for")
    if request.name == "auto":
        if is_compact(request.network):
            return _reference(request), EngineChoice("torch", "fp32: a compact network outruns the encoder")
        if n_frames is not None and n_frames < WORTH_FRAMES:
            return _reference(request), EngineChoice("torch", "fp32: too short a video to measure others")
    samples = take_samples()
    if request.name != "auto":
        return _asked_for(request, samples)
    if samples is None:
        return _reference(request), EngineChoice("torch", "fp32: too few faces to measure others on")
    return _fastest(request, samples)


def build_engine(request: EngineRequest, samples: FaceSamples | None) -> Engine:
    """Return the engine ``request.name``, which is not ``"auto"``; see `choose_engine`."""
    if not request.name.startswith("openvino"):
        return TorchEngine(request.network, request.name, request.device, request.options)
    if request.name != "openvino-int8":
        return OpenVINOEngine(request.network, request.name, kind=request.kind)
    if samples is None:
        raise InvalidInputError(
            "openvino-int8 is calibrated on faces of the video, and too few were found; choose another engine"
        )
    ranges = observe_ranges(request.network, _one_by_one(samples.calibration))
    return OpenVINOEngine(request.network, request.name, ranges, kind=request.kind)


def _reference(request: EngineRequest) -> TorchEngine:
    return TorchEngine(request.network, "torch", request.device, request.options)


def _asked_for(request: EngineRequest, samples: FaceSamples | None) -> tuple[Engine, EngineChoice]:
    engine = build_engine(request, samples)
    if samples is None:
        return engine, EngineChoice(engine.name, "as asked for; too few faces to measure it on")
    exact = _reference(request).generate(*samples.held_out)
    faces, rate = _timed(engine, samples)
    engine.difference = difference_between(faces, exact)
    return engine, EngineChoice(engine.name, "as asked for", engine.difference, rate)


def _fastest(request: EngineRequest, samples: FaceSamples) -> tuple[Engine, EngineChoice]:
    best: Engine = _reference(request)
    exact, exact_rate = _timed(best, samples)
    best_rate, notes = exact_rate, list[str]()
    kind = torch.device(request.device).type
    for name in _GPU_CANDIDATES.get(kind, _CPU_CANDIDATES):
        wanted = replace(request, name=name)
        try:
            refuse_unknown_engine(name, request.device)
            engine = build_engine(wanted, samples)
            faces, rate = _timed(engine, samples)
        except (InvalidInputError, MissingModelError) as error:
            notes.append(str(error))
            continue
        engine.difference = difference_between(faces, exact)
        if engine.difference.psnr_db < GOOD_DB:
            notes.append(f"{name} differs too much: {engine.difference.psnr_db:.1f} dB")
        elif rate > best_rate:
            best, best_rate = engine, rate
            if name == "openvino-int8":
                break
    if best.name == "torch":
        lay_out(request.network, torch.channels_last)  # OpenVINO may have had it otherwise
        reason = "; ".join(["fp32: nothing here is faster and as good", *dict.fromkeys(notes)])
    else:
        reason = f"{best_rate / exact_rate:.1f} times as fast as torch in fp32"
    return best, EngineChoice(best.name, reason, best.difference, best_rate)


def _timed(engine: Engine, samples: FaceSamples) -> tuple[Tensor, float]:
    """Return the faces of the held-out half and the rate in faces a second, the best of a few runs."""
    faces = engine.generate(*samples.held_out)
    seconds = []
    for _ in range(_N_TIMED):
        began = time.perf_counter()
        engine.generate(*samples.held_out)
        seconds.append(time.perf_counter() - began)
        if sum(seconds) > _TIMED_S:
            break
    return faces, len(faces) / max(min(seconds), 1e-9)


def _one_by_one(batch: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Split into single faces, so that few activations are held at once."""
    mel, faces = batch
    return [(mel[i : i + 1], faces[i : i + 1]) for i in range(len(mel))]
