from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.candidates import CLOSE_SCORE, Candidate, choose_fitting, combine, rank

ONE = st.builds(
    Candidate,
    text=st.text("abc ", min_size=1, max_size=8).map(str.strip).filter(bool),
    score=st.floats(-3, 0),
    problems=st.sampled_from([(), ("lost 7",), ("lost 7", "lost 8")]),
)
RANKED = st.lists(ONE, min_size=1, max_size=4).map(rank)


def _cost(one: Candidate) -> tuple[int, float]:
    return len(one.problems), -one.score


@settings(deadline=None)
@given(RANKED)
def test_ranked_candidates_are_different_and_in_order(found: list[Candidate]) -> None:
    keys = [" ".join(one.text.split()).casefold() for one in found]
    assert len(set(keys)) == len(keys)
    assert [_cost(one) for one in found] == sorted(_cost(one) for one in found)


def test_of_equal_texts_the_better_stays() -> None:
    assert rank([Candidate("a b", -2), Candidate("A  b", -1)]) == [Candidate("A  b", -1)]


@settings(deadline=None, max_examples=50)
@given(st.lists(RANKED, min_size=1, max_size=3), st.integers(1, 6))
def test_combinations_are_the_best_of_all(parts: list[list[Candidate]], limit: int) -> None:
    found = combine(parts, limit)
    assert 1 <= len(found) <= limit
    weights = [len(part[0].text) for part in parts]

    def cost(combination: tuple[Candidate, ...]) -> tuple[int, float]:
        scores = [w * one.score for w, one in zip(weights, combination, strict=True)]
        return sum(len(one.problems) for one in combination), -sum(scores) / sum(weights)

    costs = sorted(cost(one) for one in itertools.product(*parts))
    assert found[0].score == pytest.approx(-costs[0][1])
    assert _cost(found[0])[0] == costs[0][0]
    n_problems, negative_score = costs[min(limit, len(costs)) - 1]
    assert all(_cost(one) <= (n_problems, negative_score + 1e-9) for one in found)


def test_many_sentences_are_no_explosion() -> None:
    parts = [[Candidate(f"{i}{c}", -j / 10) for j, c in enumerate("abcd")] for i in range(40)]
    found = combine(parts, 4)
    assert len(found) == 4
    assert found[0].text.split() == [f"{i}a" for i in range(40)]
    assert len(found[1].text.split()) == 40


@settings(deadline=None)
@given(RANKED, st.floats(0, 10) | st.just(math.inf))
def test_quality_first_then_length(found: list[Candidate], longest_s: float) -> None:
    chosen = choose_fitting(found, longest_s, len)
    one, best = found[chosen], found[0]
    assert len(one.problems) == len(best.problems)
    assert best.score - one.score <= CLOSE_SCORE
    if len(one.text) <= longest_s:  # it fits: nothing better does
        assert all(len(other.text) > longest_s for other in found[:chosen])
    else:  # nothing that is close fits: it is the shortest
        close = [c for c in found if c.problems == one.problems and best.score - c.score <= CLOSE_SCORE]
        assert len(one.text) == min(len(other.text) for other in close)


def test_a_much_worse_translation_is_not_taken_for_being_short() -> None:
    found = [Candidate("a long good one", -0.2), Candidate("short", -2.0)]
    assert choose_fitting(found, 6, len) == 0
    assert choose_fitting([found[0], Candidate("short", -0.4)], 6, len) == 1
    assert choose_fitting([found[0], Candidate("short", -0.2, ("lost 7",))], 6, len) == 0
