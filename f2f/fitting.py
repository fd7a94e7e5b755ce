"""Plan when and how fast each line is spoken. Pure: numbers in, placements out.

The rules, in this order:

1. A line starts at its source start. Its slot runs to the next line's start less a guard (the last line's
   to the end of the video), so the pause after the source segment is borrowed before anything is hurried.
2. Speech that fits its slot keeps its natural rate; speech shorter than its source segment is slowed
   towards the segment's own end, never into the pause, and never below ``min_tempo``.
3. Speech that does not fit is played just fast enough: up to ``silent_tempo`` without a word, up to
   ``max_tempo`` with a warning.
4. What is too long even then runs over and moves the next start, which is reported. The lines after it
   follow the same rules in what is left of their slots, so the delay is gone as soon as the limit allows.

Nothing is cut, nothing overlaps, the order stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from f2f.config import FitConfig
from f2f.results import Placement

_SAME_S = 1e-6  # closer than this is the same time: a twentieth of a sample at 48 kHz
_HARDLY_SLOWER = 0.95  # a gap of 5 % is not worth a stretch: nobody hears it, the stretch one might


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


def plan_fit(lines: Sequence[Line], video_duration_s: float, config: FitConfig) -> FitPlan:
    """Place ``lines`` in a video of ``video_duration_s`` by the rules above.

    Lines are taken in order of start. A line that starts after the video has ended is left out with a
    warning: there is no picture it could belong to.
    """
    ordered = sorted(lines, key=lambda line: line.start_s)
    late = [line for line in ordered if line.start_s >= video_duration_s]
    ordered = ordered[: len(ordered) - len(late)]
    placements: list[Placement] = []
    warnings: list[str] = []
    free_from_s = 0.0
    for i, line in enumerate(ordered):
        is_last = i + 1 == len(ordered)
        slot_end_s = video_duration_s if is_last else ordered[i + 1].start_s - config.guard_s
        start_s = free_from_s if free_from_s > line.start_s + _SAME_S else line.start_s
        placement = _place(line, start_s, slot_end_s, config)
        placements.append(placement)
        warnings += _warnings(placement, config, is_last=is_last)
        free_from_s = placement.end_s + config.guard_s
    warnings += [
        f"segment {line.segment_id} left out: it starts at {_clock(line.start_s)}, "
        f"the video ends at {_clock(video_duration_s)}"
        for line in late
    ]
    end_s = max([video_duration_s, *(placement.end_s for placement in placements[-1:])])
    return FitPlan(tuple(placements), end_s, end_s - video_duration_s, tuple(warnings))


def _place(line: Line, start_s: float, slot_end_s: float, config: FitConfig) -> Placement:
    tempo = _tempo(line, start_s, slot_end_s, config)
    end_s = start_s + line.speech_s / tempo
    if abs(end_s - slot_end_s) < _SAME_S:
        end_s = slot_end_s  # no drift from rounding
    return Placement(
        segment_id=line.segment_id,
        start_s=start_s,
        end_s=end_s,
        slot_end_s=slot_end_s,
        tempo=tempo,
        borrowed_s=max(0.0, min(end_s, slot_end_s) - max(line.end_s, start_s)),
        delayed_s=start_s - line.start_s,
        decision=_decision(tempo, end_s - slot_end_s, start_s - line.start_s),
    )


def _tempo(line: Line, start_s: float, slot_end_s: float, config: FitConfig) -> float:
    room_s = slot_end_s - start_s
    if line.speech_s <= room_s:
        own_s = min(line.end_s, slot_end_s) - start_s
        filling = line.speech_s / own_s if own_s > 0 else math.inf
        return 1.0 if filling >= _HARDLY_SLOWER else max(filling, config.min_tempo)
    needed = line.speech_s / room_s if room_s > 0 else math.inf
    return min(needed, config.max_tempo)


def _decision(tempo: float, over_s: float, delayed_s: float) -> str:
    if tempo > 1:
        rate = f"hurried to {tempo:.2f}×"
    elif tempo < 1:
        rate = f"slowed to {tempo:.2f}× towards the segment's end"
    else:
        rate = "natural rate"
    parts = [f"starts {delayed_s:.2f} s late"] if delayed_s > _SAME_S else []
    parts.append(rate)
    if over_s > _SAME_S:
        parts.append(f"runs {over_s:.2f} s over")
    return ", ".join(parts)


def _warnings(placement: Placement, config: FitConfig, *, is_last: bool) -> list[str]:
    where = f"segment {placement.segment_id} at {_clock(placement.start_s)}"
    over_s = placement.end_s - placement.slot_end_s
    if over_s > _SAME_S:
        effect = "the dub is that much longer than the video" if is_last else "the next line starts later"
        return [f"{where}: {over_s:.2f} s too long even at {placement.tempo:.2f}×; {effect}"]
    if placement.tempo > config.silent_tempo + _SAME_S:
        return [f"{where}: hurried to {placement.tempo:.2f}×; a shorter translation would help"]
    return []


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
