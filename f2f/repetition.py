"""Recognisers that get stuck write one phrase over and over; here such loops are found."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence

LOOP_REASON = "one phrase repeated, which no speaker does"
MAX_COMPRESSION = 2.4
"""Running text is shortened by zlib to no less than this part of its characters (Whisper, section 4.5)."""
MAX_SHARE = 0.7
"""Text of which this share is one phrase, said over and over, is invented."""

_MAX_PHRASE_WORDS = 24
_MIN_REPEATS, _MIN_WORDS = 3, 6  # people do say "no, no, no"
_SURE_REPEATS, _SURE_WORDS = 5, 10  # whatever stands around it
_MIN_CHARACTERS = 60  # below, compression says nothing


def find_loop(words: Sequence[str]) -> tuple[int, int] | None:
    """Return [first, last) of the words of one window that repeat a phrase, None for running text.

    Args:
        words: in order, with or without punctuation.
    """
    spoken, runs = _runs(words)
    if runs:
        first, last, n_repeats = max(runs, key=lambda run: run[1] - run[0])
        is_all = last - first >= max(_MIN_WORDS, MAX_SHARE * len(spoken))
        if is_all or _is_sure(first, last, n_repeats):
            return spoken[first], spoken[last - 1] + 1
    return (0, len(words)) if compression_ratio(" ".join(words)) > MAX_COMPRESSION else None


def find_long_loops(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return [first, last) of every phrase that is said so often that it is a loop whatever stands around."""
    spoken, runs = _runs(words)
    sure = {(first, last) for first, last, n_repeats in runs if _is_sure(first, last, n_repeats)}
    return [(spoken[first], spoken[last - 1] + 1) for first, last in sorted(sure)]


def compression_ratio(text: str) -> float:
    """Return how often the compressed text fits into its characters; 0 for text too short to tell.

    Characters, not bytes, are counted, because scripts beyond Latin take several bytes for each.
    """
    if len(text) < _MIN_CHARACTERS:
        return 0.0
    return len(text) / len(zlib.compress(text.encode()))


def _runs(words: Sequence[str]) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Return the places of the spoken words, and (first, last, repeats) of each run that repeats itself.

    Places count spoken words only; runs of different periods may lie over one another.
    """
    keys = [_key(word) for word in words]
    spoken = [number for number, key in enumerate(keys) if key]
    keys = [keys[number] for number in spoken]
    runs: list[tuple[int, int, int]] = []
    for period in range(1, min(_MAX_PHRASE_WORDS, len(keys) // _MIN_REPEATS) + 1):
        same = 0
        for place in range(period, len(keys) + 1):
            if place < len(keys) and keys[place] == keys[place - period]:
                same += 1
                continue
            if same >= (_MIN_REPEATS - 1) * period:
                runs.append((place - same - period, place, same // period + 1))
            same = 0
    return spoken, runs


def _is_sure(first: int, last: int, n_repeats: int) -> bool:
    return n_repeats >= _SURE_REPEATS and last - first >= _SURE_WORDS


def _key(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LMN")
