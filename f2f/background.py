"""Where the source's own sound steps back for the dub, and how far. Pure: numbers in, gains out.

The stretches are known before a sample is mixed, so the sound is already down when a line begins (a
compressor keyed by the dub would be late by its attack) and comes back just behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from f2f.results import FittedSpeech, Transcript, Translation

Span = tuple[float, float]  # start_s, end_s
Curve = npt.NDArray[np.float32]

ATTACK_S = 0.08
RELEASE_S = 0.25
_BEFORE_S, _AFTER_S = 0.1, 0.2  # recognised speech begins and ends a little inside the spoken one
_HELD_GAP_S = 0.6  # in a shorter pause the sound would come back only to leave again


def dubbed_spans(transcript: Transcript, translation: Translation, fitted: FittedSpeech) -> list[Span]:
    """Return the stretches in which the source's speech is replaced, in order and apart from each other.

    A segment that is not dubbed (sound to be kept, a voice that failed) keeps its own sound, but for where a
    dubbed line lies over it.
    """
    own, kept = _segments(transcript, translation, fitted)
    lines = [(placement.start_s, placement.end_s) for placement in fitted.placements]
    must = _joined([*lines, *own], 0.0)
    wide = _joined(
        [(max(0.0, start_s - _BEFORE_S), end_s + _AFTER_S) for start_s, end_s in must], _HELD_GAP_S
    )
    return _joined([*_without(wide, kept), *must], 0.0)


def undubbed_spans(transcript: Transcript, translation: Translation, fitted: FittedSpeech) -> list[Span]:
    """Return the segments' stretches in which the source's own speech is heard, in order."""
    own, kept = _segments(transcript, translation, fitted)
    return _without(kept, own)


def _segments(
    transcript: Transcript, translation: Translation, fitted: FittedSpeech
) -> tuple[list[Span], list[Span]]:
    """Return the segments that are replaced and those that keep their sound."""
    segments = {segment.id: segment for segment in transcript.segments}
    segments.update({one.segment.id: one.segment for one in translation.segments})
    replaced: list[Span] = []
    kept: list[Span] = []
    for segment in segments.values():
        keeps = segment.keep_original is not None or segment.id in fitted.undubbed
        (kept if keeps else replaced).append((segment.start_s, segment.end_s))
    return _joined(replaced, 0.0), _joined(kept, 0.0)


@dataclass(frozen=True)
class Presence:
    """How present the dub is: 1 within the spans, 0 away from them, with smooth ramps outside.

    Attributes:
        spans: in order, apart from each other.
    """

    spans: tuple[Span, ...]

    def curve(self, start_s: float, n_samples: int, sample_rate_hz: int) -> Curve:
        """Return the presence (0…1) of ``n_samples`` from ``start_s`` on."""
        end_s = start_s + n_samples / sample_rate_hz
        near = [
            span
            for span in self.spans
            if span[0] - ATTACK_S - RELEASE_S <= end_s and span[1] + ATTACK_S + RELEASE_S >= start_s
        ]
        curve = np.zeros(n_samples, np.float32)
        time_s = start_s + np.arange(n_samples) / sample_rate_hz
        for first_s, last_s in near:
            corners = (first_s - ATTACK_S, first_s, last_s, last_s + RELEASE_S)
            np.maximum(curve, np.interp(time_s, corners, (0, 1, 1, 0)), out=curve)
        # A raised cosine has no corner that could be heard.
        smooth: Curve = ((1 - np.cos(np.pi * curve)) / 2).astype(np.float32)
        return smooth

    def touches(self, start_s: float, end_s: float) -> bool:
        """Whether the presence is above 0 anywhere between the two times."""
        return any(
            first_s - ATTACK_S < end_s and last_s + RELEASE_S > start_s for first_s, last_s in self.spans
        )


def duck_gain(presence: Curve, duck_db: float) -> Curve:
    """Return the factor for the source's sound: 1 where the dub is absent, ``−duck_db`` where it speaks."""
    gain: Curve = np.power(10.0, presence * np.float32(-duck_db / 20), dtype=np.float32)
    return gain


def _joined(spans: Iterable[Span], gap_s: float) -> list[Span]:
    """Return the spans in order; those closer than ``gap_s`` are one."""
    joined: list[Span] = []
    for start_s, end_s in sorted(span for span in spans if span[1] > span[0]):
        if joined and start_s - joined[-1][1] <= gap_s:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        else:
            joined.append((start_s, end_s))
    return joined


def _without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """Return what is left of the spans when the holes are cut out."""
    left = list(spans)
    for hole_start_s, hole_end_s in holes:
        pieces = []
        for start_s, end_s in left:
            pieces += [(start_s, min(end_s, hole_start_s)), (max(start_s, hole_end_s), end_s)]
        left = [piece for piece in pieces if piece[1] > piece[0]]
    return left
