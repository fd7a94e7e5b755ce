"""The map from source to output times, for any frame rate and any stretches."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from f2f.results import Segment, Word
from f2f.time_map import SlowedStretch, TimeMap

RATES = ("25/1", "30000/1001", "24/1", "60/1", "10/1")


@st.composite
def time_maps(draw: st.DrawFn) -> TimeMap:
    n_frames = draw(st.integers(2, 2000))
    cuts = sorted(draw(st.sets(st.integers(0, n_frames), max_size=12)))
    slowed = [
        SlowedStretch(first_frame=first, n_frames=stop - first, n_added=draw(st.integers(1, 2 * n_frames)))
        for first, stop in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return TimeMap(fps=draw(st.sampled_from(RATES)), n_frames=n_frames, slowed=tuple(slowed))


@given(time_maps(), st.lists(st.floats(-5, 300), min_size=2, max_size=20, unique=True))
def test_times_keep_their_order_and_nothing_gets_shorter(time_map: TimeMap, times: list[float]) -> None:
    for before, after in itertools.pairwise(sorted(times)):
        gained = time_map.output_s(after) - time_map.output_s(before)
        assert gained >= after - before - 1e-9


@given(time_maps(), st.floats(-5, 300))
def test_the_map_can_be_inverted(time_map: TimeMap, time_s: float) -> None:
    assert time_map.source_s(time_map.output_s(time_s)) == pytest.approx(time_s, abs=1e-6)


@given(time_maps())
def test_the_output_is_longer_by_what_is_reported(time_map: TimeMap) -> None:
    end_s = float(time_map.n_frames / Fraction(time_map.fps))
    assert time_map.output_s(end_s) == pytest.approx(end_s + time_map.added_s)
    assert time_map.knots[0] == (0, 0)
    assert time_map.knots[-1] == pytest.approx((end_s, end_s + time_map.added_s))


@given(time_maps())
def test_every_frame_is_shown_once_or_more_and_in_order(time_map: TimeMap) -> None:
    shown = list(time_map.repetitions())
    assert len(shown) == time_map.n_frames
    assert min(shown) >= 1
    assert sum(shown) == time_map.n_frames + time_map.n_added
    for one in time_map.slowed:
        assert sum(shown[one.first_frame : one.stop_frame]) == one.n_frames + one.n_added
        assert max(shown[one.first_frame : one.stop_frame]) <= 1 + -(-one.n_added // one.n_frames)
    kept = [n for frame, n in enumerate(shown) if not time_map.is_slowed_at(frame)]
    assert all(n == 1 for n in kept)


@given(time_maps(), st.data())
def test_frames_lie_where_the_map_says(time_map: TimeMap, data: st.DataObject) -> None:
    frame = data.draw(st.integers(0, time_map.n_frames))
    fps = Fraction(time_map.fps)
    off = time_map.output_frame(frame) - time_map.output_s(float(frame / fps)) * fps
    assert abs(off) <= (0.5 + 1e-6 if time_map.is_slowed_at(frame) else 1e-6)


@settings(max_examples=30)
@given(time_maps())
def test_it_survives_json(time_map: TimeMap) -> None:
    assert TimeMap.model_validate_json(time_map.model_dump_json()) == time_map


def test_segments_move_with_their_words() -> None:
    slowed = SlowedStretch(first_frame=25, n_frames=50, n_added=25)
    time_map = TimeMap(fps="25/1", n_frames=200, slowed=(slowed,))
    words = (Word(start_s=0.5, end_s=2.0, text="one"), Word(start_s=3.5, end_s=4.0, text="two"))
    moved = time_map.segment(Segment(id=7, start_s=0.5, end_s=4.0, text="one two", words=words))
    assert (moved.start_s, moved.end_s) == (0.5, 5.0)
    assert [(word.start_s, word.end_s) for word in moved.words] == [(0.5, 2.5), (4.5, 5.0)]
    assert (moved.id, moved.text) == (7, "one two")


@pytest.mark.parametrize(("first", "n_frames"), [(40, 20), (10, 100)])
def test_stretches_that_overlap_or_leave_the_video_are_refused(first: int, n_frames: int) -> None:
    one = SlowedStretch(first_frame=20, n_frames=30, n_added=5)
    other = SlowedStretch(first_frame=first, n_frames=n_frames, n_added=5)
    with pytest.raises(ValidationError, match="allowed is 50 to 100"):
        TimeMap(fps="25/1", n_frames=100, slowed=(one, other))
