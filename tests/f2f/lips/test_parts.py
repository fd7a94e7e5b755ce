from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from f2f.lips.parts import plan_parts, runs_of

FPS = Fraction(25)


def frames(*runs: tuple[str, float]) -> list[bool]:
    """Speech (s) and silence (-) of so many seconds each."""
    return [kind == "s" for kind, seconds in runs for _ in range(round(seconds * 25))]


def test_cuts_lie_in_the_middle_of_silences_that_are_long_enough() -> None:
    active = frames(("s", 10), ("-", 2), ("s", 10), ("-", 0.8), ("s", 10), ("-", 1), ("s", 9.5))
    assert plan_parts(active, FPS, 10.0) == [(0, 275), (275, 832), (832, len(active))]


def test_no_part_is_shorter_than_it_may_be() -> None:
    active = frames(("s", 10), ("-", 2), ("s", 10), ("-", 2), ("s", 10))
    assert plan_parts(active, FPS, 11.0) == [(0, 275), (275, 575), (575, 850)]
    # The first silence comes too early, the second too late.
    assert plan_parts(active, FPS, 12.0) == [(0, 850)]


def test_a_video_without_silence_is_one_part() -> None:
    assert plan_parts([True] * 5000, FPS, 1.0) == [(0, 5000)]
    assert plan_parts([False] * 5000, FPS, 100.0) == [(0, 2500), (2500, 5000)]
    assert plan_parts([], FPS, 1.0) == [(0, 0)]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=30),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(1)]),
    st.floats(1.0, 30.0),
)
def test_parts_cover_all_frames_and_cut_nobody_off(
    runs: list[tuple[bool, int]], fps: Fraction, min_part_s: float
) -> None:
    active = [value for value, count in runs for _ in range(count)]
    parts = plan_parts(active, fps, min_part_s)
    assert [frame for first, stop in parts for frame in range(first, stop)] == list(range(len(active)))
    assert len(parts) == 1 or all(stop - first >= min_part_s * fps for first, stop in parts)
    half = int(fps / 2)
    for border, _ in parts[1:]:
        assert not any(active[border - half : border + half])


@given(st.lists(st.booleans(), max_size=50))
def test_runs_put_together_are_the_whole(values: list[bool]) -> None:
    runs = list(runs_of(values))
    assert [value for value, first, stop in runs for _ in range(first, stop)] == values
    assert all(one[0] != other[0] for one, other in pairwise(runs))
