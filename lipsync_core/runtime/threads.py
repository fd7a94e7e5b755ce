"""How many threads a network may take beside the ffmpeg processes that decode and encode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

COMPACT_PARAMETERS = 4_000_000
"""Networks under this (width 0.25 has 2.3 million) outrun the encoder on one core."""


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_compact(network: nn.Module) -> bool:
    """Return whether a network is so small that plain torch is faster than the encoder."""
    return sum(parameter.numel() for parameter in network.parameters()) < COMPACT_PARAMETERS


def thread_cap(network: nn.Module, cores: int | None = None) -> int:
    """Return how many threads a network should run on.

    torch's threads wait for each other actively. In a compact network, whose layers take microseconds, they
    mostly wait: beside ffmpeg on two cores the second thread brought no frames and up to tripled the CPU
    time. Such networks get half of the cores; large ones, which the encoder waits for, get all.
    """
    cores = usable_cores() if cores is None else cores
    return max(1, cores // 2) if is_compact(network) else max(1, cores)


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Let torch use ``n_threads`` inside, at most as many as it was given before (None: as before)."""
    before = torch.get_num_threads()
    if n_threads is None or n_threads >= before:
        yield
        return
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
