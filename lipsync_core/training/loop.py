"""One training loop for every network: time- or step-limited, resumable, checkpoints written atomically."""

from __future__ import annotations

import json
import logging
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lipsync_core.errors import CheckpointError, InvalidInputError
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.tasks import Batch, Task

logger = logging.getLogger(__name__)

CHECKPOINT_NAME = "checkpoint.pt"
GRADIENT_NORM_LIMIT = 5.0


@dataclass
class Progress:
    """How far a run has come; survives a resume.

    Attributes:
        step: optimiser steps of this run.
        seconds: time spent in them.
        earlier_steps: steps of the runs that it goes on from.
        earlier_seconds: time spent in those.
    """

    step: int = 0
    seconds: float = 0.0
    earlier_steps: int = 0
    earlier_seconds: float = 0.0


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

    The learning rate falls to its end either way: the schedule follows whichever limit is nearer.

    Args:
        task: network, batches and loss.
        config: learning rate, steps, seed.
        out: folder of checkpoint and log (``log.jsonl``).
        max_minutes: training time in all, earlier runs that are resumed included; None for no limit.
        resume: continue from ``out/checkpoint.pt``, which must exist.
        start_from: checkpoint of an earlier phase whose network and optimiser this run begins with.

    Raises:
        InvalidInputError: ``out`` holds a checkpoint and ``resume`` is false.
        CheckpointError: nothing to resume, or it belongs to another configuration.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / CHECKPOINT_NAME
    if path.exists() and not resume:
        raise InvalidInputError(f"{path} exists; pass --resume to continue it or give another --out")
    state = _State(task, config)
    if resume:
        state.load(path)
    elif start_from is not None:
        state.load(start_from)
    if not resume:
        state.restart()
    torch.set_num_threads(config.threads)
    with ThreadPoolExecutor(max_workers=1) as drawer:
        _run(state, drawer, out, max_minutes)
    state.save(path)
    return state.progress


def _run(state: _State, drawer: ThreadPoolExecutor, out: Path, max_minutes: float | None) -> None:
    config, progress = state.config, state.progress
    saved_at = time.monotonic()
    before = progress.seconds
    begun = time.monotonic()
    upcoming = drawer.submit(_draw, state.task, config.seed, progress.step)
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        while (share := _share_done(progress, config, max_minutes)) < 1.0:
            batch = upcoming.result()
            upcoming = _next_batch(drawer, state)
            figures = state.step(batch, share)
            progress.step += 1
            progress.seconds = before + time.monotonic() - begun
            state.note(figures)
            if progress.step % config.log_every_steps == 0:
                state.report(log, share)
            if time.monotonic() - saved_at > 60 * config.checkpoint_every_minutes:
                state.save(out / CHECKPOINT_NAME)
                saved_at = time.monotonic()
    upcoming.cancel()


def _next_batch(drawer: ThreadPoolExecutor, state: _State) -> Future[Batch]:
    return drawer.submit(_draw, state.task, state.config.seed, state.progress.step + 1)


def _draw(task: Task, seed: int, step: int) -> Batch:
    return task.draw(np.random.default_rng((seed, step)))


def _share_done(progress: Progress, config: TrainConfig, max_minutes: float | None) -> float:
    by_steps = progress.step / config.steps
    by_time = progress.seconds / (60 * max_minutes) if max_minutes else 0.0
    return max(by_steps, by_time)


class _State:
    """Network, optimiser, running average and progress of one run."""

    def __init__(self, task: Task, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.task, self.config, self.progress = task, config, Progress()
        if config.kind != "syncnet":  # its convolutions are 3-D
            task.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        task.network.train()
        if config.freeze_batch_norm:
            for module in task.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        self.average = _copied_state(task.network)
        self.optimizer = torch.optim.AdamW(_parameter_groups(task, config), lr=config.learning_rate)
        self._sums: dict[str, list[float]] = {}
        self._reported = (0, 0.0)

    def step(self, batch: Batch, share: float) -> dict[str, float]:
        """Do one optimiser step."""
        warm = min(1.0, (self.progress.step + 1) / self.config.warmup_steps)
        end = self.config.final_lr_share
        fall = end + (1 - end) * (1 + math.cos(math.pi * share)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * warm * fall
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            loss, figures = self.task.loss(batch, share)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM_LIMIT)
        self.optimizer.step()
        self._update_average()
        return {"loss": loss.item(), **figures}

    @torch.no_grad()
    def _update_average(self) -> None:
        # The average's memory grows with the run, so that it forgets the first, random steps.
        decay = min(self.config.ema_decay, (1 + self.progress.step) / (10 + self.progress.step))
        for name, value in self.task.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def note(self, figures: dict[str, float]) -> None:
        """Remember figures for the next report."""
        for name, value in figures.items():
            self._sums.setdefault(name, []).append(value)

    def report(self, log: Any, share: float) -> None:
        """Print and log the mean figures since the last report."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        self._sums.clear()
        steps, seconds = self.progress.step - self._reported[0], self.progress.seconds - self._reported[1]
        self._reported = (self.progress.step, self.progress.seconds)
        text = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        logger.info(
            "step %d  %.0f %%  %.2f steps/s  %s", self.progress.step, 100 * share, steps / seconds, text
        )
        log.write(json.dumps({"step": self.progress.step, "seconds": self.progress.seconds, **means}) + "\n")
        log.flush()

    def save(self, path: Path) -> None:
        """Write everything that a resume or an export needs."""
        part = path.with_suffix(".part")
        torch.save(
            {
                "config": asdict(self.config),
                "progress": asdict(self.progress),
                "network": self.task.network.state_dict(),
                "extra": self.task.extra.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
            },
            part,
        )
        part.replace(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        if not path.exists():
            raise CheckpointError(f"{path} does not exist, so there is nothing to continue")
        saved = read_checkpoint(path)
        for name in ("kind", "width"):
            if saved["config"][name] != getattr(self.config, name):
                raise CheckpointError(
                    f"{path} was trained with {name} {saved['config'][name]!r}, the configuration says "
                    f"{getattr(self.config, name)!r}: use its configuration or another --out"
                )
        self.task.network.load_state_dict(saved["network"])
        self.task.extra.load_state_dict(saved["extra"])
        self.average = saved["average"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.progress = Progress(**saved["progress"])
        self._reported = (self.progress.step, self.progress.seconds)

    def restart(self) -> None:
        """Keep what was learnt, count time and steps anew."""
        self.task.begin()
        self.average = _copied_state(self.task.network)
        before = self.progress
        self.progress = Progress(
            earlier_steps=before.earlier_steps + before.step,
            earlier_seconds=before.earlier_seconds + before.seconds,
        )
        self._reported = (0, 0.0)


def _copied_state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training checkpoint (plain dicts and tensors only).

    Raises:
        CheckpointError: missing or damaged.
    """
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"cannot read training checkpoint {path}: {error}") from error
    return saved


def _parameter_groups(task: Task, config: TrainConfig) -> list[dict[str, Any]]:
    """Return two groups: weight decay for convolution and linear weights, none for biases and batch norm."""
    named = [*task.network.parameters(), *task.extra.parameters()]
    return [
        {"params": [p for p in named if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in named if p.dim() <= 1], "weight_decay": 0.0},
    ]
