"""Differences in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from lipsync_core.runtime import difference_between


def test_only_the_lower_half_counts() -> None:
    reference = torch.rand(2, 3, 96, 96) * 0.5
    faces = reference.clone()
    faces[:, :, :48] += 0.4
    same = difference_between(faces, reference)
    assert (same.psnr_db, same.max_abs, same.n_faces) == (math.inf, 0.0, 2)
    assert "no difference" in str(same)
    faces[:, :, 48:] += 0.01
    found = difference_between(faces, reference)
    assert found.psnr_db == pytest.approx(40, abs=1e-3)
    assert found.max_abs == pytest.approx(0.01, abs=1e-6)
    assert "40.0 dB" in str(found)
