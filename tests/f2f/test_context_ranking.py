"""Candidates behind the sentence before: which sentences count, what is asked, what the answers do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from f2f.candidates import CLOSE_SCORE, Candidate
from f2f.context_ranking import (
    BATCH_SIZE,
    MAX_FALL,
    MAX_PAUSE_S,
    Continuation,
    choose_in_context,
    previous_segments,
    rank_in_context,
)
from f2f.results import Segment

GOOD, OTHER, FAR = (
    Candidate("good", -0.5),
    Candidate("other", -0.6),
    Candidate("far", -0.5 - CLOSE_SCORE - 0.01),
)


def _segment(number: int, start_s: float, speaker: str | None = None) -> Segment:
    return Segment(id=number, start_s=start_s, end_s=start_s + 1, text=f"text {number}.", speaker=speaker)


def _texts(candidates: Sequence[Candidate]) -> list[str]:
    return [one.text for one in candidates]


class Judge:
    """Gives each text the score that it was told, and notes what it was asked."""

    def __init__(self, scores: dict[str, float | None]) -> None:
        self.scores = scores
        self.asked: list[list[Continuation]] = []

    def __call__(self, asked: Sequence[Continuation]) -> list[float | None]:
        self.asked.append(list(asked))
        return [self.scores[one.text] for one in asked]


def _best(number: int, found: Sequence[Candidate]) -> int:
    return 0


def test_a_run_of_speech_ends_at_a_pause_at_another_speaker_and_at_what_is_not_translated() -> None:
    after = 1 + MAX_PAUSE_S
    segments = [
        _segment(0, 0, "A"), _segment(1, after, "A"), _segment(2, 2 * after + 0.1, "A"),
        _segment(3, 10, "B"), _segment(4, 11, "B"), _segment(5, 12, "B"), _segment(6, 13, "B"),
    ]  # fmt: skip
    said = [[Candidate("a")]] * 7
    assert previous_segments(segments, said, 1) == [(), (0,), (), (), (3,), (4,), (5,)]
    assert previous_segments(segments, said, 2) == [(), (0,), (), (), (3,), (3, 4), (4, 5)]
    assert previous_segments(segments, said, 0) == [()] * 7
    assert previous_segments(segments, [*said[:4], [Candidate("")], *said[5:]], 2)[4:] == [(), (), (5,)]


def test_the_order_is_that_of_both_scores() -> None:
    candidates = [GOOD, OTHER, FAR]
    found = rank_in_context(candidates, {0: -0.9, 1: -0.7})
    assert _texts(found) == ["other", "good", "far"]
    assert [one.score for one in found] == pytest.approx([-0.5, -0.55, FAR.score])
    # Half of each: what the other gains must be more than what it lacked.
    assert _texts(rank_in_context(candidates, {0: -0.79, 1: -0.7})) == ["good", "other", "far"]
    assert rank_in_context(candidates, {0: -0.79, 1: -0.7})[0].score == GOOD.score


def test_a_model_that_is_lost_in_context_decides_nothing() -> None:
    lost = GOOD.score - MAX_FALL - 0.01
    assert rank_in_context([GOOD, OTHER], {0: lost - 3, 1: lost}) == [GOOD, OTHER]
    assert _texts(rank_in_context([GOOD, OTHER], {0: lost - 3, 1: lost + 0.02})) == ["other", "good"]
    assert rank_in_context([GOOD, OTHER], {1: 0.0}) == [GOOD, OTHER]


def test_each_segment_is_judged_behind_what_was_chosen_before() -> None:
    segments = [_segment(i, 1.5 * i) for i in range(3)]
    translations = [[Candidate(f"a{i}", -0.5), Candidate(f"b{i}", -0.5)] for i in range(3)]
    judge = Judge({"a1": -0.9, "b1": -0.3, "a2": -0.3, "b2": -0.9})
    told: list[tuple[int, int]] = []
    ranked = choose_in_context(translations, segments, 2, judge, _best, lambda *now: told.append(now))
    assert [one.text for one in ranked] == ["a0", "b1", "a2"]
    assert judge.asked == [
        [Continuation("text 0. text 1.", "a0", "a1"), Continuation("text 0. text 1.", "a0", "b1")],
        [
            Continuation("text 0. text 1. text 2.", "a0 b1", "a2"),
            Continuation("text 0. text 1. text 2.", "a0 b1", "b2"),
        ],
    ]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_was_chosen_for_its_length_is_what_the_next_one_follows() -> None:
    segments = [_segment(i, 1.5 * i) for i in range(2)]
    translations = [[Candidate("long", -0.5), Candidate("short", -0.6)], [GOOD, OTHER]]
    judge = Judge({"good": -0.5, "other": -0.5})
    ranked = choose_in_context(translations, segments, 1, judge, lambda i, found: 1 - i)
    assert [one.text for one in ranked] == ["short", "good"]
    assert {one.before for one in judge.asked[0]} == {"short"}


def test_only_close_candidates_without_more_problems_are_asked_about() -> None:
    segments = [_segment(i, 1.5 * i) for i in range(4)]
    spoilt = Candidate("spoilt", -0.5, ("the number 3 is lost",))
    judge = Judge({"good": -0.5, "other": -0.1})
    ranked = choose_in_context(
        [[GOOD], [GOOD, OTHER, spoilt, FAR], [GOOD, FAR], [spoilt]], segments, 1, judge, _best
    )
    assert [[one.text for one in batch] for batch in judge.asked] == [["good", "other"]]
    assert [_texts(one.candidates) for one in ranked] == [
        ["good"], ["other", "good", "spoilt", "far"], ["good", "far"], ["spoilt"],
    ]  # fmt: skip


def test_what_is_too_long_to_judge_keeps_its_order() -> None:
    segments = [_segment(i, 1.5 * i) for i in range(2)]
    judge = Judge({"good": -0.9, "other": None})
    ranked = choose_in_context([[GOOD], [GOOD, OTHER]], segments, 1, judge, _best)
    assert ranked[1].candidates == (GOOD, OTHER)


def test_segments_that_do_not_depend_on_each_other_are_judged_together_in_batches() -> None:
    """Twenty runs of two: the second of each is asked in the first wave after the first; order is kept."""
    segments = [_segment(i, 10.0 * (i // 2) + 1.5 * (i % 2)) for i in range(40)]
    translations = [[Candidate(f"a{i}", -0.5), Candidate(f"b{i}", -0.5)] for i in range(40)]
    judge = Judge({f"{x}{i}": -0.1 if (x == "b") == (i % 3 == 0) else -0.6 for x in "ab" for i in range(40)})
    ranked = choose_in_context(translations, segments, 1, judge, _best)
    expected = [f"b{i}" if i % 2 and i % 3 == 0 else f"a{i}" for i in range(40)]
    assert [one.text for one in ranked] == expected
    assert [len(batch) for batch in judge.asked] == [BATCH_SIZE, BATCH_SIZE, 8]
