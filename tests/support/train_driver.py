"""Trains in processes that are killed (SIGKILL) or that work together.

``python train_driver.py DATA OUT``: prints one line ``NAME STATUS`` per process; what they leave lies below
OUT. One process imports, its forks run: the imports are most of the time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lipsync_core.training import checkpoint
from lipsync_core.training.config import TrainConfig
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.loop import train
from lipsync_core.training.tasks import make_task

ALONE = TrainConfig(
    kind="speech2vid", width=1 / 32, steps=5, clips_per_step=2, windows_per_clip=1, frames_per_window=1,
    checkpoint_every_steps=1, log_every_steps=1, warmup_steps=2, tensorboard=False,
)  # fmt: skip
PAIRED = TrainConfig(
    kind="lipsync_expert", width=1 / 32, steps=3, clips_per_step=2, windows_per_clip=2, log_every_steps=1,
    val_clips=0.2, val_batches=1, tensorboard=False, device="cpu",
)  # fmt: skip


def die(*args: Any, **kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_alone(data: Path, out: Path, place: str) -> None:
    """Train; the process dies at ``place``: a step, ``saving`` (half a checkpoint is written) or never."""
    torch.manual_seed(0)
    task = make_task(ALONE, PreparedClips(data))
    if place.isdigit():
        task.begin_step = lambda step, share: die() if step == int(place) else None
    if place == "saving":
        save = torch.save

        def save_half(content: Any, file: Any) -> None:
            save(content, file)
            file.truncate(file.tell() // 2)
            file.flush()
            die()

        checkpoint.torch.save = save_half
    train(task, ALONE, out, resume=(out / "checkpoint.pt").exists())


def train_paired(data: Path, out: Path, rank: int) -> None:
    """Train as one of two processes and note what was drawn and learnt."""
    task = make_task(PAIRED, PreparedClips(data))
    draw, ids = task.draw, []

    def draw_and_note(*args: Any) -> Any:
        batch = draw(*args)
        ids.append(batch.ids)
        return batch

    task.draw = draw_and_note
    train(task, PAIRED, out)
    torch.save(task.network.state_dict(), out.parent / f"rank{rank}.pt")
    (out.parent / f"rank{rank}.json").write_text(json.dumps(ids))


def forked(name: str, action: Callable[[], None]) -> int:
    """Run in a fork and return its process id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        action()
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(name: str, child: int) -> None:
    sys.stdout.write(f"{name} {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
    sys.stdout.flush()


def main(data: str, out: str) -> None:
    folder, clips = Path(out), Path(data)
    for name, run in (("whole", "never"), *((place, "killed") for place in ("2", "saving", "4", "never"))):
        target = folder / ("whole" if name == "whole" else "killed")
        place = run if name == "whole" else name
        wait(name, forked(name, lambda target=target, place=place: train_alone(clips, target, place)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in (0, 1):
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        children.append(forked(f"rank{rank}", lambda r=rank: train_paired(clips, folder / "pair", r)))
    for rank, child in enumerate(children):
        wait(f"rank{rank}", child)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
