"""PSNR against its formula and scikit-image, SSIM against its definition."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.full_reference import Series, plain_number, plain_series, psnr_db, ssim


def picture(seed=0, size=(40, 60)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_psnr_of_a_constant_difference_is_known():
    dark, light = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 105, np.uint8)
    assert psnr_db(light, dark) == pytest.approx(10 * math.log10(255**2 / 25))
    assert psnr_db(dark, dark) == math.inf


def test_psnr_equals_scikit_image():
    a, b = picture(0), picture(1)
    assert psnr_db(a, b) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-6)


def blurred(values):
    """The 11-px Gaussian of Wang et al., written out."""
    at = np.arange(-5, 6)
    kernel = np.exp(-(at**2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    rows = np.apply_along_axis(np.convolve, 0, values, kernel, "valid")
    return np.apply_along_axis(np.convolve, 1, rows, kernel, "valid")


def test_ssim_equals_its_definition():
    true = np.clip(np.cumsum(np.random.default_rng(0).normal(0, 9, (40, 60, 3)), axis=1) + 128, 0, 255)
    noisy = np.clip(true + np.random.default_rng(1).normal(0, 12, true.shape), 0, 255)
    true, noisy = true.astype(np.uint8), noisy.astype(np.uint8)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    maps = []
    for channel in range(3):
        x, y = noisy[..., channel].astype(float), true[..., channel].astype(float)
        mx, my = blurred(x), blurred(y)
        vx, vy, vxy = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        maps.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(noisy, true) == pytest.approx(np.mean(maps), abs=1e-6)
    assert ssim(true, true) == 1.0


def test_pictures_of_other_sizes_are_refused():
    for metric in (psnr_db, ssim):
        with pytest.raises(InvalidInputError, match=r"\(40, 60, 3\) and \(41, 60, 3\)"):
            metric(picture(), picture(size=(41, 60)))
    with pytest.raises(InvalidInputError, match="60x9"):
        ssim(picture(size=(9, 60)), picture(size=(9, 60)))


def test_mean_leaves_out_equal_frames_and_says_how_many():
    assert (Series((30.0, math.inf, 40.0)).mean, Series((30.0, math.inf, 40.0)).n_infinite) == (35.0, 1)
    assert Series((math.inf,)).mean == math.inf
    assert Series(()).mean is None


def test_numbers_for_json():
    assert [plain_number(v) for v in (1.5, math.inf, None)] == [1.5, "inf", None]
    assert plain_series([1.23456789, math.inf]) == [1.23457, "inf"]
