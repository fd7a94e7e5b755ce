"""Runs that end early, and what goes on from them."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from training_runs import KINDS, SMALL, equal, log_of, run, small

from lipsync_core.errors import CheckpointError, InvalidInputError, TrainingDivergedError
from lipsync_core.models import LipSyncExpert
from lipsync_core.training.loop import read_checkpoint, train
from lipsync_core.training.tasks import make_task


def interrupt_at(task, step, number=signal.SIGINT):
    """Let the signal come in the middle of a step."""
    begin = task.begin_step

    def begin_and_kill(at, progress):
        begin(at, progress)
        if at == step:
            os.kill(os.getpid(), number)

    task.begin_step = begin_and_kill


@pytest.mark.parametrize("kind", [*KINDS, "finetuned"])
def test_resumed_and_unbroken_runs_give_the_same_weights_bit_by_bit(kind, prepared, tmp_path):
    config = small("wav2lip", finetune_expert=True) if kind == "finetuned" else small(kind)
    config = replace(config, steps=3, warmup_steps=2)
    if kind == "finetuned":
        config = replace(config, val_clips=0.2, val_batches=1, validate_every_steps=2, sync_switch="eval")
    whole, _ = run(config, prepared, tmp_path / "whole")
    torch.manual_seed(1)
    expert = LipSyncExpert(config.width) if config.needs_expert else None
    broken_off = make_task(config, prepared, expert)
    interrupt_at(broken_off, 0)
    with pytest.raises(KeyboardInterrupt):
        train(broken_off, config, tmp_path / "parts")
    resumed, progress = run(config, prepared, tmp_path / "parts", resume=True)
    assert progress.step == 3
    for one, other in zip(whole.modules(), resumed.modules(), strict=True):
        assert equal(one, other)
    assert [e["step"] for e in log_of(tmp_path / "parts") if "loss" in e] == [1, 2, 3]
    if kind == "wav2lip_gan":  # reading checkpoints takes long, and averages are the same for all
        saved = [read_checkpoint(tmp_path / f / "checkpoint.pt") for f in ("whole", "parts")]
        assert all(torch.equal(v, saved[1]["average"][n]) for n, v in saved[0]["average"].items())


def test_sigterm_saves_and_exits_with_143(prepared, tmp_path):
    task = make_task(SMALL, prepared)
    interrupt_at(task, 0, signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_info:
        train(task, SMALL, tmp_path / "run")
    assert exit_info.value.code == 143
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pt")["progress"]["step"] == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("where", ["loss", "opponent", "gradient", "weights"])
def test_what_is_not_finite_stops_the_run_and_is_not_saved(where, prepared, tmp_path):
    config = small("lipgan", steps=3)
    task = make_task(config, prepared)
    run(replace(config, steps=1), prepared, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    spoil(task, where)
    with pytest.raises(TrainingDivergedError) as error_info:
        train(task, config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before
    words = str(error_info.value)
    assert "step 3" in words if where == "weights" else "step 2" in words
    if where != "weights":
        assert "mouth_l1" in words
        assert "clip" in words
        assert "@" in words


def spoil(task, where):
    loss, opponent_loss = task.loss, task.opponent_loss
    if where == "loss":
        task.loss = lambda batch, share: (loss(batch, share)[0] * torch.nan, loss(batch, share)[1])
    elif where == "opponent":
        task.opponent_loss = lambda batch: (opponent_loss(batch)[0] + torch.inf, {})
    elif where == "gradient":  # finite, but its derivative at 0 is not
        task.loss = lambda batch, share: (
            loss(batch, share)[0] + (0 * next(task.network.parameters()).sum()).sqrt(),
            loss(batch, share)[1],
        )
    else:
        begin = task.begin_step

        def begin_step(step, share):
            begin(step, share)
            task.network.output[0].conv_block[1].running_mean.fill_(torch.nan)  # unseen in train mode

        task.begin_step = begin_step


def test_expert_switched_on_by_evaluation_stays_on_after_a_resume(prepared, tmp_path):
    config = small("wav2lip", steps=3, val_clips=0.2, val_batches=1, validate_every_steps=2,
                   validate_early_step=2, sync_switch="eval", sync_eval_threshold=100.0)  # fmt: skip
    run(replace(config, steps=2), prepared, tmp_path / "run")
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pt")["switches"] == {"sync": True}
    never = replace(config, sync_eval_threshold=0.0)
    run(never, prepared, tmp_path / "run", resume=True)
    entries = [e for e in log_of(tmp_path / "run") if "loss" in e]
    assert ["sync" in e for e in entries] == [False, False, True]


def test_time_limit_ends_a_run(prepared, tmp_path):
    _, progress = run(replace(SMALL, steps=10_000), prepared, tmp_path / "run", max_minutes=1e-4)
    assert 1 <= progress.step < 10_000


def test_finished_work_is_not_overwritten_and_strangers_are_not_resumed(prepared, tmp_path):
    run(SMALL, prepared, tmp_path / "run")
    with pytest.raises(InvalidInputError, match="--resume"):
        run(SMALL, prepared, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"width 0\.03125"):
        run(replace(SMALL, width=0.25), prepared, tmp_path / "run", resume=True)
    with pytest.raises(CheckpointError, match="nothing to continue"):
        run(SMALL, prepared, tmp_path / "other", resume=True)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "checkpoint.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match="cannot read"):
        run(SMALL, prepared, tmp_path / "bad", resume=True)
