"""Runs in processes of their own: killed ones go on, two together learn one network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.distributed import Processes, choose_device, join_processes
from lipsync_core.training.loop import read_checkpoint

DRIVER = Path(__file__).parents[2] / "support" / "train_driver.py"


@pytest.fixture(scope="module")
def driven(tmp_path_factory, prepared_folder):
    out = tmp_path_factory.mktemp("driven")
    done = subprocess.run(
        [sys.executable, DRIVER, prepared_folder, out],
        capture_output=True, text=True, timeout=240, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    statuses = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert set(statuses) == {"whole", "2", "saving", "4", "never", "rank0", "rank1"}, done.stderr
    return out, {name: int(status) for name, status in statuses.items()}


def test_a_run_killed_anywhere_ends_with_the_weights_of_an_unbroken_one(driven):
    out, statuses = driven
    assert [statuses[place] for place in ("whole", "2", "saving", "4", "never")] == [0, -9, -9, -9, 0]
    whole, killed = (read_checkpoint(out / name / "checkpoint.pt") for name in ("whole", "killed"))
    assert whole["progress"]["step"] == killed["progress"]["step"] == 5
    for part in ("network", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, killed[part][name]), f"{part} {name}"
    moments = [saved["optimizer"]["state"][0]["exp_avg"] for saved in (whole, killed)]
    assert torch.equal(*moments)


def test_two_processes_draw_different_batches_and_keep_the_same_weights(driven):
    out, statuses = driven
    assert statuses["rank0"] == statuses["rank1"] == 0
    drawn = [json.loads((out / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert all(one != other for one, other in zip(*drawn, strict=False))
    states = [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    saved = read_checkpoint(out / "pair" / "checkpoint.pt")
    assert all(torch.equal(value, saved["network"][name]) for name, value in states[0].items())
    log = [json.loads(line) for line in (out / "pair" / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in log if "loss" in e] == [1, 2, 3], "only the first process writes"


def test_a_process_alone_changes_nothing():
    alone = Processes(0, 1, torch.device("cpu"))
    layer = torch.nn.Linear(2, 2)
    alone.average_gradients(layer.parameters())
    assert layer.weight.grad is None
    assert alone.greatest([1.0, -2.0]) == [1.0, -2.0]
    assert join_processes("cpu") == alone


def test_devices_that_are_not_there_are_named():
    assert choose_device("cpu") == torch.device("cpu")
    for name in ("gpu", *([] if torch.cuda.is_available() else ["cuda:1"])):
        with pytest.raises(InvalidInputError, match=name):
            choose_device(name)
