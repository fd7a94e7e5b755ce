"""Generators on OpenVINO (optional package), the fastest on Intel and AMD processors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lipsync_core.audio import MEL_BANDS
from lipsync_core.errors import InvalidInputError
from lipsync_core.generators import FACE_SIZE_PX, inputs_of
from lipsync_core.runtime.difference import Difference
from lipsync_core.runtime.engine import PendingFaces
from lipsync_core.runtime.mapped_filters import MappedFilters
from lipsync_core.runtime.openvino_graph import build_graph, import_openvino
from lipsync_core.runtime.quantization import ActivationRange
from lipsync_core.runtime.recording import record
from lipsync_core.runtime.threads import thread_cap

_PRECISIONS = {"openvino": "f32", "openvino-bf16": "bf16", "openvino-int8": "f32"}
BATCH_SIZE = 8


class OpenVINOEngine:
    """Runs a generator on OpenVINO's CPU plugin, in batches of one fixed size.

    Args:
        network: a generator, folded, in evaluation mode, fp32 on the CPU. Its filters are laid out plainly,
            so that both share them, and where possible in a file (see `MappedFilters`): PyTorch then runs it
            slower, until it is laid out channels last again.
        name: ``"openvino"``, ``"openvino-bf16"`` or ``"openvino-int8"``.
        ranges: for int8, from `quantization.observe_ranges` on this network.
        kind: of generator, for the shapes of its inputs.

    Raises:
        InvalidInputError: unknown name, int8 without ranges, or a network with unknown functions.
        MissingModelError: the package is not installed.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        ranges: Sequence[ActivationRange] = (),
        *,
        kind: str = "wav2lip",
    ) -> None:
        if name not in _PRECISIONS:
            raise InvalidInputError(f"unknown engine {name!r}; choose one of {', '.join(_PRECISIONS)}")
        if (name == "openvino-int8") != bool(ranges):
            raise InvalidInputError("openvino-int8 needs ranges of the activations, the others take none")
        core = _core()
        self.name = name
        self.difference: Difference | None = None
        self.depth = 1
        self._filters: MappedFilters | None = MappedFilters(network)
        recording = record(network, _example_inputs(kind))
        self.model = core.compile_model(
            build_graph(recording, BATCH_SIZE, ranges),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _PRECISIONS[name],
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": thread_cap(network),
            },
        )
        self._request: Any = self.model.create_infer_request()

    def generate(self, mel: Tensor, faces: Tensor) -> Tensor:
        """See `Engine.generate`."""
        parts = [self._batch(mel[i : i + BATCH_SIZE], faces[i : i + BATCH_SIZE]) for i in _starts(len(mel))]
        return torch.cat(parts)

    def submit(self, mel: Tensor, faces: Tensor) -> PendingFaces:
        """See `Engine.submit`."""
        out = self.generate(mel, faces)
        return lambda: out

    def _batch(self, mel: Tensor, faces: Tensor) -> Tensor:
        n_faces = len(mel)
        inputs = {0: _filled(mel).numpy(), 1: _filled(faces).numpy()}
        (out,) = self._request.infer(inputs, share_inputs=True, share_outputs=True).values()
        if self._filters is not None:  # some are only prepared for the first faces
            self._filters.drop()
            self._filters = None
        return torch.from_numpy(out)[:n_faces].clone()


@functools.cache
def _core() -> Any:
    """Return the one OpenVINO core of this process, which is never let go.

    Its CPU plugin gives the thread that makes it a stack for signal handlers, and frees that stack wherever
    it is destroyed itself; were that another thread, the next Ctrl-C would be a crash.
    """
    return import_openvino().Core()


def _example_inputs(kind: str) -> tuple[Tensor, Tensor]:
    takes = inputs_of(kind)
    mel = torch.zeros(1, 1, MEL_BANDS, takes.mel_columns)
    return mel, torch.zeros(1, 3 * len(takes.faces), FACE_SIZE_PX, FACE_SIZE_PX)


def _starts(n_faces: int) -> range:
    return range(0, n_faces, BATCH_SIZE)


def _filled(batch: Tensor) -> Tensor:
    """Return a batch of exactly `BATCH_SIZE`, zeros at its end, in the plain layout."""
    if len(batch) == BATCH_SIZE:
        return batch.contiguous()
    full = batch.new_zeros((BATCH_SIZE, *batch.shape[1:]))
    full[: len(batch)] = batch
    return full
