"""How many threads a network may take beside the ffmpeg processes that decode and encode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lipsync_core.waiting import waits_passively

COMPACT_PARAMETERS = 4_000_000
"""Networks under this (width 0.25 has 2.3 million) outrun the encoder on one core."""


COMPACT_THREADS = 4


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

    Large networks, which the encoder waits for, get all cores. In a compact network, whose layers take
    microseconds, threads mostly wait: it gets a few, and where they wait actively (see
    `lipsync_core.waiting`) half of the cores at most. There, beside ffmpeg on two cores, the second thread
    doubled the processor time and the wall time of a whole run.
    """
    cores = max(1, usable_cores() if cores is None else cores)
    if not is_compact(network):
        return cores
    return min(COMPACT_THREADS, cores if waits_passively() else max(1, cores // 2))


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
