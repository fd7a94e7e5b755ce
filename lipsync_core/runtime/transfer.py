"""Batches on their way to a graphics processor and back, two at a time.

While one batch is computed the next one is copied in and the last one out, through page-locked memory that
the device reads by itself. The same code runs with the CPU as device, where every step simply waits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from lipsync_core.runtime.engine import PendingFaces

N_SLOTS = 2
_GRAPH_WARM_UPS = 3  # libraries choose their kernels in the first runs, which a graph cannot hold

Run = Callable[[Tensor, Tensor], Tensor]


class DoubleBuffer:
    """Runs a network on batches of one fixed size, with two of them under way.

    Args:
        run: the network on device tensors, float32 in and out; inputs keep their shapes and places.
        device: torch device.
        batch_size: faces of one run; smaller batches are filled up with zeros, larger ones split.
        cuda_graphs: record the run once for each slot and replay it: saves the launches of some hundred
            kernels a batch.
    """

    def __init__(self, run: Run, device: str, batch_size: int, cuda_graphs: bool = False) -> None:
        self._run, self._device, self._batch_size = run, torch.device(device), batch_size
        self._cuda_graphs = cuda_graphs
        self._slots: list[_Slot] = []
        self._n_submitted = 0

    def submit(self, mel: Tensor, faces: Tensor) -> PendingFaces:
        """Begin a batch of any size and return what waits for its faces on the CPU."""
        size = self._batch_size
        jobs = [self._begin(mel[i : i + size], faces[i : i + size]) for i in range(0, len(mel), size)]
        return lambda: torch.cat([job.wait() for job in jobs])

    def _begin(self, mel: Tensor, faces: Tensor) -> _Job:
        if not self._slots:
            shapes = (self._batch_size, *mel.shape[1:]), (self._batch_size, *faces.shape[1:])
            self._slots = [_Slot(*shapes, self._device) for _ in range(N_SLOTS)]
        slot = self._slots[self._n_submitted % N_SLOTS]
        self._n_submitted += 1
        return slot.begin(mel, faces, self._run, self._cuda_graphs)


class _Job:
    """One batch under way."""

    def __init__(self, slot: _Slot, n_faces: int) -> None:
        self._slot, self._n_faces = slot, n_faces
        self._faces: Tensor | None = None

    def wait(self) -> Tensor:
        """Return the faces, the caller's to keep."""
        if self._faces is None:
            self._slot.done.synchronize()
            self._faces = self._slot.host_out[: self._n_faces].clone()
        return self._faces


class _Slot:
    """Memory of one batch on both sides, and the marks that order the steps."""

    def __init__(
        self, mel_shape: tuple[int, ...], faces_shape: tuple[int, ...], device: torch.device
    ) -> None:
        self._is_cuda = device.type == "cuda"
        layout = torch.channels_last
        self._host_mel = torch.zeros(mel_shape, pin_memory=self._is_cuda)
        self._host_faces = torch.zeros(faces_shape, pin_memory=self._is_cuda).contiguous(memory_format=layout)
        if self._is_cuda:
            self._host_faces = self._host_faces.pin_memory()
        self._mel = torch.zeros(mel_shape, device=device)
        self._faces = torch.zeros(faces_shape, device=device).contiguous(memory_format=layout)
        n, _, height, width = faces_shape
        self.host_out = torch.zeros((n, 3, height, width), pin_memory=self._is_cuda)
        new_stream: Any = torch.cuda.Stream
        new_mark: Any = torch.cuda.Event if self._is_cuda else _Mark
        self._copies = new_stream(device) if self._is_cuda else None
        self._arrived, self.done = new_mark(), new_mark()
        self._graph: tuple[Any, Tensor] | None = None
        self._job: _Job | None = None
        if self._is_cuda:
            torch.cuda.synchronize(device)  # zeros may still be being written, by another stream

    def begin(self, mel: Tensor, faces: Tensor, run: Run, cuda_graphs: bool) -> _Job:
        """Copy a batch in, start the network and the copy back, and return at once."""
        with torch.cuda.device(self._mel.device) if self._is_cuda else nullcontext():
            return self._begin(mel, faces, run, cuda_graphs)

    def _begin(self, mel: Tensor, faces: Tensor, run: Run, cuda_graphs: bool) -> _Job:
        if self._job is not None:
            self._job.wait()  # its memory is needed again
        n_faces = len(mel)
        self._host_mel[:n_faces] = mel
        self._host_faces[:n_faces] = faces
        self._host_mel[n_faces:] = 0
        self._host_faces[n_faces:] = 0
        with self._copying():
            self._mel.copy_(self._host_mel, non_blocking=True)
            self._faces.copy_(self._host_faces, non_blocking=True)
            self._arrived.record()
        self._arrived.wait()
        with torch.inference_mode():
            out = self._replayed(run) if cuda_graphs and self._is_cuda else run(self._mel, self._faces)
            self.host_out.copy_(out, non_blocking=True)
        self.done.record()
        self._job = _Job(self, n_faces)
        return self._job

    def _copying(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._copies is None else torch.cuda.stream(self._copies)

    def _replayed(self, run: Run) -> Tensor:
        if self._graph is None:
            new_stream: Any = torch.cuda.Stream
            side = new_stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(_GRAPH_WARM_UPS):
                    run(self._mel, self._faces)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others may detect faces
                out = run(self._mel, self._faces)
            self._graph = (graph, out)
        graph, out = self._graph
        graph.replay()
        return out


class _Mark:
    """Stands for an event where nothing runs by itself."""

    def record(self) -> None:
        """Nothing is under way."""

    def wait(self) -> None:
        """Nothing to wait for."""

    def synchronize(self) -> None:
        """Nothing to wait for."""
