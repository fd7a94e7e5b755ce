"""The counts of a batch, however often it looks at a lecture."""

from __future__ import annotations

import pytest

from f2f.library.summary import Row, Summary


def test_each_language_counts_once_however_often_it_is_looked_at() -> None:
    summary = Summary()
    assert summary.add(Row("a.mp4", "hi", "unchanged"))
    for look in range(3):
        assert summary.add(Row("b.mp4", "hi", "unchanged"), comes_again=True) is (look == 0)
        assert summary.add(Row("b.mp4", "es", "held", reason="by c"), comes_again=True) is (look == 0)
    assert (summary.counts, summary.exit_code) == ({"unchanged": 2, "held": 1}, 4)
    assert not summary.add(Row("b.mp4", "hi", "unchanged"))
    assert summary.add(Row("b.mp4", "es", "made", seconds=3.0))
    assert (summary.counts, summary.exit_code) == ({"unchanged": 2, "made": 1}, 0)
    assert not summary.add(Row("b.mp4", "es", "unchanged"))  # it was made in this batch
    assert summary.counts == {"unchanged": 2, "made": 1}


def test_what_somebody_else_made_is_unchanged_from_then_on() -> None:
    summary = Summary()
    held = Row("a.mp4", "hi", "held", reason="by c")
    assert summary.add(held, comes_again=True)
    assert summary.add(Row("a.mp4", "hi", "unchanged"), comes_again=True)
    assert not summary.add(Row("a.mp4", "hi", "unchanged"), comes_again=True)
    assert (summary.counts, summary.exit_code) == ({"unchanged": 1}, 0)
    assert summary.add(held, comes_again=True)  # the video changed meanwhile
    assert summary.counts == {"held": 1}


@pytest.mark.parametrize(("reason", "seconds"), [("another", 1.0), ("no", 2.0)])
def test_another_attempt_or_reason_is_new(reason: str, seconds: float) -> None:
    summary = Summary()
    failed = Row("a.mp4", "hi", "failed", seconds=1.0, reason="no")
    assert summary.add(failed, comes_again=True)
    assert not summary.add(failed, comes_again=True)
    assert summary.add(Row("a.mp4", "hi", "failed", seconds=seconds, reason=reason))
    assert summary.counts == {"failed": 1}


def test_lectures_that_are_done_take_no_memory() -> None:
    summary = Summary()
    for number in range(1000):
        summary.add(Row(f"{number}.mp4", "hi", "unchanged"))
    for _ in range(2):
        summary.add(Row("held.mp4", "hi", "unchanged"), comes_again=True)
    summary.add(Row("held.mp4", "hi", "unchanged"))
    assert summary.counts == {"unchanged": 1001}
    assert not summary.rows and not summary._unchanged
