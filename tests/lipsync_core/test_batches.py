"""Rounding and fading of generated faces."""

from __future__ import annotations

import numpy as np

from lipsync_core.batches import opacity_at, round_to_uint8


def test_rounding() -> None:
    assert round_to_uint8(np.array([-1.0, 0.4, 0.6, 254.4, 254.6, 300.0], np.float32)).tolist() == [
        0, 0, 1, 254, 255, 255,
    ]  # fmt: skip


def test_opacity() -> None:
    assert opacity_at(None, 5) == 1
    assert [opacity_at([True] * 4, n) for n in range(6)] == [1, 1, 1, 1, 0, 0]
    assert [opacity_at([False, True, False], n) for n in range(3)] == [0, 0.25, 0]
