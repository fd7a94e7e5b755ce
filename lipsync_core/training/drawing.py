"""Draws batches ahead, in threads; what is drawn depends on seed, step and process alone."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch

from lipsync_core.training.config import TrainConfig
from lipsync_core.training.distributed import Processes
from lipsync_core.training.tasks import Batch, Task

_HELD_OUT = 1 << 31  # far behind any step: held-out batches have random numbers of their own


class BatchDrawer:
    """Keeps the next batches ready.

    Args:
        task: draws them.
        config: seed and number of threads.
        processes: each process draws different batches.
        step: number of steps done; the first batch is that of the step after.
    """

    def __init__(self, task: Task, config: TrainConfig, processes: Processes, step: int) -> None:
        self._task, self._config, self._processes = task, config, processes
        self._pool = ThreadPoolExecutor(max_workers=config.draw_threads, thread_name_prefix="draw")
        self._next = step
        self._ahead: deque[Future[Batch]] = deque()
        for _ in range(config.draw_threads):
            self._submit()

    def __enter__(self) -> BatchDrawer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def next(self) -> Batch:
        """Return the batch of the next step."""
        batch = self._ahead.popleft().result()
        self._submit()
        return batch

    @staticmethod
    def once(task: Task, config: TrainConfig) -> Batch:
        """Return a batch of training clips that is always the same (for pictures)."""
        return task.draw(np.random.default_rng((config.seed, 0, 0)))

    def _submit(self) -> None:
        self._ahead.append(self._pool.submit(self._draw, self._next))
        self._next += 1

    def _draw(self, step: int) -> Batch:
        rng = np.random.default_rng((self._config.seed, step, self._processes.rank))
        with torch.no_grad():
            return self._task.draw(rng, self._processes.device)


def draw_held_out(task: Task, config: TrainConfig) -> list[Batch]:
    """Return the batches of every validation of a run: always the same ones, in every process."""
    seeds = [(config.seed, _HELD_OUT + number) for number in range(config.val_batches)]
    with torch.no_grad():
        return [task.draw_held_out(np.random.default_rng(seed)) for seed in seeds]
