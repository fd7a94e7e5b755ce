"""Metrics that compare a picture with the true one: PSNR and SSIM, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.metrics.packages import import_optional

SSIM_SIGMA = 1.5  # Wang et al. 2004: Gaussian window of 11 px
SSIM_LEAST_PX = 11


def psnr_db(picture: FrameArray, true: FrameArray) -> float:
    """Return the peak signal-to-noise ratio of 8-bit pictures in dB; infinite for equal ones.

    ``10 log10(255^2 / mean squared error)`` over all pixels and channels.

    Raises:
        InvalidInputError: other sizes.
    """
    _check(picture, true)
    error = float(((picture.astype(np.float32) - true.astype(np.float32)) ** 2).mean(dtype=np.float64))
    return math.inf if error == 0 else 10.0 * math.log10(255.0**2 / error)


def ssim(picture: FrameArray, true: FrameArray) -> float:
    """Return the structural similarity of 8-bit colour pictures, 1 for equal ones (by scikit-image).

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004: Gaussian
    window with sigma 1.5, mean over the channels.

    Raises:
        InvalidInputError: other sizes, or a side under 11 px.
        MissingModelError: scikit-image is not installed.
    """
    _check(picture, true)
    if min(picture.shape[:2]) < SSIM_LEAST_PX:
        raise InvalidInputError(f"a picture of {picture.shape[1]}x{picture.shape[0]} is too small for SSIM")
    metrics = import_optional("skimage.metrics", "scikit-image", "SSIM")
    return float(
        metrics.structural_similarity(
            picture,
            true,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=SSIM_SIGMA,
            use_sample_covariance=False,
        )
    )


def _check(picture: FrameArray, true: FrameArray) -> None:
    if picture.shape != true.shape:
        raise InvalidInputError(
            f"pictures of {picture.shape} and {true.shape} cannot be compared: scale one of them"
        )


@dataclass(frozen=True)
class Series:
    """One metric, frame by frame.

    Attributes:
        values: one per frame measured.
    """

    values: tuple[float, ...]

    @property
    def n_infinite(self) -> int:
        """Frames equal to the true ones (PSNR)."""
        return sum(math.isinf(v) for v in self.values)

    @property
    def mean(self) -> float | None:
        """Mean over the frames that differ; infinite when none does, None when there are no frames."""
        finite = [v for v in self.values if math.isfinite(v)]
        if finite:
            return float(np.mean(finite))
        return math.inf if self.values else None


def plain_number(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it: infinity becomes ``"inf"``."""
    return "inf" if value is not None and math.isinf(value) else value


def plain_series(values: Sequence[float]) -> list[Any]:
    """Return numbers as JSON can hold them, rounded to five digits."""
    return [plain_number(v if math.isinf(v) else round(v, 5)) for v in values]
