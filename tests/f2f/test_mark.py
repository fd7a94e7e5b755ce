from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from synthetic import astronaut_frame, planar_frame

from f2f.mark import apply_mark, make_mark, mark_words
from lipsync_core.pictures import ColourSpace, Yuv420Frame, frame_bytes, frame_from_bytes

SIZES = [(384, 288), (1920, 1080), (720, 1280), (161, 121)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_only_the_corner_changes(width: int, height: int) -> None:
    frame = astronaut_frame(width, height)
    before = frame.copy()
    mark = make_mark(width, height, mark_words("hi"))
    marked = apply_mark(frame, mark)
    x1, y1, x2, y2 = mark.box
    assert np.array_equal(frame, before), "the input must not be changed"
    inside = np.zeros((height, width), bool)
    inside[y1:y2, x1:x2] = True
    changed = (marked != frame).any(axis=2)
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.2
    assert x1 > width * 0.35 and y1 > height * 0.85 and x2 <= width and y2 <= height


@pytest.mark.parametrize("level", [0, 90, 255])
def test_it_can_be_read_on_any_ground_and_is_see_through(level: int) -> None:
    mark = make_mark(1280, 720, mark_words("hi"))
    marked = apply_mark(np.full((720, 1280, 3), level, np.uint8), mark)
    x1, y1, x2, y2 = mark.box
    region = marked[y1:y2, x1:x2].astype(int)
    assert region.max() - region.min() > 40
    # On another ground the same pixels differ: nothing is opaque.
    other = apply_mark(np.full((720, 1280, 3), 128, np.uint8), mark)[y1:y2, x1:x2].astype(int)
    if level != 128:
        assert (np.abs(other - region) > 0).mean() > 0.95


def test_height_follows_the_picture_and_width_the_pixel_shape() -> None:
    plain = make_mark(1280, 720, mark_words("hi")).box
    large = make_mark(2560, 1440, mark_words("hi")).box
    wide_pixels = make_mark(1280, 720, mark_words("hi"), sample_aspect_ratio=Fraction(4, 3)).box
    assert (large[3] - large[1]) == pytest.approx(2 * (plain[3] - plain[1]), abs=3)
    assert (wide_pixels[2] - wide_pixels[0]) == pytest.approx(0.75 * (plain[2] - plain[0]), rel=0.1)


@pytest.mark.parametrize(("width", "height"), [(2, 2), (3, 400), (400, 3), (16, 16)])
def test_tiny_pictures_do_not_break_it(width: int, height: int) -> None:
    frame = np.zeros((height, width, 3), np.uint8)
    assert apply_mark(frame, make_mark(width, height, mark_words("zh-Hans"))).shape == frame.shape


def test_words_name_the_language() -> None:
    assert mark_words("pt-BR") == ("AI-dubbed", "PT-BR")
    narrow, wide = make_mark(1280, 720, mark_words("hi")), make_mark(1280, 720, mark_words("zh-Hans"))
    assert wide.keep.shape[1] > narrow.keep.shape[1]


@pytest.mark.parametrize(("width", "height"), [(384, 288), (1280, 720), (161, 121), (2, 2), (16, 16)])
@pytest.mark.parametrize("is_full_range", [False, True])
def test_planar_frames_change_only_in_the_corner(width: int, height: int, is_full_range: bool) -> None:
    data = np.random.default_rng(0).integers(16, 236, frame_bytes(width, height)).astype(np.uint8)
    frame = frame_from_bytes(data, width, height, ColourSpace("bt709", is_full_range))
    kept = data.copy()
    mark = make_mark(width, height, mark_words("hi"))
    marked = apply_mark(frame, mark)
    assert isinstance(marked, Yuv420Frame) and np.array_equal(data, kept), "the input must not be changed"
    x1, y1, x2, y2 = mark.box
    for before, after, per_sample in zip(frame.planes(), marked.planes(), (1, 2, 2), strict=True):
        outside = np.ones(before.shape, bool)
        outside[y1 // per_sample : -(-y2 // per_sample), x1 // per_sample : -(-x2 // per_sample)] = False
        assert np.array_equal(before[outside], after[outside])
    assert (frame.y[y1:y2, x1:x2] != marked.y[y1:y2, x1:x2]).mean() > 0.2 or width < 100


def test_planar_and_bgr_frames_are_marked_alike() -> None:
    frame = planar_frame(astronaut_frame(1280, 720))
    mark = make_mark(1280, 720, mark_words("hi"))
    marked = apply_mark(frame, mark)
    assert isinstance(marked, Yuv420Frame)
    expected = apply_mark(frame.to_bgr(), mark)
    assert isinstance(expected, np.ndarray)
    x1, y1, x2, y2 = mark.box
    difference = (marked.to_bgr().astype(int) - expected)[y1:y2, x1:x2]
    assert np.abs(difference).mean() < 1.5
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.5
