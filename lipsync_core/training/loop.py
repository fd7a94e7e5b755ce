"""One training loop for every network: step- or time-limited, resumable, checkpoints written atomically."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.checkpoint import read_checkpoint
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.distributed import join_processes
from lipsync_core.training.drawing import BatchDrawer, draw_held_out
from lipsync_core.training.interruption import StopOnSignal, raise_interruption
from lipsync_core.training.monitor import Monitor
from lipsync_core.training.state import Progress, TrainingState
from lipsync_core.training.tasks import Batch, Task

__all__ = ["CHECKPOINT_NAME", "Progress", "read_checkpoint", "train"]

logger = logging.getLogger(__name__)

CHECKPOINT_NAME = "checkpoint.pt"


def train(
    task: Task,
    config: TrainConfig,
    out: Path,
    *,
    max_minutes: float | None = None,
    resume: bool = False,
    start_from: Path | None = None,
) -> Progress:
    """Train until the configured steps or the time limit are reached, and leave ``out/checkpoint.pt``.

    With ``schedule: nearer`` the learning rate falls to its end either way: it follows whichever limit is
    nearer. With ``schedule: steps``, and always where there is no time limit, a run that was broken off and
    resumed does exactly what an unbroken one does: on a CPU its weights are equal bit by bit.

    SIGINT and SIGTERM end the run after the step under way; it is saved first.

    Args:
        task: networks, batches and losses.
        config: learning rate, steps, seed.
        out: folder of checkpoint and log (``log.jsonl``, ``tensorboard/``).
        max_minutes: training time in all, earlier runs that are resumed included; None for no limit.
        resume: continue from ``out/checkpoint.pt``, which must exist.
        start_from: checkpoint of an earlier phase whose networks and optimisers this run begins with.

    Raises:
        InvalidInputError: ``out`` holds a checkpoint and ``resume`` is false.
        CheckpointError: nothing to resume, or it belongs to another configuration.
        TrainingDivergedError: a loss, gradient or weight is not finite.
        KeyboardInterrupt: SIGINT came; the run is saved.
        SystemExit: SIGTERM came (code 143); the run is saved.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / CHECKPOINT_NAME
    if path.exists() and not resume:
        raise InvalidInputError(f"{path} exists; pass --resume to continue it or give another --out")
    torch.set_num_threads(config.threads)
    processes = join_processes(config.device)
    state = TrainingState(task, config, processes)
    if resume:
        state.load(path, resume=True)
    elif start_from is not None:
        state.load(start_from, resume=False)
    if not resume:
        state.restart()
    run = _Run(state, out, max_minutes)
    with StopOnSignal() as stop:
        run.go(stop)
    processes.leave()
    if run.signal:
        raise_interruption(run.signal)
    return state.progress


class _Run:
    """The steps of one call of `train`."""

    def __init__(self, state: TrainingState, out: Path, max_minutes: float | None) -> None:
        self.state, self.out, self.max_minutes = state, out, max_minutes
        self.signal = 0
        self._before = state.progress.seconds
        self._begun = self._saved_at = time.monotonic()
        self._held_out: list[Batch] = []

    def go(self, stop: StopOnSignal) -> None:
        """Do the steps, and save at the end."""
        state, progress = self.state, self.state.progress
        with (
            self._monitor() as monitor,
            BatchDrawer(state.task, state.config, state.processes, progress.step) as drawer,
        ):
            while not self._is_over():
                share = self._schedule_share()
                figures = state.step(drawer.next(), share)
                progress.step += 1
                self._agree(stop)
                self._validate(monitor)
                if monitor is not None:
                    monitor.note(figures)
                    self._report(monitor)
            if monitor is not None and monitor.has_news:
                monitor.report(progress.step, progress.seconds, self._done())
        if state.processes.is_first:
            state.save(self.out / CHECKPOINT_NAME)
            logger.info("step %d saved in %s", progress.step, self.out / CHECKPOINT_NAME)

    def _is_over(self) -> bool:
        progress, limit = self.state.progress, self.max_minutes
        in_time = limit is None or progress.seconds < 60 * limit
        return bool(self.signal) or progress.step >= self.state.config.steps or not in_time

    def _schedule_share(self) -> float:
        progress, config = self.state.progress, self.state.config
        by_steps = progress.step / config.steps
        if self.max_minutes is None or config.schedule == "steps":
            return by_steps
        return min(1.0, max(by_steps, progress.seconds / (60 * self.max_minutes)))

    def _done(self) -> float:
        """Return how much of the run is done, by whichever limit is nearer."""
        progress, limit = self.state.progress, self.max_minutes
        by_time = progress.seconds / (60 * limit) if limit else 0.0
        return min(1.0, max(progress.step / self.state.config.steps, by_time))

    def _agree(self, stop: StopOnSignal) -> None:
        """Let all processes stop at the same step, and see the same clock."""
        seconds = self._before + time.monotonic() - self._begun
        signal, seconds = self.state.processes.greatest([float(stop.signal), seconds])
        self.signal, self.state.progress.seconds = int(signal), seconds

    @contextmanager
    def _monitor(self) -> Iterator[Monitor | None]:
        state = self.state
        if not state.processes.is_first:
            yield None
            return
        with Monitor(self.out, state.progress.step, self._done(), state.config.tensorboard) as monitor:
            yield monitor

    def _report(self, monitor: Monitor) -> None:
        config, progress = self.state.config, self.state.progress
        if progress.step % config.log_every_steps == 0:
            monitor.report(progress.step, progress.seconds, self._done())
        if config.samples_every_steps and progress.step % config.samples_every_steps == 0:
            self._picture(monitor)
        by_steps = config.checkpoint_every_steps and progress.step % config.checkpoint_every_steps == 0
        if by_steps or time.monotonic() - self._saved_at > 60 * config.checkpoint_every_minutes:
            self.state.save(self.out / CHECKPOINT_NAME)
            self._saved_at = time.monotonic()

    def _validate(self, monitor: Monitor | None) -> None:
        """Measure held-out clips when it is time; every process does the same, so all switch alike."""
        state, config, step = self.state, self.state.config, self.state.progress.step
        due = step == config.validate_early_step or step % config.validate_every_steps == 0
        if not config.val_clips or not due:
            return
        figures = evaluate_held_out(state, self._held_out_batches())
        state.task.validated(figures)
        if monitor is not None:
            monitor.validated(step, state.progress.seconds, figures)

    def _held_out_batches(self) -> list[Batch]:
        if not self._held_out:
            self._held_out = draw_held_out(self.state.task, self.state.config)
        return self._held_out

    def _picture(self, monitor: Monitor) -> None:
        state = self.state
        if not monitor.shows_pictures or not state.config.is_generator:
            return
        batches = self._held_out_batches() if state.config.val_clips else None
        batch = batches[0] if batches else BatchDrawer.once(state.task, state.config)
        state.task.network.eval()
        with torch.no_grad(), state.autocast():
            image = state.task.samples(batch.to(state.processes.device))
        state.to_train_mode()
        if image is not None:
            monitor.picture(state.progress.step, "reference, target, output", image)


@torch.no_grad()
def evaluate_held_out(state: TrainingState, batches: list[Batch]) -> dict[str, float]:
    """Return mean figures of the network in eval mode; nothing that is trained changes."""
    state.task.network.eval()
    sums: dict[str, float] = {}
    for batch in batches:
        with state.autocast():
            loss, figures = state.task.loss(batch.to(state.processes.device), 1.0)
        for name, value in {"loss": loss.item(), **figures}.items():
            sums[name] = sums.get(name, 0.0) + value / len(batches)
    state.to_train_mode()
    return sums
