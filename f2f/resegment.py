"""From words to segments that end where sentences end, because translation wants whole sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from f2f.cues import IDEAL_SEGMENT_S, MAX_SEGMENT_S, MIN_SEGMENT_S, ends_sentence, join_texts
from f2f.results import Segment, Word
from f2f.sentences import split_sentences
from f2f.words import SpokenWord, mean_confidence, text_of

LONG_PAUSE_S = 1.0
"""Nothing goes on over a pause of this length."""
MIN_WORDS = 3

_SHORT_PAUSE_S = 0.35
# What a cut costs by what stands before it, in units of (length - ideal)² / ideal²: a whole sentence of 1.5
# to 9 s is never cut, sentences that are short together are joined.
_CUT_IN_WORDS, _CUT_AT_PAUSE, _CUT_AT_CLAUSE = 4.0, 2.0, 1.5
_TOO_SHORT, _INNER_END = 3.0, 0.3
_CLAUSE_ENDS = tuple(",;:–—、，；：،؛")


def resegment(words: Sequence[SpokenWord]) -> tuple[Segment, ...]:
    """Cut words into segments of about 4.5 s, of at most 9 s, at sentence ends where that is possible.

    Every word comes once, in order. No segment goes over a change of speaker or of doubt, nor over a pause
    of a second. Pieces under 1.5 s or 3 words stay alone only where nothing beside them may be joined.

    Args:
        words: in time order, without overlap.
    """
    segments: list[Segment] = []
    for run in _runs(words):
        for first, last in _best_cuts(run):
            segments.append(_segment(len(segments), run[first:last]))
    return tuple(segments)


def _runs(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    run: list[SpokenWord] = []
    for word in words:
        if run and (
            (word.speaker, word.doubt) != (run[-1].speaker, run[-1].doubt)
            or word.start_s - run[-1].end_s >= LONG_PAUSE_S
        ):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _best_cuts(words: Sequence[SpokenWord]) -> list[tuple[int, int]]:
    """Return [first, last) of the segments with the least cost in sum (dynamic programming over the ends)."""
    ends = [_cut_cost(one, two) for one, two in pairwise(words)]
    cost = [0.0]
    begin = [0]
    for last in range(1, len(words) + 1):
        best, best_first = float("inf"), last - 1
        n_inner = 0
        for first in range(last - 1, -1, -1):
            n_inner += first < last - 1 and ends[first] == 0
            duration_s = words[last - 1].end_s - words[first].start_s
            if duration_s > MAX_SEGMENT_S and first < last - 1:
                break
            total = cost[first] + _shape_cost(duration_s, last - first) + _INNER_END * n_inner
            total += ends[last - 1] if last < len(words) else 0.0
            if total < best:
                best, best_first = total, first
        cost.append(best)
        begin.append(best_first)
    cuts: list[tuple[int, int]] = []
    last = len(words)
    while last > 0:
        cuts.append((begin[last], last))
        last = begin[last]
    return cuts[::-1]


def _cut_cost(word: SpokenWord, following: SpokenWord) -> float:
    if ends_sentence(word.text) and len(split_sentences(join_texts(word.text, following.text))) > 1:
        return 0.0
    if word.text.endswith(_CLAUSE_ENDS):
        return _CUT_AT_CLAUSE
    return _CUT_AT_PAUSE if following.start_s - word.end_s >= _SHORT_PAUSE_S else _CUT_IN_WORDS


def _shape_cost(duration_s: float, n_words: int) -> float:
    is_short = duration_s < MIN_SEGMENT_S or n_words < MIN_WORDS
    return ((duration_s - IDEAL_SEGMENT_S) / IDEAL_SEGMENT_S) ** 2 + _TOO_SHORT * is_short


def _segment(number: int, words: Sequence[SpokenWord]) -> Segment:
    confidence = mean_confidence(words)
    return Segment(
        id=number,
        start_s=round(words[0].start_s, 3),
        end_s=round(words[-1].end_s, 3),
        text=text_of(words),
        speaker=words[0].speaker,
        confidence=None if confidence is None else round(confidence, 3),
        words=tuple(_word(word) for word in words),
        keep_original=words[0].doubt,
    )


def _word(word: SpokenWord) -> Word:
    confidence = None if word.confidence is None else round(word.confidence, 3)
    return Word(
        start_s=round(word.start_s, 3), end_s=round(word.end_s, 3), text=word.text, confidence=confidence
    )
