"""How a manifest tells where the picture was slowed."""

from __future__ import annotations

from fractions import Fraction

from f2f.results import Result
from f2f.time_map import StretchedSource, interpolated


class SlowedEntry(Result):
    """One stretch of still picture that lasts longer."""

    source_start_s: float
    source_end_s: float
    output_start_s: float
    output_end_s: float
    factor: float
    """How many times as long it lasts."""


class VideoStretchEntry(Result):
    """What ``--video-stretch`` did.

    Times of segments are the source's, those of their ``fit``, of ``lips`` and ``metrics`` the output's.
    """

    added_s: float
    """By how much the output is longer than the source."""
    slowed: tuple[SlowedEntry, ...]
    time_map: tuple[tuple[float, float], ...]
    """(source_s, output_s) of the corners; times between lie on straight lines."""
    detail: str
    """Whether the picture was copied or encoded once more."""

    def source_s(self, output_s: float) -> float:
        """Return which moment of the source is shown at one of the output."""
        return interpolated(output_s, [(after_s, before_s) for before_s, after_s in self.time_map])


def stretch_entry(stretched: StretchedSource) -> VideoStretchEntry:
    """Describe a stretched source."""
    time_map = stretched.time_map
    fps = Fraction(time_map.fps)
    slowed = [(float(one.first_frame / fps), float(one.stop_frame / fps), one) for one in time_map.slowed]
    return VideoStretchEntry(
        added_s=time_map.added_s,
        slowed=tuple(
            SlowedEntry(
                source_start_s=start_s,
                source_end_s=end_s,
                output_start_s=time_map.output_s(start_s),
                output_end_s=time_map.output_s(end_s),
                factor=round(one.factor, 4),
            )
            for start_s, end_s, one in slowed
        ),
        time_map=time_map.knots,
        detail=stretched.engine.detail,
    )
