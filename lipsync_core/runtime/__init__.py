"""Engines that run generators: PyTorch in several precisions, and OpenVINO.

`choose_engine` takes the one asked for, or the fastest whose faces are as good as those of PyTorch in fp32.
"""

from __future__ import annotations

from lipsync_core.runtime.difference import Difference, difference_between
from lipsync_core.runtime.engine import ENGINES, Engine, PendingFaces
from lipsync_core.runtime.samples import FaceSamples, FaceSource, sample_faces
from lipsync_core.runtime.selection import (
    EngineChoice,
    EngineRequest,
    build_engine,
    choose_engine,
    refuse_unknown_engine,
)
from lipsync_core.runtime.torch_engine import TorchEngine, TorchOptions

__all__ = [
    "ENGINES",
    "Difference",
    "Engine",
    "EngineChoice",
    "EngineRequest",
    "FaceSamples",
    "FaceSource",
    "PendingFaces",
    "TorchEngine",
    "TorchOptions",
    "build_engine",
    "choose_engine",
    "difference_between",
    "refuse_unknown_engine",
    "sample_faces",
]
