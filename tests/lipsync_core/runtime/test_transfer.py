"""The double buffer on the CPU, where every step waits, and on CUDA where there is one."""

from __future__ import annotations

import pytest
import torch
from tiny_generators import needs_cuda
from torch import Tensor

from lipsync_core.runtime.transfer import DoubleBuffer


def batch(n_faces: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Return mel and faces that hold their own number."""
    numbers = torch.arange(first, first + n_faces, dtype=torch.float32)
    mel = numbers[:, None, None, None].expand(n_faces, 1, 80, 16)
    faces = numbers[:, None, None, None].expand(n_faces, 6, 8, 8)
    return mel, faces


class Network:
    """Adds what it hears to what it sees."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.places: set[int] = set()

    def __call__(self, mel: Tensor, faces: Tensor) -> Tensor:
        self.shapes.append(tuple(faces.shape))
        self.places.add(faces.data_ptr())
        return faces[:, :3] + 100 * mel[:, :, :8, :8]


def numbers_of(faces: Tensor) -> list[float]:
    assert (faces.amin((1, 2, 3)) == faces.amax((1, 2, 3))).all()
    return faces[:, 0, 0, 0].tolist()


def test_batches_of_any_size_come_back_in_order() -> None:
    network = Network()
    buffer = DoubleBuffer(network, "cpu", batch_size=4)
    waiting = [buffer.submit(*batch(n, first)) for n, first in ((4, 0), (1, 4), (11, 5), (3, 16))]
    out = [number for wait in waiting for number in numbers_of(wait())]
    assert out == [101.0 * n for n in range(19)]
    assert set(network.shapes) == {(4, 6, 8, 8)}
    assert len(network.places) == 2  # two buffers, used in turn


def test_results_outlive_their_buffer_and_filling_leaves_nothing() -> None:
    buffer = DoubleBuffer(lambda mel, faces: faces[:, :3] + mel.sum() * 0 + faces.sum(), "cpu", 2)
    first = buffer.submit(*batch(2, 1))
    for _ in range(5):
        buffer.submit(*batch(2, 50))
    assert torch.equal(first()[0], first()[0])
    total = 6 * 64
    assert numbers_of(first()) == [1 + 3 * total, 2 + 3 * total]
    assert numbers_of(buffer.submit(*batch(1, 7))()) == [7 + 7 * total]  # the second place is zero again


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("graphs", [False, True])
def test_on_cuda(graphs: bool) -> None:
    buffer = DoubleBuffer(Network(), "cuda", 4, graphs)
    waiting = [buffer.submit(*batch(n, first)) for n, first in ((4, 0), (1, 4), (11, 5), (3, 16))]
    assert [x for wait in waiting for x in numbers_of(wait())] == [101.0 * n for n in range(19)]
