"""Where a video is cut into parts whose lips are made independently of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby

MIN_SILENCE_S = 1.0
"""A part begins and ends in the middle of a silence of this length or more.

No lips are made there, and what tracking a face looks ahead and back by (smoothing 0.24 s, a bridged gap
0.4 s) ends before speech begins. So lips are as good as if the face had been followed from the beginning.
"""


def plan_parts(active: Sequence[bool], fps: Fraction, min_part_s: float) -> list[tuple[int, int]]:
    """Return the parts of a video as (first frame, frame after the last), in order and without gaps.

    They are a property of video and speech alone, so the same whoever makes them.

    Args:
        active: for each frame whether lips are made.
        fps: frames a second.
        min_part_s: no part is shorter, unless the video is.
    """
    min_frames = max(1, math.ceil(min_part_s * fps))
    borders = [0]
    for middle in _silences(active, math.ceil(MIN_SILENCE_S * fps)):
        if middle - borders[-1] >= min_frames and len(active) - middle >= min_frames:
            borders.append(middle)
    return list(zip(borders, [*borders[1:], len(active)], strict=True))


def runs_of(active: Sequence[bool]) -> Iterator[tuple[bool, int, int]]:
    """Yield (value, first frame, frame after the last) of each run of equal values."""
    first = 0
    for value, frames in groupby(active):
        stop = first + sum(1 for _ in frames)
        yield value, first, stop
        first = stop


def _silences(active: Sequence[bool], min_frames: int) -> Iterator[int]:
    """Yield the middle frame of each silence that is long enough."""
    for is_active, first, stop in runs_of(active):
        if not is_active and stop - first >= max(2, min_frames):
            yield (first + stop) // 2
