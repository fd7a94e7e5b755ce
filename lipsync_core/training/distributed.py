"""Data parallel training under ``torchrun``: every process draws its own clips, gradients are averaged.

Gradients are averaged by hand, not by ``DistributedDataParallel``: a task may call parts of several networks
in any order, which that wrapper does not allow.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lipsync_core.errors import InvalidInputError


@dataclass(frozen=True)
class Processes:
    """One process among those that train together.

    Attributes:
        rank: number of the process; 0 writes checkpoints and log.
        count: how many there are.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def greatest(self, values: Sequence[float]) -> list[float]:
        """Return the greatest of each value over all processes (all must call it)."""
        if self.count == 1:
            return list(values)
        shared = torch.tensor(list(values), dtype=torch.float64, device=self._wire())
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return [float(v) for v in shared]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over all processes; a missing one counts as zero."""
        if self.count == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        self._average(gradients)

    def average_statistics(self, networks: Iterable[nn.Module]) -> None:
        """Replace every running statistic by its mean over all processes."""
        if self.count > 1:
            self._average([b for n in networks for b in n.buffers() if b.is_floating_point()])

    def _average(self, tensors: list[Tensor]) -> None:
        if not tensors:
            return
        flat = torch.cat([t.detach().reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        with torch.no_grad():
            for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def _wire(self) -> torch.device:
        """Return where the process group's messages live."""
        return self.device if dist.get_backend() == "nccl" else torch.device("cpu")

    def leave(self) -> None:
        """Take this process out of the group."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()


def join_processes(device: str) -> Processes:
    """Join the processes that ``torchrun`` started, or return this one alone.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; under torchrun ``cuda`` becomes each
            process's own.

    Raises:
        InvalidInputError: there is no such device.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")) if count > 1 else None)
    if count > 1 and not dist.is_initialized():
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Processes(rank, count, chosen)


def choose_device(name: str, local_rank: int | None = None) -> torch.device:
    """Return the device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InvalidInputError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInputError(
            f"device is {name!r}; allowed are auto, cpu, cuda, cuda:1 ..., mps"
        ) from error
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not there.get(device.type, False):
        raise InvalidInputError(f"device is {name!r}, which this machine or this PyTorch does not have")
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", local_rank or 0)
    return device
