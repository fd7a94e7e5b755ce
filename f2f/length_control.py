"""Choose among translations by the time there is to say them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from f2f.candidates import Candidate, choose_fitting
from f2f.results import Segment
from f2f.speaking_rate import SpeakingRates


@dataclass(frozen=True)
class Pace:
    """How fast the dub may be, as far as it is known before it is spoken.

    Attributes:
        rates: characters per second of the voices.
        voice: that will speak, as in ``Take.voice``; None where it is not chosen yet.
        guard_s: silence kept before the next segment.
        silent_tempo: playback rate that still sounds natural.
    """

    rates: SpeakingRates = field(default_factory=SpeakingRates)
    voice: str | None = None
    guard_s: float = 0.05
    silent_tempo: float = 1.2

    def longest_s(self, segments: Sequence[Segment]) -> list[float]:
        """How long the speech of each segment may be at natural rate.

        The slot runs to the next segment's start less the guard; the last segment's to its own end, for the
        video may end there. Where segments overlap there is no room, and the shortest wording is the best.
        """
        ends_s = [one.start_s - self.guard_s for one in segments[1:]] + [one.end_s for one in segments[-1:]]
        pairs = zip(segments, ends_s, strict=True)
        return [max(0.0, end_s - one.start_s) * self.silent_tempo for one, end_s in pairs]


def wording_chooser(
    segments: Sequence[Segment], language: str, pace: Pace
) -> Callable[[int, Sequence[Candidate]], int]:
    """Return what tells, of a segment by its index and its translations, the index of the one to speak.

    Args:
        segments: in time order.
        language: code of the target language.
        pace: rates and limits.
    """
    rooms_s = pace.longest_s(segments)

    def choose(number: int, found: Sequence[Candidate]) -> int:
        if len(found) == 1:
            return 0
        return choose_fitting(
            found, rooms_s[number], lambda text: pace.rates.estimate_s(text, language, pace.voice)
        )

    return choose
