"""Which clips are held out for validation."""

from __future__ import annotations

import copy

import numpy as np

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.dataset import PreparedClips
from lipsync_core.training.shards import ClipRecord


def split_clips(
    clips: list[ClipRecord], share: float, by: str, seed: int
) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Return the clips to train on and those held out.

    Args:
        clips: all clips, in their order.
        share: of the clips (or people) to hold out, at least one; 0 holds out none.
        by: ``clip``, or ``identity`` for whole people.
        seed: the same seed holds out the same ones.

    Raises:
        InvalidInputError: nothing would be left to train on.
    """
    if not share:
        return clips, []
    keys = [c.identity if by == "identity" else f"{c.identity}/{c.name}" for c in clips]
    names = sorted(set(keys))
    count = max(1, round(share * len(names)))
    if count >= len(names):
        raise InvalidInputError(
            f"val_clips {share} by {by} would hold out all {len(names)} there are: lower it, or add clips"
        )
    chosen = {names[i] for i in np.random.default_rng((seed, len(names))).permutation(len(names))[:count]}
    train = [c for c, key in zip(clips, keys, strict=True) if key not in chosen]
    return train, [c for c, key in zip(clips, keys, strict=True) if key in chosen]


def only(data: PreparedClips, clips: list[ClipRecord]) -> PreparedClips:
    """Return the same data with fewer clips."""
    view = copy.copy(data)
    view.clips = clips
    return view
