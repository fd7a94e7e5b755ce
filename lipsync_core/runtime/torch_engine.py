"""Generators on PyTorch: the reference in fp32, and half precision where the processor has it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError
from lipsync_core.folding import lay_out
from lipsync_core.runtime.difference import Difference
from lipsync_core.runtime.engine import PendingFaces
from lipsync_core.runtime.threads import thread_cap, torch_threads
from lipsync_core.runtime.transfer import N_SLOTS, DoubleBuffer

DTYPES = {"torch": torch.float32, "torch-bf16": torch.bfloat16, "torch-fp16": torch.float16}
BATCH_SIZE = 8  # as fast as larger ones on a CPU
GPU_BATCH_SIZE = 32


@dataclass(frozen=True)
class TorchOptions:
    """How PyTorch runs a network.

    Attributes:
        compile: compile the network with ``torch.compile`` (takes a minute at the first batch).
        cuda_graphs: replay recorded kernel launches; CUDA only.
        batch_size: faces of one run on a graphics processor, None for `GPU_BATCH_SIZE`.
    """

    compile: bool = False
    cuda_graphs: bool = False
    batch_size: int | None = None


class TorchEngine:
    """Runs a generator on PyTorch.

    Args:
        network: in evaluation mode, folded or not. In fp32 this very network is used and moved to the
            device; for other types, and to be compiled, it is copied.
        name: ``"torch"``, ``"torch-bf16"`` or ``"torch-fp16"``.
        device: torch device.
        options: see `TorchOptions`.

    Raises:
        InvalidInputError: unknown name, or CUDA graphs on another device.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str = "torch",
        device: str = "cpu",
        options: TorchOptions | None = None,
    ) -> None:
        settings = options or TorchOptions()
        if name not in DTYPES:
            raise InvalidInputError(f"unknown torch engine {name!r}; choose one of {', '.join(DTYPES)}")
        kind = torch.device(device).type
        if settings.cuda_graphs and kind != "cuda":
            raise InvalidInputError(f"CUDA graphs need a CUDA device, not {device!r}; leave them out")
        self.name, self.device = name, device
        self.difference: Difference | None = None
        self.depth = N_SLOTS if kind == "cuda" else 1
        self._dtype = DTYPES[name]
        # Convolutions of Apple's backend want the plain layout.
        self._layout = torch.contiguous_format if kind == "mps" else torch.channels_last
        stays = self._dtype == torch.float32 and not settings.compile
        own = network if stays else copy.deepcopy(network)
        self._network = own.eval().to(device=device, dtype=self._dtype)
        if own is not network or kind == "mps":
            lay_out(self._network, self._layout)
        self._threads = thread_cap(network) if kind == "cpu" else None
        if settings.compile:
            self._network.compile()
        self._is_plain = name == "torch" and kind == "cpu" and not settings.compile
        self._buffer = None
        if kind == "cuda":
            self._buffer = DoubleBuffer(
                self._run, device, settings.batch_size or GPU_BATCH_SIZE, settings.cuda_graphs
            )

    def generate(self, mel: Tensor, faces: Tensor) -> Tensor:
        """See `Engine.generate`."""
        return self.submit(mel, faces)()

    def submit(self, mel: Tensor, faces: Tensor) -> PendingFaces:
        """See `Engine.submit`."""
        if self._buffer is not None:
            return self._buffer.submit(mel, faces)
        with torch.inference_mode(), torch_threads(self._threads):
            out = self._run(mel.to(self.device), faces.to(self.device))
        return out.cpu

    def _run(self, mel: Tensor, faces: Tensor) -> Tensor:
        """Map float32 tensors on the device to a float32 tensor there."""
        try:
            # fp32 means fp32: cuDNN would otherwise multiply with 10 bits of mantissa.
            with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
                faces = faces.to(self._dtype, memory_format=self._layout)
                out: Tensor = self._network(mel.to(self._dtype), faces)
        except (RuntimeError, TypeError) as error:  # an operation or type that this device does not have
            if self._is_plain or isinstance(error, torch.OutOfMemoryError):
                raise
            reason = str(error).strip().partition("\n")[0]
            raise InvalidInputError(
                f"engine {self.name} cannot run on {self.device}: {reason}; --engine torch --device cpu "
                "works everywhere"
            ) from error
        return out.float()
