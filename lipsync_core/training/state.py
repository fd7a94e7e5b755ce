"""Everything of a run that changes from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lipsync_core.errors import CheckpointError, TrainingDivergedError
from lipsync_core.training.checkpoint import read_checkpoint, refuse_stranger, write_checkpoint
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.distributed import Processes
from lipsync_core.training.tasks import Batch, Task

_LISTED_IDS = 12

Backward = Callable[[Batch], tuple[dict[str, float], str]]  # figures of a part and what went wrong


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


class TrainingState:
    """Networks, optimisers, running average and progress of one run."""

    def __init__(self, task: Task, config: TrainConfig, processes: Processes) -> None:
        torch.manual_seed(config.seed)
        self.task, self.config, self.processes, self.progress = task, config, processes, Progress()
        for network in task.modules():
            network.to(processes.device)
            # SyncNet's convolutions are 3-D and lay out their images themselves.
            if config.channels_last and config.kind != "syncnet":
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.to_train_mode()
        self.average = _copied_state(task.network)
        self.optimizer = _optimizer(config, config.learning_rate, task.network, task.extra)
        self.opponent_optimizer = (
            _optimizer(config, config.opponent_learning_rate, task.opponent) if task.opponent else None
        )

    def to_train_mode(self) -> None:
        """Put the network into train mode, its batch norm into eval mode if the configuration says so."""
        self.task.network.train()
        if self.config.freeze_batch_norm:
            for module in self.task.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def step(self, batch: Batch, share: float) -> dict[str, float]:
        """Do one optimiser step and those of the opponent; return the mean figures of its parts.

        Raises:
            TrainingDivergedError: a loss or a gradient is not finite; no weight of the network was changed.
        """
        self.task.begin_step(self.progress.step, share)
        self._set_learning_rates(share)
        sums: dict[str, float] = {}
        if self.config.opponent_steps == "first" and self.opponent_optimizer is not None:
            for turn in range(self.task.n_opponent_turns):
                self._take_turn([self.opponent_optimizer], batch, sums, partial(self._opponent_turn, turn))
            self._take_turn([self.optimizer], batch, sums, partial(self._backward, share))
        else:
            self._take_turn(list(self._optimizers()), batch, sums, partial(self._both_backward, share))
        self.processes.average_statistics(m for m in (self.task.network, self.task.opponent) if m is not None)
        self._update_average()
        return sums

    def _take_turn(
        self, optimizers: list[torch.optim.AdamW], batch: Batch, sums: dict[str, float], backward: Backward
    ) -> None:
        """Let some optimisers do one step, all parts of the batch taken together, and add to the figures."""
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        fault = ""
        for part in batch.parts(self.config.accumulate):
            figures, fault = backward(part.to(self.processes.device))
            if fault:
                break
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value / self.config.accumulate
        self._stop_together(fault)
        for optimizer in optimizers:
            parameters = _parameters_of(optimizer)
            self.processes.average_gradients(parameters)
            limit = self.config.gradient_norm_limit or math.inf
            norm = float(nn.utils.clip_grad_norm_(parameters, limit))
            if not math.isfinite(norm):
                self._stop_together(self._report("gradient norm", norm, sums, batch))
        for optimizer in optimizers:
            optimizer.step()

    def _opponent_turn(self, turn: int, part: Batch) -> tuple[dict[str, float], str]:
        """Add the gradients of one of the opponent's own steps; the network stays as it is."""
        assert self.opponent_optimizer is not None
        self.task.network.eval()
        with self.autocast():
            loss, figures = self.task.opponent_turn(part, turn)
        self.to_train_mode()
        if not math.isfinite(value := loss.item()):
            return figures, self._report("loss of the opponent", value, figures, part)
        _add_gradients(loss / self.config.accumulate, self.opponent_optimizer)
        return figures, ""

    def _backward(self, share: float, part: Batch) -> tuple[dict[str, float], str]:
        """Add the gradients of a part of the batch; return its figures and, if it went wrong, a report."""
        with self.autocast():
            loss, figures = self.task.loss(part, share)
        figures = {"loss": loss.item(), **figures}
        if not math.isfinite(figures["loss"]):
            return figures, self._report("loss", figures["loss"], figures, part)
        _add_gradients(loss / self.config.accumulate, self.optimizer)
        return figures, ""

    def _both_backward(self, share: float, part: Batch) -> tuple[dict[str, float], str]:
        """The same, and the opponent's gradients from the network's pass."""
        figures, fault = self._backward(share, part)
        if fault or self.opponent_optimizer is None:
            return figures, fault
        with self.autocast():
            loss, more = self.task.opponent_loss(part)
        figures |= more
        if not math.isfinite(value := loss.item()):
            return figures, self._report("loss of the opponent", value, figures, part)
        _add_gradients(loss / self.config.accumulate, self.opponent_optimizer)
        return figures, ""

    def autocast(self) -> torch.autocast:
        """Return the precision in which losses are computed."""
        return torch.autocast(self.processes.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _report(self, what: str, value: float, figures: dict[str, float], batch: Batch) -> str:
        terms = ", ".join(f"{name} {number:g}" for name, number in figures.items())
        more = len(batch.ids) - _LISTED_IDS
        ids = "; ".join(batch.ids[:_LISTED_IDS]) + (f"; and {more} more" if more > 0 else "")
        return f"{what} is {value} at step {self.progress.step + 1} ({terms}) on {ids}"

    def _stop_together(self, fault: str) -> None:
        """Stop all processes if one of them has a fault (they would wait for each other for ever)."""
        (bad,) = self.processes.greatest([float(bool(fault))])
        if bad:
            raise TrainingDivergedError(
                f"{fault or 'another process diverged'}; the checkpoint before it is untouched: resume it "
                "with a lower learning_rate, or without those clips"
            )

    def _set_learning_rates(self, share: float) -> None:
        c = self.config
        warm = min(1.0, (self.progress.step + 1) / max(1, c.warmup_steps))
        fall = c.final_lr_share + (1 - c.final_lr_share) * (1 + math.cos(math.pi * share)) / 2
        for optimizer, peak in zip(
            self._optimizers(), (c.learning_rate, c.opponent_learning_rate), strict=False
        ):
            for group in optimizer.param_groups:
                group["lr"] = peak * warm * fall

    def _optimizers(self) -> Iterator[torch.optim.AdamW]:
        yield self.optimizer
        if self.opponent_optimizer is not None:
            yield self.opponent_optimizer

    @torch.no_grad()
    def _update_average(self) -> None:
        # The average's memory grows with the run, so that it forgets the first, random steps.
        decay = min(self.config.ema_decay, (1 + self.progress.step) / (10 + self.progress.step))
        values = self.task.network.state_dict()
        floats = [name for name, value in values.items() if value.is_floating_point()]
        averages, news = [self.average[name] for name in floats], [values[name] for name in floats]
        torch._foreach_lerp_(averages, news, 1 - decay)  # one launch on a GPU, as in torch.optim.swa_utils
        for name in values.keys() - set(floats):
            self.average[name].copy_(values[name])

    def save(self, path: Path) -> None:
        """Write everything that a resume or an export needs; never weights that are not finite.

        Raises:
            TrainingDivergedError: a weight is not finite; the checkpoint before it stays.
        """
        networks = {"network": self.task.network, "extra": self.task.extra}
        if self.task.opponent is not None:
            networks["opponent"] = self.task.opponent
        states: dict[str, Any] = {name: network.state_dict() for name, network in networks.items()}
        states["average"] = self.average
        for name, state in states.items():
            if broken := [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]:
                raise TrainingDivergedError(
                    f"{len(broken)} tensors of the {name} are not finite at step {self.progress.step}, first "
                    f"{broken[0]}; {path} is untouched: resume it with a lower learning_rate"
                )
        content = {
            "config": asdict(self.config),
            "progress": asdict(self.progress),
            **states,
            "optimizer": self.optimizer.state_dict(),
            "opponent_optimizer": self.opponent_optimizer and self.opponent_optimizer.state_dict(),
            "switches": self.task.switches(),
            "random": torch.get_rng_state(),
        }
        write_checkpoint(content, path)

    def load(self, path: Path, resume: bool) -> None:
        """Continue from a checkpoint: in every respect, or (an earlier phase) from what was learnt.

        Raises:
            CheckpointError: missing, damaged, or of another network.
        """
        if not path.exists():
            raise CheckpointError(f"{path} does not exist, so there is nothing to continue")
        saved = read_checkpoint(path)
        refuse_stranger(saved["config"], self.config, path, resume)
        try:
            self.task.network.load_state_dict(saved["network"])
            self.task.extra.load_state_dict(saved["extra"])
            _load_optimizer(self.optimizer, saved["optimizer"])
            if self.task.opponent is not None and (resume or saved.get("opponent")):
                self.task.opponent.load_state_dict(saved["opponent"])
                assert self.opponent_optimizer is not None
                _load_optimizer(self.opponent_optimizer, saved["opponent_optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path} does not fit this configuration: {error}") from error
        self.average = {name: value.to(self.processes.device) for name, value in saved["average"].items()}
        self.progress = Progress(**saved["progress"])
        if resume:
            self.task.set_switches(saved.get("switches", {}))
            if "random" in saved:
                torch.set_rng_state(saved["random"])

    def restart(self) -> None:
        """Keep what was learnt, count time and steps anew."""
        self.task.begin()
        self.average = _copied_state(self.task.network)
        before = self.progress
        self.progress = Progress(
            earlier_steps=before.earlier_steps + before.step,
            earlier_seconds=before.earlier_seconds + before.seconds,
        )


def _copied_state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _optimizer(config: TrainConfig, learning_rate: float, *networks: nn.Module) -> torch.optim.AdamW:
    """Return AdamW with weight decay for convolution and linear weights, none for biases and batch norm."""
    parameters = [p for network in networks for p in network.parameters()]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(config.adam_beta1, config.adam_beta2))


def _load_optimizer(optimizer: torch.optim.AdamW, saved: dict[str, Any]) -> None:
    """Take over the moments; decay and betas stay those of the configuration."""
    own = [(group["weight_decay"], group["betas"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, (decay, betas) in zip(optimizer.param_groups, own, strict=True):
        group["weight_decay"], group["betas"] = decay, betas


def _parameters_of(optimizer: torch.optim.AdamW) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _add_gradients(loss: Tensor, optimizer: torch.optim.AdamW) -> None:
    """Add gradients to an optimiser's own parameters only: the networks it looks through collect none."""
    torch.autograd.backward(loss, inputs=_parameters_of(optimizer))
