"""Plan where and by how much still pictures are slowed. Pure: numbers in, a time map out.

Each line may have the picture lengthened from its own start to the next line's, where it stands still. The
least time that lets all lines be spoken no faster than ``silent_tempo`` is found as a linear programme over
all lines at once, in which a line borrows pauses by the rules of `f2f.fitting`; what cannot be had (no still
picture, or the cap) stays hurried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from f2f.config import FitConfig
from f2f.fitting import FitPlan, Line, plan_fit
from f2f.time_map import SlowedStretch, TimeMap

Span = tuple[float, float]  # start_s, end_s

_MIN_PIECE_S = 0.3
_MISSING_COST = 10.0  # a second that is missing costs as much as ten added: it is added wherever it can be
_BORROWED_SHARES = (1.0, 0.5, 0.0)  # of early_s and late_s that the plan counts on
_AS_GOOD_S = 0.05
_HURRIED = 0.005  # as `f2f.fitting` rounds


@dataclass(frozen=True)
class StretchPlan:
    """What is slowed, and what it does for the lines.

    Attributes:
        time_map: of the whole video.
        before: timing without it.
        after: timing with it, in output times.
    """

    time_map: TimeMap
    before: FitPlan
    after: FitPlan


@dataclass(frozen=True)
class _Piece:
    """Still frames [first, stop) in which line number ``line`` may be given time."""

    line: int
    first: int
    stop: int


def missing_s(plan: FitPlan, config: FitConfig) -> float:
    """Return how much time all lines together lack to be spoken at ``silent_tempo``, with the overflow."""
    tempo = config.silent_tempo + _HURRIED
    lacking = sum(
        (one.end_s - one.start_s) * (one.tempo / tempo - 1) for one in plan.placements if one.tempo > tempo
    )
    late = sum(max(0.0, one.delayed_s - config.late_s - _HURRIED) for one in plan.placements)
    return lacking + late + plan.overflow_s


def plan_stretch(
    lines: Sequence[Line], still: Sequence[Span], fps: Fraction, n_frames: int, config: FitConfig
) -> StretchPlan:
    """Return the time map that takes the hurry out of lines with the least time added.

    Args:
        lines: as for `f2f.fitting.plan_fit`.
        still: where the picture may be slowed, in order and apart.
        fps: of the video.
        n_frames: of the video.
        config: limits; nothing lasts longer than ``max_video_stretch`` times its own length.
    """
    duration_s = float(n_frames / fps)
    rate = f"{fps.numerator}/{fps.denominator}"
    before = plan_fit(lines, duration_s, config)
    plans = [StretchPlan(TimeMap(fps=rate, n_frames=n_frames), before, before)]
    ordered = sorted((one for one in lines if one.start_s < duration_s), key=lambda one: one.start_s)
    pieces = _pieces(ordered, still, fps, n_frames)
    if missing_s(before, config) <= 0 or not pieces:
        return plans[0]
    for share in _BORROWED_SHARES:
        wanted = _least_added(ordered, duration_s, _caps(ordered, pieces, fps, config), config, share)
        time_map = TimeMap(fps=rate, n_frames=n_frames, slowed=_slowed(pieces, wanted, fps, config))
        if time_map.slowed not in [plan.time_map.slowed for plan in plans]:
            moved = [_moved(one, time_map) for one in lines]
            after = plan_fit(moved, float((n_frames + time_map.n_added) / fps), config)
            plans.append(StretchPlan(time_map, before, after))
    lacking = [missing_s(plan.after, config) for plan in plans]
    good = [plan for plan, lack in zip(plans, lacking, strict=True) if lack <= min(lacking) + _AS_GOOD_S]
    return min(good, key=lambda plan: plan.time_map.n_added)


def _moved(line: Line, time_map: TimeMap) -> Line:
    start_s, end_s = time_map.output_s(line.start_s), time_map.output_s(line.end_s)
    return Line(line.segment_id, start_s, end_s, line.speech_s)


def _pieces(lines: Sequence[Line], still: Sequence[Span], fps: Fraction, n_frames: int) -> list[_Piece]:
    """Cut the still stretches at the starts of lines, to whole frames inside."""
    starts = [one.start_s for one in lines]
    pieces = []
    for number, (start_s, stop_s) in enumerate(itertools.pairwise([*starts, float(n_frames / fps)])):
        for still_start_s, still_stop_s in still:
            if still_stop_s <= start_s or still_start_s >= stop_s:
                continue
            first = math.ceil(max(start_s, still_start_s) * fps - Fraction(1, 1000))
            stop = min(n_frames, math.floor(min(stop_s, still_stop_s) * fps + Fraction(1, 1000)))
            if (stop - first) / fps >= _MIN_PIECE_S:
                pieces.append(_Piece(number, first, stop))
    return pieces


def _most_added(piece: _Piece, config: FitConfig) -> int:
    return math.floor((piece.stop - piece.first) * (config.max_video_stretch - 1) + 1e-9)


def _caps(lines: Sequence[Line], pieces: Sequence[_Piece], fps: Fraction, config: FitConfig) -> list[float]:
    """Return how much time each line may be given."""
    caps = [0.0] * len(lines)
    for piece in pieces:
        caps[piece.line] += float(_most_added(piece, config) / fps)
    return caps


def _least_added(
    lines: Sequence[Line], duration_s: float, caps: Sequence[float], config: FitConfig, share: float
) -> list[float]:
    """Return how much time to add behind the start of each line, seconds.

    Unknowns are for each line its delay against its (moved) source, the time added behind its start, and the
    time that is still missing. Each line must end before the next one starts.
    """
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import diags_array, hstack

    n_lines = len(lines)
    start = np.array([one.start_s for one in lines])
    length = np.array([one.speech_s for one in lines]) / config.silent_tempo
    pause = [start[0], *(max(0.0, b.start_s - a.end_s) for a, b in itertools.pairwise(lines))]
    room = np.append(np.diff(start) - config.guard_s, duration_s - start[-1]) - length
    delays = diags_array([np.ones(n_lines), -np.ones(n_lines - 1)], offsets=[0, 1], shape=(n_lines, n_lines))
    given = diags_array([-np.ones(n_lines)], offsets=[0], shape=(n_lines, n_lines))
    bounds = [
        *((-min(config.early_s * share, gap), config.late_s * share) for gap in pause),
        *((0.0, cap) for cap in caps),
        *((0.0, None) for _ in lines),
    ]
    costs = np.concatenate([np.zeros(n_lines), np.ones(n_lines), np.full(n_lines, _MISSING_COST)])
    found = linprog(costs, A_ub=hstack([delays, given, given]).tocsr(), b_ub=room, bounds=bounds)
    added: list[float] = found.x[n_lines : 2 * n_lines].tolist()
    return added


def _slowed(
    pieces: Sequence[_Piece], wanted_s: Sequence[float], fps: Fraction, config: FitConfig
) -> tuple[SlowedStretch, ...]:
    """Share what is wanted for each line among its pieces, in whole frames and by their lengths."""
    left = [max(0, math.ceil(seconds * fps - Fraction(1, 1000))) for seconds in wanted_s]
    lengths = [0] * len(wanted_s)
    for piece in pieces:
        lengths[piece.line] += piece.stop - piece.first
    slowed = []
    for piece in pieces:
        n_frames = piece.stop - piece.first
        share = math.ceil(left[piece.line] * n_frames / lengths[piece.line])
        n_added = min(share, _most_added(piece, config))
        left[piece.line] -= n_added
        lengths[piece.line] -= n_frames
        if n_added > 0:
            slowed.append(SlowedStretch(first_frame=piece.first, n_frames=n_frames, n_added=n_added))
    return tuple(slowed)
