"""Short trainings of every kind, on data that `training_data` makes."""

import json
from dataclasses import replace

import torch

from lipsync_core.models import LipSyncExpert
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.loop import train
from lipsync_core.training.tasks import make_task

WIDTH = 1 / 32
SMALL = TrainConfig(
    kind="lipsync_expert",
    width=WIDTH,
    steps=2,
    clips_per_step=2,
    windows_per_clip=2,
    log_every_steps=1,
    tensorboard=False,
)
KINDS = {
    "lipsync_expert": {},
    "syncnet": {},
    "wav2lip": {"sync_weight": 0.05, "windows_per_clip": 1},
    "wav2lip_gan": {"sync_weight": 0.03, "windows_per_clip": 1},
    "lipgan": {"frames_per_window": 1},
    "speech2vid": {"frames_per_window": 1},
}


def run(config, prepared, out, **options):
    torch.manual_seed(1)  # an expert has the same weights in every run
    expert = LipSyncExpert(config.width) if config.needs_expert else None
    task = make_task(config, prepared, expert)
    return task, train(task, config, out, **options)


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def small(kind, **changes):
    return replace(SMALL, kind=kind, **{**KINDS[kind], **changes})


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(states(one), states(other), strict=True))


def states(module):
    return [value for _, value in sorted(module.state_dict().items())]
