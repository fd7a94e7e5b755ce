"""Filters in a file without a name: memory that a process need not keep.

A runtime that compiles a network makes filters of its own, in its own layout, and still holds on to those
that it was given. In a private mapping of a file these can be dropped once they were read: whoever should
read them again gets them from the file. At width 1 that is 145 MB less.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
import tempfile

import numpy as np
import torch
from torch import nn

from lipsync_core.folding import lay_out

CAN_DROP = sys.platform == "linux" and hasattr(mmap, "MADV_DONTNEED")


class MappedFilters:
    """Moves the filters of a network, plainly laid out, into a mapped file; values stay the same.

    Where memory cannot be dropped, or no file can be written, they are laid out in memory.

    Args:
        network: fp32 on the CPU; changed in place.
    """

    def __init__(self, network: nn.Module) -> None:
        self._mapping: mmap.mmap | None = None
        filters = [parameter for parameter in network.parameters() if parameter.dim() == 4]
        if CAN_DROP and filters:
            try:
                self._mapping = _mapped(filters)
            except OSError:  # no space, or nowhere to write
                self._mapping = None
        if self._mapping is None:
            lay_out(network, torch.contiguous_format)

    def drop(self) -> None:
        """Give the memory of the filters back, and what the C library keeps of freed blocks."""
        if self._mapping is not None:
            self._mapping.madvise(mmap.MADV_DONTNEED)
            with contextlib.suppress(AttributeError):  # another C library than glibc
                ctypes.CDLL(None).malloc_trim(0)


def _mapped(filters: list[nn.Parameter]) -> mmap.mmap:
    """Write filters one after the other, map the file, and let them lie there."""
    with tempfile.TemporaryFile(prefix="filters-") as file:
        for parameter in filters:
            file.write(parameter.detach().contiguous().numpy().data)
        file.flush()
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    values, first = np.frombuffer(mapping, np.float32), 0
    for parameter in filters:
        last = first + parameter.numel()
        parameter.data = torch.from_numpy(values[first:last]).view(parameter.shape)
        first = last
    return mapping
