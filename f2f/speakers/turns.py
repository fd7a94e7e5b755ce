"""Turns of speakers, and the words that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from f2f.words import SpokenWord

MIN_TURN_WORDS = 3
"""Fewer words between two turns of one speaker are taken for his: nobody's voice is known by them."""


@dataclass(frozen=True)
class Turn:
    """One stretch in which one person speaks.

    Attributes:
        start_s, end_s: seconds.
        speaker: number of the person from 0.
    """

    start_s: float
    end_s: float
    speaker: int


def speaker_name(number: int) -> str:
    """Return the label of a person who is known by the voice only."""
    return f"S{number + 1}"


def speaker_at(turns: Sequence[Turn], start_s: float, end_s: float) -> int:
    """Return who speaks most in [start_s, end_s]; between turns, who speaks nearest to it."""
    shares: dict[int, float] = {}
    for one in turns:
        shared_s = min(end_s, one.end_s) - max(start_s, one.start_s)
        if shared_s > 0:
            shares[one.speaker] = shares.get(one.speaker, 0.0) + shared_s
    if shares:
        return max(shares, key=lambda speaker: shares[speaker])
    return min(turns, key=lambda one: max(one.start_s - end_s, start_s - one.end_s)).speaker


def label_words(words: Sequence[SpokenWord], turns: Sequence[Turn]) -> list[SpokenWord]:
    """Return the words with their speakers ``"S1"``, ``"S2"`` …; a stray word or two joins its neighbours.

    Args:
        words: in time order.
        turns: who speaks when; without any the words stay as they are.
    """
    if not turns:
        return list(words)
    speakers = [speaker_at(turns, word.start_s, word.end_s) for word in words]
    runs = [(speaker, len(list(run))) for speaker, run in groupby(speakers)]
    smooth: list[int] = []
    for place, (speaker, length) in enumerate(runs):
        is_inner = 0 < place < len(runs) - 1
        stray = is_inner and length < MIN_TURN_WORDS and runs[place - 1][0] == runs[place + 1][0]
        smooth += [runs[place - 1][0] if stray else speaker] * length
    return [replace(word, speaker=speaker_name(who)) for word, who in zip(words, smooth, strict=True)]
