"""The small interface behind which a generator runs, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from lipsync_core.runtime.difference import Difference

# Best known first on a CPU; see README for what each is.
ENGINES = (
    "auto", "torch", "torch-bf16", "torch-fp16", "openvino", "openvino-bf16", "openvino-int8",
)  # fmt: skip

PendingFaces = Callable[[], Tensor]
"""Waits for one batch and returns it; to be called once."""


class Engine(Protocol):
    """Runs one generator.

    Attributes:
        name: one of `ENGINES`.
        difference: measured difference from torch in fp32; None where nobody measured it.
        depth: batches that may be under way at once; 1 where `submit` does the work itself.
    """

    name: str
    difference: Difference | None
    depth: int

    def generate(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Return generated faces.

        Args:
            mel: (N, 1, 80, k) float32 on the CPU; any N.
            faces: (N, c, 96, 96) float32 on the CPU.

        Returns:
            (N, 3, 96, 96) float32 on the CPU, BGR in 0...1; the caller's to keep.
        """
        ...

    def submit(self, mel: Tensor, faces: Tensor) -> PendingFaces:
        """Begin a batch and return what waits for it: `generate` in two halves.

        On a graphics processor two batches may be on their way at once; on a CPU the work is done here.
        """
        ...
