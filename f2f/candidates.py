"""Several translations of one text: put together from those of its sentences, and one chosen by length.

Pure: texts and scores in, texts and scores out.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from f2f.cues import join_texts

CLOSE_SCORE = (
    0.35  # nats per token: exp(-0.35) = 0.7, each token in the mean 30 % less likely than the best's
)


@dataclass(frozen=True)
class Candidate:
    """One translation.

    Attributes:
        text: in the target language.
        score: mean log-probability of its tokens, 0 at best; comparable between candidates of one text.
        problems: what it lost (a number, a term of the glossary), one phrase each.
    """

    text: str
    score: float = 0.0
    problems: tuple[str, ...] = ()


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best first: fewest problems, then highest score; texts that differ in case or spaces alone once."""
    found: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda one: (len(one.problems), -one.score)):
        found.setdefault(" ".join(one.text.split()).casefold(), one)
    return list(found.values())


def combine(parts: Sequence[Sequence[Candidate]], limit: int) -> list[Candidate]:
    """Return the best ``limit`` translations of a text whose sentences have the candidates ``parts``.

    A text's score is the mean of its sentences', weighted by their lengths as first candidates. Best-first
    search: of 4 candidates each, 10 sentences have a million combinations.

    Args:
        parts: for each sentence its candidates, each list ranked and not empty.
        limit: how many to return at most.
    """
    if len(parts) == 1:
        return list(parts[0][:limit])
    weights = [max(1, len(part[0].text)) for part in parts]
    total = sum(weights)

    def cost(chosen: tuple[int, ...]) -> tuple[int, float]:
        taken = [part[i] for part, i in zip(parts, chosen, strict=True)]
        n_problems = sum(len(one.problems) for one in taken)
        return n_problems, -sum(w * one.score for w, one in zip(weights, taken, strict=True)) / max(total, 1)

    first = (0,) * len(parts)
    best: list[Candidate] = []
    heap, seen = [(cost(first), first)], {first}
    while heap and len(best) < limit:
        (_, negative_score), chosen = heapq.heappop(heap)
        taken = [part[i] for part, i in zip(parts, chosen, strict=True)]
        problems = tuple(problem for one in taken for problem in one.problems)
        best.append(Candidate(_join([one.text for one in taken]), -negative_score, problems))
        for place, part in enumerate(parts):
            following = (*chosen[:place], chosen[place] + 1, *chosen[place + 1 :])
            if following[place] < len(part) and following not in seen:
                seen.add(following)
                heapq.heappush(heap, (cost(following), following))
    return rank(best)


def close_to_best(candidates: Sequence[Candidate]) -> list[int]:
    """Return the indices of the candidates among which others than the model may choose.

    They lost no more than the best one and are close to it in score (``CLOSE_SCORE``).

    Args:
        candidates: ranked, not empty.
    """
    best = candidates[0]
    return [
        i
        for i, one in enumerate(candidates)
        if len(one.problems) <= len(best.problems) and best.score - one.score <= CLOSE_SCORE
    ]


def choose_fitting(
    candidates: Sequence[Candidate], longest_s: float, estimate_s: Callable[[str], float]
) -> int:
    """Return the index of the candidate to speak: quality first, then length.

    Of the candidates that are close to the best (:func:`close_to_best`), the best that will take no more
    than ``longest_s`` is chosen, and where none will, the shortest.

    Args:
        candidates: ranked, not empty.
        longest_s: the slot at the fastest rate that sounds natural; ``inf`` where there is no limit.
        estimate_s: seconds that a text takes at natural rate.
    """
    close = close_to_best(candidates)
    if math.isinf(longest_s):
        return close[0]
    lengths = {i: estimate_s(candidates[i].text) for i in close}
    fitting = next((i for i in close if lengths[i] <= longest_s), None)
    return min(close, key=lambda i: (lengths[i], i)) if fitting is None else fitting


def _join(parts: Sequence[str]) -> str:
    text = ""
    for part in parts:
        text = join_texts(text, part.strip())
    return text
