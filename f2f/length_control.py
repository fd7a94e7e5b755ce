"""Choose among translations by the time there is to say them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
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


def choose_wordings(
    translations: Sequence[Sequence[Candidate]], segments: Sequence[Segment], language: str, pace: Pace
) -> list[int]:
    """Return for each segment the index of the translation to speak.

    Args:
        translations: of each segment, best first.
        segments: in time order.
        language: code of the target language.
        pace: rates and limits.
    """
    rooms = zip(translations, pace.longest_s(segments), strict=True)
    return [
        choose_fitting(found, room_s, lambda text: pace.rates.estimate_s(text, language, pace.voice))
        if len(found) > 1
        else 0
        for found, room_s in rooms
    ]
