from __future__ import annotations

from collections.abc import Sequence

import pytest

from f2f.candidates import Candidate
from f2f.length_control import Pace, wording_chooser
from f2f.results import Segment
from f2f.speaking_rate import SpeakingRates

SEGMENTS = [
    Segment(id=i, start_s=start, end_s=end, text="…")
    for i, (start, end) in enumerate([(0, 2), (3, 5), (5, 6)])
]
LONG, SHORT = "a" * 60, "b" * 30  # 4 s and 2 s of English at 15 characters per second


def _choose(found: Sequence[Sequence[Candidate]], pace: Pace) -> list[int]:
    choose = wording_chooser(SEGMENTS, "en", pace)
    return [choose(i, one) for i, one in enumerate(found)]


def test_slots_run_to_the_next_start_and_the_last_to_its_end() -> None:
    pace = Pace(guard_s=0.1, silent_tempo=1.25)
    assert pace.longest_s(SEGMENTS) == pytest.approx([2.9 * 1.25, 1.9 * 1.25, 1.0 * 1.25])
    assert pace.longest_s([]) == []
    overlapping = [SEGMENTS[0], SEGMENTS[0]]
    assert pace.longest_s(overlapping)[0] == 0


def test_a_segment_with_little_time_takes_the_shorter_wording() -> None:
    found = [[Candidate(LONG, -0.1), Candidate(SHORT, -0.2)]] * 3
    assert _choose(found, Pace(silent_tempo=1.0)) == [1, 1, 1]
    assert _choose(found, Pace(silent_tempo=1.5)) == [0, 1, 1]


def test_what_was_heard_of_the_voice_counts() -> None:
    rates = SpeakingRates()
    for _ in range(20):
        rates = rates.learn("en", "fast", "a" * 200, 10.0)  # 20 characters per second
    found = [[Candidate(LONG, -0.1), Candidate(SHORT, -0.2)]] * 3
    assert _choose(found, Pace(rates, "fast", silent_tempo=1.1)) == [0, 1, 1]
    assert _choose(found, Pace(rates, None, silent_tempo=1.1)) == [0, 1, 1]
    assert _choose(found, Pace(silent_tempo=1.1)) == [1, 1, 1]
