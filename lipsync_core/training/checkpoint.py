"""Checkpoints of a run on disk: there is always one whole file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from lipsync_core.errors import CheckpointError
from lipsync_core.models.registry import KINDS, same_network
from lipsync_core.training.config import TrainConfig


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


def refuse_stranger(saved: dict[str, Any], config: TrainConfig, path: Path, resume: bool) -> None:
    """Refuse a checkpoint of another network; an earlier phase may be of the same network's other kind.

    Raises:
        CheckpointError: kind, width or window differ.
    """
    wanted, found = config.kind, saved["kind"]
    if not resume and found in KINDS and same_network(wanted, found):
        found = wanted
    frames = config.window_frames if config.kind == "lipsync_expert" else saved.get("window_frames", 5)
    for name, mine, theirs in (
        ("kind", wanted, found),
        ("width", config.width, saved["width"]),
        ("window_frames", frames, saved.get("window_frames", 5)),
    ):
        if mine != theirs:
            raise CheckpointError(
                f"{path} was trained with {name} {theirs!r}, the configuration says {mine!r}: use its "
                "configuration or another --out"
            )


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write beside, flush to the disk, then replace: there is always one whole checkpoint."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
