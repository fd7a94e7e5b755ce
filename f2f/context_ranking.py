"""Which of several translations fits what was said before: each is judged again behind the sentence before.

Systems of single sentences give each sentence a good translation that may be wrong after the one before:
pronouns, forms of address, words left out, another word for the same thing (Voita, Sennrich and Titov 2019,
"When a Good Translation is Wrong in Context", ACL, who judge systems by the same comparison of scores). Here,
as in Yu et al. 2020, "Better Document-Level Machine Translation with Bayes' Rule", TACL, the candidates of a
system of single sentences are judged from left to right, each sentence given what was chosen for those before
it. They judge by a language model of documents and a reverse model; here the translation model itself does,
given the sentences before as source and their translation as what it has written already.

Pure: texts and scores in, texts and scores out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from f2f.candidates import Candidate, close_to_best
from f2f.cues import join_texts
from f2f.results import Segment
from f2f.sentences import spoken_text

WEIGHT = 0.5
"""Part of the score behind the sentence before in the final one; the rest is the model's first score."""
MAX_PAUSE_S = 3.0
"""Behind a longer pause something new may begin."""
MAX_FALL = 1.0
"""Nats per token that the best may lose in context, a probability of a third for each token: where all lose
more, the model cannot cope with several sentences, and its order of them says nothing."""
BATCH_SIZE = 16


@dataclass(frozen=True)
class Continuation:
    """A translation to be judged behind that of the sentences before it.

    Attributes:
        source: those sentences and this one, in the source language.
        before: the translation of those sentences.
        text: a translation of this one.
    """

    source: str
    before: str
    text: str


Score = Callable[[Sequence[Continuation]], Sequence[float | None]]
"""Gives the mean log-probability of each ``text``'s tokens and its end; None where it is too long."""
Choose = Callable[[int, Sequence[Candidate]], int]
"""Gives the index of the candidate to speak, by the segment's index and its ranked candidates."""


@dataclass(frozen=True)
class Ranked:
    """The translations of one segment.

    Attributes:
        candidates: best first.
        chosen: index of the one to speak.
    """

    candidates: tuple[Candidate, ...]
    chosen: int

    @property
    def text(self) -> str:
        """What is to be spoken."""
        return self.candidates[self.chosen].text


def choose_in_context(
    translations: Sequence[Sequence[Candidate]],
    segments: Sequence[Segment],
    n_before: int,
    score: Score,
    choose: Choose,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Ranked]:
    """Rank the translations of each segment behind what was chosen for those before it, and choose.

    Segments that do not depend on each other (each first after a pause, each second …) are judged together.

    Args:
        translations: of each segment, best first, never none.
        segments: in time order.
        n_before: how many segments before one count at most.
        score: judges at most ``BATCH_SIZE`` translations at a time.
        choose: by length, after the ranking.
        progress: called with segments done and segments in all.
    """
    previous = previous_segments(segments, translations, n_before)
    ranked: dict[int, Ranked] = {}
    for wave in _waves(previous):
        asked = {
            (i, j): _continuation(segments, ranked, previous[i], i, translations[i][j].text)
            for i in wave
            if previous[i] and len(close := close_to_best(translations[i])) > 1
            for j in close
        }
        scores = _score_all(score, asked)
        for i in wave:
            found = rank_in_context(translations[i], scores.get(i, {}))
            ranked[i] = Ranked(tuple(found), choose(i, found))
        progress(len(ranked), len(segments))
    return [ranked[i] for i in range(len(segments))]


def rank_in_context(candidates: Sequence[Candidate], scores: Mapping[int, float]) -> list[Candidate]:
    """Return the candidates, those that were judged in the order of both scores.

    Args:
        candidates: ranked by themselves.
        scores: in context, by index; of the best and of those close to it. The others stay behind them.
    """
    if len(scores) < 2 or max(scores.values()) < candidates[0].score - MAX_FALL:
        return list(candidates)
    mixed = {i: (1 - WEIGHT) * candidates[i].score + WEIGHT * score for i, score in scores.items()}
    # The new best takes the old one's score: those that nobody judged stay as far from it as they were.
    top = max(mixed.values()) - candidates[0].score
    order = sorted(mixed, key=lambda i: (-mixed[i], i))
    judged = [replace(candidates[i], score=mixed[i] - top) for i in order]
    return [*judged, *(one for i, one in enumerate(candidates) if i not in mixed)]


def previous_segments(
    segments: Sequence[Segment], translations: Sequence[Sequence[Candidate]], n_before: int
) -> list[tuple[int, ...]]:
    """Return for each segment the indices of those before it that belong to the same run of speech, in order.

    A run ends at a pause of more than ``MAX_PAUSE_S``, at another speaker, and at what is not translated.
    """
    runs: list[tuple[int, ...]] = []
    for i, segment in enumerate(segments):
        last = segments[i - 1] if i else None
        goes_on = (
            last is not None
            and last.speaker == segment.speaker
            and segment.start_s - last.end_s <= MAX_PAUSE_S
            and bool(translations[i - 1][0].text and translations[i][0].text)
        )
        runs.append((*runs[-1], i - 1)[-n_before:] if goes_on and n_before else ())
    return runs


def _waves(previous: Sequence[tuple[int, ...]]) -> list[list[int]]:
    """Return the indices in groups, each of which needs only those before it."""
    waves: list[list[int]] = []
    place: list[int] = []
    for i, before in enumerate(previous):
        place.append(place[before[-1]] + 1 if before else 0)
        if place[i] == len(waves):
            waves.append([])
        waves[place[i]].append(i)
    return waves


def _continuation(
    segments: Sequence[Segment], ranked: Mapping[int, Ranked], before: Sequence[int], i: int, text: str
) -> Continuation:
    source, said = "", ""
    for k in before:
        source, said = join_texts(source, spoken_text(segments[k].text)), join_texts(said, ranked[k].text)
    return Continuation(join_texts(source, spoken_text(segments[i].text)), said, text)


def _score_all(score: Score, asked: Mapping[tuple[int, int], Continuation]) -> dict[int, dict[int, float]]:
    """Return the scores by segment and candidate; segments of which one cannot be judged have none."""
    found: dict[int, dict[int, float]] = {}
    unknown = set()
    # Like lengths together: little padding.
    order = sorted(asked, key=lambda place: (len(asked[place].source), place))
    for first in range(0, len(order), BATCH_SIZE):
        batch = order[first : first + BATCH_SIZE]
        for (i, j), value in zip(batch, score([asked[place] for place in batch]), strict=True):
            if value is None:
                unknown.add(i)
            else:
                found.setdefault(i, {})[j] = value
    return {i: scores for i, scores in found.items() if i not in unknown}
