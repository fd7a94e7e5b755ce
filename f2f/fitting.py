"""Plan when and how fast each line is spoken. Pure: numbers in, placements out.

The whole video is planned at once (`f2f.pacing`): a line that is too long for its slot borrows the pause
behind it, then a little of the pauses around it by starting a moment early and letting the next line start
a moment late, and only what is still missing is hurried, spread over the neighbours, for a little hurry
everywhere is heard less than much in one place. The rules that always hold:

1. Nothing is cut, nothing overlaps (``guard_s`` lies between lines), the order stays.
2. No line starts more than ``early_s`` before its source, nor before the source's line before it has ended.
3. No line starts more than ``late_s`` after its source, unless what lies before is too long even at
   ``max_tempo``; that is reported, and gone as soon as the limit allows.
4. Speech that is shorter than its segment is slowed towards the segment's own end, never into the pause,
   and never below ``min_tempo``.
5. The plan neither hurries nor delays more than the one that takes line after line and borrows only behind
   (`plan_line_by_line`); where it would hurry more in all, that one is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from f2f.config import FitConfig
from f2f.results import Placement

_SAME_S = 1e-6  # closer than this is the same time: a twentieth of a sample at 48 kHz
_HARDLY_SLOWER = 0.95  # a gap of 5 % is not worth a stretch: nobody hears it, the stretch one might
_HARDLY_HURRIED = 0.01
_HARDLY_SEEN_S = 0.005  # 0.00 in words
_HARDLY_MOVED_S = 0.02  # half a frame
_TRIES = ((0.3, 1.0), (0.0, 1.0), (0.0, 0.05))
"""Evenness and punctuality, in the order in which plans are made until one hurries little enough."""


@dataclass(frozen=True)
class Line:
    """One synthesised segment: where its source is, and how long its speech is at natural rate."""

    segment_id: int
    start_s: float
    end_s: float
    speech_s: float


@dataclass(frozen=True)
class FitPlan:
    """All placements in order, and what a person must hear of them."""

    placements: tuple[Placement, ...]
    duration_s: float
    """The video's, or the end of the last line where that is later."""
    overflow_s: float
    warnings: tuple[str, ...]


def hurry(plan: FitPlan, config: FitConfig) -> float:
    """Return what is lost by hurrying: seconds of speech times the share of time taken from them, squared.

    What is taken beyond the rate that still sounds natural weighs more, as in `f2f.pacing`.
    """
    from f2f.pacing import BEYOND_NATURAL

    natural, cost = 1 - 1 / config.silent_tempo, 0.0
    for one in plan.placements:
        squeeze = max(0.0, 1 - 1 / one.tempo)
        speech_s = (one.end_s - one.start_s) * one.tempo
        cost += speech_s * (squeeze**2 + BEYOND_NATURAL * max(0.0, squeeze - natural) ** 2)
    return cost


def plan_fit(lines: Sequence[Line], video_duration_s: float, config: FitConfig) -> FitPlan:
    """Place ``lines`` in a video of ``video_duration_s`` by the rules above.

    Lines are taken in order of start. A line that starts after the video has ended is left out with a
    warning: there is no picture it could belong to.
    """
    simple = plan_line_by_line(lines, video_duration_s, config)
    ordered = _within(lines, video_duration_s)
    most = hurry(simple, config) + _SAME_S
    for evenness, punctuality in _TRIES if most > 2 * _SAME_S else ():
        starts, lengths = _wishes(ordered, simple, config, evenness, punctuality)
        plan = _placed(lines, starts, lengths, video_duration_s, config)
        if hurry(plan, config) <= most and plan.overflow_s <= simple.overflow_s + _SAME_S:
            return plan
    return simple


def plan_line_by_line(lines: Sequence[Line], video_duration_s: float, config: FitConfig) -> FitPlan:
    """Place each line where its source starts, or where the line before lets it, with what room is left."""
    ordered = _within(lines, video_duration_s)
    starts = [line.start_s for line in ordered]
    return _placed(lines, starts, [_own_length(line) for line in ordered], video_duration_s, config)


def _within(lines: Sequence[Line], video_duration_s: float) -> list[Line]:
    return sorted((one for one in lines if one.start_s < video_duration_s), key=lambda one: one.start_s)


def _own_length(line: Line) -> float:
    """Return natural length, or that of the segment where the speech is clearly shorter."""
    own_s = line.end_s - line.start_s
    return own_s if own_s > line.speech_s / _HARDLY_SLOWER else line.speech_s


def _wishes(
    lines: Sequence[Line], simple: FitPlan, config: FitConfig, evenness: float, punctuality: float
) -> tuple[list[float], list[float]]:
    """Return start and length of each line as the optimisation would have them.

    The simple plan is always among those it chooses from.
    """
    import numpy as np

    from f2f.pacing import Demand, pace

    speech = np.array([max(one.speech_s, 1e-3) for one in lines])
    source = np.array([one.start_s for one in lines])
    # The pause before is borrowed, not the speech before it.
    spoken_until = np.array([0.0, *(min(a.end_s, b.start_s) for a, b in itertools.pairwise(lines))])
    earliest = np.maximum(spoken_until, source - config.early_s)
    latest = np.maximum(source + config.late_s, [one.start_s for one in simple.placements])
    shortest = 1 - np.array([_own_length(one) for one in lines]) / speech
    demand = Demand(
        speech_s=speech,
        source_s=source,
        earliest_s=earliest,
        latest_s=latest,
        slowest=np.clip(shortest, 1 - 1 / config.min_tempo, 0),
        guard_s=config.guard_s,
        end_s=simple.duration_s,
        natural=1 - 1 / config.silent_tempo,
        fastest=1 - 1 / config.max_tempo,
    )
    starts, squeezes = pace(demand, evenness, punctuality)
    starts = np.where(np.abs(starts - source) < _HARDLY_MOVED_S, source, np.clip(starts, earliest, latest))
    squeezes = np.where(np.abs(squeezes) < _HARDLY_HURRIED, 0.0, squeezes)
    return starts.tolist(), (speech * (1 - squeezes)).tolist()


def _placed(
    lines: Sequence[Line],
    starts: Sequence[float],
    lengths: Sequence[float],
    video_duration_s: float,
    config: FitConfig,
) -> FitPlan:
    """Carry out what is wished as far as the limits allow; what is too long moves the next start."""
    ordered = _within(lines, video_duration_s)
    placements: list[Placement] = []
    warnings: list[str] = []
    free_from_s = 0.0
    for i, line in enumerate(ordered):
        is_last = i + 1 == len(ordered)
        slot_end_s = video_duration_s if is_last else ordered[i + 1].start_s - config.guard_s
        until_s = video_duration_s if is_last else starts[i + 1] - config.guard_s
        start_s = free_from_s if free_from_s > starts[i] + _SAME_S else starts[i]
        tempo = _tempo(line, start_s, lengths[i], until_s - start_s, config)
        end_s = start_s + line.speech_s / tempo
        if abs(end_s - until_s) < _SAME_S:
            end_s = until_s  # no drift from rounding
        placement = Placement(
            segment_id=line.segment_id,
            start_s=start_s,
            end_s=end_s,
            slot_end_s=slot_end_s,
            tempo=tempo,
            borrowed_s=max(0.0, min(end_s, slot_end_s) - max(line.end_s, start_s)),
            delayed_s=start_s - line.start_s,
            decision=_decision(line, start_s, end_s, slot_end_s, tempo),
        )
        placements.append(placement)
        warnings += _warnings(placement, config, is_last=is_last)
        free_from_s = end_s + config.guard_s
    warnings += [
        f"segment {line.segment_id} left out: it starts at {_clock(line.start_s)}, "
        f"the video ends at {_clock(video_duration_s)}"
        for line in sorted(lines, key=lambda one: one.start_s)
        if line.start_s >= video_duration_s
    ]
    end_s = max([video_duration_s, *(placement.end_s for placement in placements[-1:])])
    return FitPlan(tuple(placements), end_s, end_s - video_duration_s, tuple(warnings))


def _tempo(line: Line, start_s: float, length_s: float, room_s: float, config: FitConfig) -> float:
    """Return the rate for a wished length in a room; natural where neither hurry nor slowing is needed."""
    if length_s > line.speech_s:  # slowed, but not past the segment's own end
        length_s = min(length_s, line.end_s - start_s, room_s, line.speech_s / config.min_tempo)
        is_hardly_slower = length_s * _HARDLY_SLOWER < line.speech_s + _SAME_S
        length_s = line.speech_s if is_hardly_slower else length_s
    if length_s > room_s + _SAME_S:
        length_s = room_s
    shortest_s = line.speech_s / config.max_tempo
    if length_s <= shortest_s:
        return config.max_tempo
    is_natural = abs(length_s - line.speech_s) < _SAME_S
    return 1.0 if is_natural else max(line.speech_s / length_s, config.min_tempo)


def _decision(line: Line, start_s: float, end_s: float, slot_end_s: float, tempo: float) -> str:
    """Say in one phrase why this place and tempo."""
    delayed_s, over_s = start_s - line.start_s, end_s - slot_end_s
    parts = []
    if delayed_s >= _HARDLY_SEEN_S:
        parts.append(f"starts {delayed_s:.2f} s late")
    elif delayed_s <= -_HARDLY_SEEN_S:
        parts.append(f"starts {-delayed_s:.2f} s early in the pause before")
    if tempo > 1:
        alone = line.speech_s / max(slot_end_s - line.start_s, _SAME_S)
        reason = " for its neighbours' sake" if alone < 1 else ""
        if alone > tempo + _HARDLY_HURRIED:
            reason = f", not {alone:.2f}× as its own slot would need" if alone < 10 else ""
        parts.append(f"hurried to {tempo:.2f}×{reason}" if tempo >= 1.005 else "hardly hurried")
    elif tempo < 1:
        parts.append(f"slowed to {tempo:.2f}× towards the segment's end")
    else:
        parts.append("natural rate")
    if over_s >= _HARDLY_SEEN_S:
        parts.append(f"runs {over_s:.2f} s over")
    return ", ".join(parts)


def _warnings(placement: Placement, config: FitConfig, *, is_last: bool) -> list[str]:
    where = f"segment {placement.segment_id} at {_clock(placement.start_s)}"
    over_s = placement.end_s - placement.slot_end_s
    if over_s > (0.0 if is_last else config.late_s) + _SAME_S:
        effect = "the dub is that much longer than the video" if is_last else "the next line starts later"
        return [f"{where}: {over_s:.2f} s too long even at {placement.tempo:.2f}×; {effect}"]
    if placement.tempo > config.silent_tempo + _HARDLY_HURRIED / 2:
        return [f"{where}: hurried to {placement.tempo:.2f}×; a shorter translation would help"]
    return []


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
