"""Planar frames: conversion against closed forms, and what a change leaves alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lipsync_core.pictures import (
    LUMA_SHARES,
    ColourSpace,
    Yuv420Frame,
    frame_bytes,
    frame_from_bytes,
    halve_chroma,
    region_bgr,
    to_bgr,
)

BOX = (31, 20, 90, 75)


def noise_frame(width: int = 128, height: int = 96, colour: ColourSpace | None = None) -> Yuv420Frame:
    rng = np.random.default_rng(0)
    data = rng.integers(60, 180, frame_bytes(width, height)).astype(np.uint8)
    data[width * height :] = rng.integers(110, 146, data.size - width * height)
    return frame_from_bytes(data, width, height, colour or ColourSpace())


def flat_frame(bgr: tuple[int, int, int], colour: ColourSpace, size: int = 8) -> Yuv420Frame:
    """Return one colour, converted by the standards' own formulas."""
    blue, green, red = (v / 255 for v in bgr)
    share_red, share_blue = LUMA_SHARES[colour.matrix]
    luma = share_red * red + (1 - share_red - share_blue) * green + share_blue * blue
    cb, cr = (blue - luma) / (2 * (1 - share_blue)), (red - luma) / (2 * (1 - share_red))
    scale, chroma_scale, black = (255, 255, 0) if colour.is_full_range else (219, 224, 16)
    y, u, v = round(black + scale * luma), round(128 + chroma_scale * cb), round(128 + chroma_scale * cr)
    half = np.ones((size // 2, size // 2), np.uint8)
    return Yuv420Frame(np.full((size, size), y, np.uint8), half * np.uint8(u), half * np.uint8(v), colour)


@pytest.mark.parametrize("matrix", sorted(LUMA_SHARES))
@pytest.mark.parametrize("is_full_range", [False, True])
def test_colours_by_the_standards_formulas(matrix: str, is_full_range: bool) -> None:
    for bgr in ((20, 50, 200), (255, 255, 255), (0, 0, 0), (180, 40, 90), (30, 160, 60)):
        back = flat_frame(bgr, ColourSpace(matrix, is_full_range)).to_bgr()
        assert np.abs(back.astype(int) - bgr).max() <= 2


def test_opencv_agrees_where_it_knows_the_matrix() -> None:
    frame = noise_frame(colour=ColourSpace("bt601"))
    frame = Yuv420Frame(frame.y, np.full_like(frame.u, 120), np.full_like(frame.v, 140), frame.colour)
    packed = np.concatenate([plane.ravel() for plane in frame.planes()]).reshape(-1, 128)
    assert np.abs(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420).astype(int) - frame.to_bgr()).max() <= 1


def test_chroma_lies_left_and_between_the_rows() -> None:
    """A ramp in chroma: its value at each pixel follows from where the samples lie."""
    u = np.tile(np.arange(100, 132, 2, dtype=np.uint8), (8, 1))
    frame = Yuv420Frame(np.full((16, 32), 128, np.uint8), u, np.full_like(u, 128), ColourSpace("bt709", True))
    blue = frame.to_bgr()[8, :30, 0]
    expected = 128 + 2 * (1 - 0.0722) * (100 + np.arange(30) - 128)  # sample k at column 2 k, 2 levels apart
    assert np.abs(blue - expected).max() <= 1


def test_a_region_is_cut_from_the_whole() -> None:
    frame = noise_frame()
    x1, y1, x2, y2 = BOX
    assert np.array_equal(frame.region_bgr(BOX), frame.to_bgr()[y1:y2, x1:x2])
    bgr = frame.to_bgr()
    assert region_bgr(bgr, BOX).base is bgr
    assert to_bgr(bgr) is bgr


@pytest.mark.parametrize("box", [BOX, (30, 20, 90, 76), (0, 0, 128, 96), (127, 95, 128, 96), (5, 5, 7, 6)])
def test_only_what_changes_changes(box: tuple[int, int, int, int]) -> None:
    frame = noise_frame()
    x1, y1, x2, y2 = box
    before = frame.region_bgr(box)
    same = frame.changed(box, before, before.copy())
    assert all(np.array_equal(a, b) for a, b in zip(same.planes(), frame.planes(), strict=True))
    after = np.clip(before.astype(int) + np.array([25, -20, 30]), 0, 255).astype(np.uint8)
    changed = frame.changed(box, before, after)
    luma = np.zeros(frame.y.shape, bool)
    luma[y1:y2, x1:x2] = True
    assert np.array_equal(changed.y[~luma], frame.y[~luma])
    blocks = luma.reshape(48, 2, 64, 2).all(axis=(1, 3))
    for a, b in ((changed.u, frame.u), (changed.v, frame.v)):
        assert np.array_equal(a[~blocks], b[~blocks])
    assert noise_frame().y.tobytes() == frame.y.tobytes(), "planes are never changed in place"
    if blocks.sum() > 100:
        inner = (x1 + 4, y1 + 4, x2 - 4, y2 - 4)
        target = np.asarray(after[4:-4, 4:-4], int)
        assert np.abs(changed.region_bgr(inner) - target).mean() < 1.5


def test_full_resolution_values_at_chroma_places() -> None:
    constant = np.full((6, 8), 3.0, np.float32)
    assert np.array_equal(halve_chroma(constant), np.full((3, 4), 3.0, np.float32))
    impulse = np.zeros((2, 8), np.float32)
    impulse[0, 3] = 8
    assert halve_chroma(impulse).tolist() == [[0, 1, 1, 0]]  # a column between two samples feeds both
    impulse[0] = [0, 0, 8, 0, 0, 0, 0, 0]
    assert halve_chroma(impulse).tolist() == [[0, 2, 0, 0]]


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (63, 48), (64, 48)])
def test_odd_sizes(width: int, height: int) -> None:
    frame = noise_frame(width, height)
    assert frame.shape == (height, width, 3)
    assert frame.u.shape == ((height + 1) // 2, (width + 1) // 2)
    assert frame.to_bgr().shape == frame.shape
    even = frame.padded_to_even()
    assert even.shape == (height + height % 2, width + width % 2, 3)
    assert np.array_equal(even.y[:height, :width], frame.y)
    assert np.array_equal(even.y[-1, :width], frame.y[-1])
    assert 2 * even.u.shape[1] == even.shape[1]


def test_a_small_copy_shows_the_same() -> None:
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    smooth = (100 + 40 * np.sin(x / 20) * np.cos(y / 15)).astype(np.uint8)
    frame = Yuv420Frame(smooth, smooth[::2, ::2], 255 - smooth[::2, ::2], ColourSpace("bt709"))
    small = frame.resized_bgr(64, 48).astype(int)
    assert np.abs(cv2.resize(frame.to_bgr(), (64, 48)) - small).mean() < 2
