"""Turns of speakers, and the words that belong to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt

from f2f.words import SpokenWord

_LABEL = re.compile(r"S(\d+)")

MIN_TURN_WORDS = 3
"""Fewer words between two turns of one speaker are taken for his: nobody's voice is known by them."""


_LEAST_S = (1.2, 6.0)  # a short turn; and in a long recording what a cough, a laugh or a jingle stays below
_LEAST_SHARE = 0.02


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


def label_number(speaker: str | None) -> int | None:
    """Return the number of a person who is known by the voice only, None for names and nobody."""
    label = _LABEL.fullmatch(speaker or "")
    return int(label[1]) - 1 if label else None


def least_speech_s(all_s: float) -> float:
    """Return how long somebody must be heard in so much speech to be taken for another person."""
    low_s, high_s = _LEAST_S
    return min(high_s, max(low_s, _LEAST_SHARE * all_s))


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


def best_path(scores: npt.NDArray[np.floating], switch_cost: float) -> list[int]:
    """Return who speaks at each step, where the sum of scores less the costs of all changes is highest.

    Args:
        scores: (T, K), how well each of K people fits each step; T >= 1.
        switch_cost: of one change.
    """
    best = np.asarray(scores[0], np.float64)
    origins = np.zeros(scores.shape, np.int64)
    everybody = np.arange(scores.shape[1])
    for at in range(1, len(scores)):
        leader = int(best.argmax())
        stays = best >= best[leader] - switch_cost
        origins[at] = np.where(stays, everybody, leader)
        best = np.where(stays, best, best[leader] - switch_cost) + scores[at]
    path = [int(best.argmax())]
    for at in range(len(scores) - 1, 0, -1):
        path.append(int(origins[at, path[-1]]))
    return path[::-1]


def turns_of_path(path: Sequence[int], edges_s: Sequence[float]) -> list[Turn]:
    """Return the turns of a path; step ``n`` of it lasts from ``edges_s[n]`` to ``edges_s[n + 1]``."""
    starts = [at for at in range(len(path)) if at == 0 or path[at] != path[at - 1]]
    ends = [*starts[1:], len(path)]
    return [Turn(edges_s[start], edges_s[end], path[start]) for start, end in zip(starts, ends, strict=True)]


def number_by_appearance(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns with speakers numbered from 0 in the order in which they appear."""
    numbers = {speaker: number for number, speaker in enumerate(dict.fromkeys(one.speaker for one in turns))}
    return [replace(one, speaker=numbers[one.speaker]) for one in turns]
