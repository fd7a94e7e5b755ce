"""Where the picture is slowed, for any lines and any still stretches."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.config import FitConfig
from f2f.fitting import Line
from f2f.stretch_planning import Span, StretchPlan, missing_s, plan_stretch

FPS = Fraction(25)
CONFIG = FitConfig(video_stretch=True)


@st.composite
def lectures(draw: st.DrawFn) -> tuple[list[Line], list[Span], int]:
    """Lines, still stretches, and the number of frames."""
    lines, at = [], draw(st.floats(0, 2))
    for number in range(draw(st.integers(1, 8))):
        own_s, pause_s = draw(st.floats(0.3, 6)), draw(st.floats(0, 2))
        speech_s = own_s * draw(st.floats(0.4, 3))
        lines.append(Line(number, at, at + own_s, speech_s))
        at += own_s + pause_s
    n_frames = math.ceil(at * FPS) + draw(st.integers(0, 50))
    cuts = sorted(draw(st.sets(st.integers(0, n_frames), max_size=8)))
    still = [(a / 25, b / 25) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    return lines, still, n_frames


def plan(lecture: tuple[list[Line], list[Span], int], config: FitConfig = CONFIG) -> StretchPlan:
    lines, still, n_frames = lecture
    return plan_stretch(lines, still, FPS, n_frames, config)


@settings(deadline=None, max_examples=25)
@given(lectures())
def test_only_still_pictures_are_slowed_and_none_beyond_the_cap(
    lecture: tuple[list[Line], list[Span], int],
) -> None:
    for one in plan(lecture).time_map.slowed:
        inside = [a * 25 - 0.01 <= one.first_frame and one.stop_frame <= b * 25 + 0.01 for a, b in lecture[1]]
        assert any(inside)
        assert one.factor <= CONFIG.max_video_stretch + 1e-9


@settings(deadline=None, max_examples=25)
@given(lectures())
def test_no_line_overlaps_is_cut_or_changes_its_turn(lecture: tuple[list[Line], list[Span], int]) -> None:
    made, speech_s = plan(lecture), {line.segment_id: line.speech_s for line in lecture[0]}
    placements = made.after.placements
    assert [one.segment_id for one in placements] == [line.segment_id for line in lecture[0]]
    for one, following in itertools.pairwise(placements):
        assert following.start_s >= one.end_s + CONFIG.guard_s - 1e-6
    for one in placements:
        assert (one.end_s - one.start_s) * one.tempo == pytest.approx(speech_s[one.segment_id], abs=1e-3)


@settings(deadline=None, max_examples=25)
@given(lectures())
def test_no_line_drifts_from_its_picture_without_a_word(
    lecture: tuple[list[Line], list[Span], int],
) -> None:
    made = plan(lecture)
    starts_s = {line.segment_id: made.time_map.output_s(line.start_s) for line in lecture[0]}
    warned = bool(made.after.warnings)
    for one in made.after.placements:
        drift_s = one.start_s - starts_s[one.segment_id]
        assert drift_s == pytest.approx(one.delayed_s, abs=1e-6)
        assert -CONFIG.early_s - 1e-6 <= drift_s
        assert drift_s <= CONFIG.late_s + 1e-6 or warned


@settings(deadline=None, max_examples=25)
@given(lectures())
def test_the_video_is_as_long_as_source_and_insertions_together(
    lecture: tuple[list[Line], list[Span], int],
) -> None:
    made = plan(lecture)
    expected_s = (lecture[2] + made.time_map.n_added) / 25
    assert made.after.duration_s - made.after.overflow_s == pytest.approx(expected_s)


@settings(deadline=None, max_examples=25)
@given(lectures())
def test_time_is_added_only_where_it_is_missing_and_then_helps(
    lecture: tuple[list[Line], list[Span], int],
) -> None:
    made = plan(lecture)
    before_s, after_s = missing_s(made.before, CONFIG), missing_s(made.after, CONFIG)
    if made.time_map.slowed:
        assert after_s < before_s
    if before_s == 0:
        assert not made.time_map.slowed


def test_a_line_gets_just_what_it_lacks() -> None:
    config = FitConfig(video_stretch=True, early_s=0, late_s=0, guard_s=0, max_video_stretch=2)
    lines = [Line(1, 0.0, 4.0, 3.9), Line(2, 4.0, 8.0, 6.0), Line(3, 8.0, 12.0, 3.9)]
    made = plan_stretch(lines, [(0.0, 12.0)], FPS, 300, config)
    [one] = made.time_map.slowed
    assert (one.first_frame, one.stop_frame) == (100, 200)
    assert one.n_added == math.ceil((6.0 / 1.2 - 4.0) * 25)
    assert made.after.placements[1].tempo == pytest.approx(1.2, abs=0.01)


def test_pauses_are_borrowed_before_the_picture_is_slowed() -> None:
    lines = [Line(1, 1.0, 4.0, 4.2), Line(2, 6.0, 8.0, 1.9)]
    assert plan_stretch(lines, [(0.0, 8.0)], FPS, 200, CONFIG).time_map.slowed == ()


def test_beside_a_face_a_line_stays_hurried() -> None:
    lines = [Line(1, 0.0, 4.0, 6.0), Line(2, 4.0, 8.0, 3.9)]
    made = plan_stretch(lines, [(4.2, 8.0)], FPS, 200, CONFIG)
    assert made.time_map.slowed == ()
    assert made.after == made.before


def test_several_stills_of_one_line_share_what_it_lacks() -> None:
    config = FitConfig(video_stretch=True, early_s=0, late_s=0, guard_s=0)
    lines = [Line(1, 0.0, 8.0, 11.0)]
    made = plan_stretch(lines, [(0.0, 2.0), (4.0, 8.0)], FPS, 200, config)
    first, second = made.time_map.slowed
    assert first.n_added + second.n_added == math.ceil((11.0 / 1.2 - 8.0) * 25)
    assert second.n_added == pytest.approx(2 * first.n_added, abs=2)
