"""Where each moment of the source lies in a source whose still pictures were slowed.

Whole frames are added, so that what lies between keeps its frames and is only shifted.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property

from pydantic import Field, model_validator

from f2f.results import EngineInfo, Result, Segment, SourceVideo


class SlowedStretch(Result):
    """A run of source frames that lasts longer: [first_frame, first_frame + n_frames)."""

    first_frame: int = Field(ge=0)
    n_frames: int = Field(ge=1)
    n_added: int = Field(ge=1)
    """Repetitions that were added; no frame is dropped."""

    @property
    def stop_frame(self) -> int:
        """First source frame behind it."""
        return self.first_frame + self.n_frames

    @property
    def factor(self) -> float:
        """How many times as long it lasts."""
        return (self.n_frames + self.n_added) / self.n_frames


class TimeMap(Result):
    """Piecewise linear, strictly rising map of source times to output times.

    Frames are those of the source at ``fps``.
    """

    fps: str
    n_frames: int = Field(ge=1)
    slowed: tuple[SlowedStretch, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> TimeMap:
        stop = 0
        for one in self.slowed:
            if one.first_frame < stop or one.stop_frame > self.n_frames:
                frames = f"frames {one.first_frame} to {one.stop_frame}"
                raise ValueError(f"slowed stretch of {frames}: allowed is {stop} to {self.n_frames}")
            stop = one.stop_frame
        return self

    @property
    def n_added(self) -> int:
        """How many frames the output has more."""
        return sum(one.n_added for one in self.slowed)

    @property
    def added_s(self) -> float:
        """By how much the output is longer."""
        return float(self.n_added / Fraction(self.fps))

    @cached_property
    def knots(self) -> tuple[tuple[float, float], ...]:
        """(source_s, output_s) where the slope changes, with start and end of the picture."""
        frames, added = [(0, 0)], 0
        for one in self.slowed:
            frames.append((one.first_frame, one.first_frame + added))
            added += one.n_added
            frames.append((one.stop_frame, one.stop_frame + added))
        frames.append((self.n_frames, self.n_frames + added))
        fps = Fraction(self.fps)
        return tuple((float(source / fps), float(output / fps)) for source, output in dict.fromkeys(frames))

    def output_s(self, source_s: float) -> float:
        """Return when a moment of the source is shown; before and behind the picture times are shifted."""
        return interpolated(source_s, self.knots)

    def source_s(self, output_s: float) -> float:
        """Return which moment of the source is shown; the inverse of `output_s`."""
        return interpolated(output_s, self._inverse)

    @cached_property
    def _inverse(self) -> tuple[tuple[float, float], ...]:
        return tuple((output, source) for source, output in self.knots)

    def output_frame(self, frame: int) -> int:
        """Return the first output frame that shows a source frame; it stays until the next one's."""
        place = bisect.bisect_right(self._stops, frame)
        shift = self._shifts[place]
        if place == len(self.slowed):
            return frame + shift
        one = self.slowed[place]
        into = max(0, frame - one.first_frame)
        return frame + shift + (2 * into * one.n_added + one.n_frames) // (2 * one.n_frames)

    def is_slowed_at(self, frame: float) -> bool:
        """Return whether a source frame, or a moment between two, lies in a slowed stretch."""
        place = bisect.bisect_right(self._stops, frame)
        return place < len(self.slowed) and frame >= self.slowed[place].first_frame

    @cached_property
    def _stops(self) -> list[int]:
        return [one.stop_frame for one in self.slowed]

    @cached_property
    def _shifts(self) -> list[int]:
        return list(itertools.accumulate((one.n_added for one in self.slowed), initial=0))

    def repetitions(self) -> Iterator[int]:
        """Yield how often each source frame is shown, in order: once or more."""
        shown = map(self.output_frame, range(self.n_frames + 1))
        return (after - before for before, after in itertools.pairwise(shown))

    def segment(self, segment: Segment) -> Segment:
        """Return a segment with its times and those of its words in the output."""
        words = tuple(
            word.model_copy(
                update={"start_s": self.output_s(word.start_s), "end_s": self.output_s(word.end_s)}
            )
            for word in segment.words
        )
        times = {"start_s": self.output_s(segment.start_s), "end_s": self.output_s(segment.end_s)}
        return segment.model_copy(update={**times, "words": words})


class StretchedSource(Result):
    """Result of ``stretch``: the source with still pictures slowed, for every later stage the source.

    Its name is that of the source; None where nothing was to be gained, and then the source itself serves.
    """

    file: str | None
    video: SourceVideo
    """Of the stretched source."""
    time_map: TimeMap
    engine: EngineInfo


def interpolated(time_s: float, knots: Sequence[tuple[float, float]]) -> float:
    """Return the value of the line through the knots, going on with slope 1 beyond both ends."""
    if len(knots) < 2 or time_s <= knots[0][0]:
        return knots[0][1] + (time_s - knots[0][0])
    place = bisect.bisect_left(knots, time_s, key=lambda knot: knot[0])
    if place == len(knots):
        return knots[-1][1] + (time_s - knots[-1][0])
    (x0, y0), (x1, y1) = knots[place - 1], knots[place]
    return y0 + (time_s - x0) * (y1 - y0) / (x1 - x0) if time_s < x1 else y1
