"""Fréchet distance between two sets of feature vectors, each taken for a Gaussian.

Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
NeurIPS 2017, equation 6: ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError

Matrix = npt.NDArray[np.float64]


class FeatureStatistics:
    """Mean and covariance of feature vectors, fed in pieces; memory does not grow with their number.

    Args:
        size: length of a vector.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self._mean = np.zeros(size)
        self._scatter = np.zeros((size, size))  # sum of outer products about the mean

    def push(self, features: npt.NDArray[np.floating[Any]]) -> None:
        """Take (n, size) more vectors.

        Raises:
            InvalidInputError: another size, or not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self._mean) or not np.isfinite(features).all():
            raise InvalidInputError(
                f"features have shape {features.shape}; needed are (n, {len(self._mean)}) finite numbers"
            )
        if len(features) == 0:
            return
        values = features.astype(np.float64)
        mean = values.mean(axis=0)
        centred = values - mean
        self._join(len(values), mean, centred.T @ centred)

    def merge(self, other: FeatureStatistics) -> None:
        """Take all vectors that ``other`` has seen."""
        if other.count:
            self._join(other.count, other._mean, other._scatter)

    def _join(self, count: int, mean: Matrix, scatter: Matrix) -> None:
        total = self.count + count
        step = mean - self._mean
        self._scatter += scatter + np.outer(step, step) * (self.count * count / total)
        self._mean += step * (count / total)
        self.count = total

    @property
    def mean(self) -> Matrix:
        """(size,) mean."""
        return self._mean

    @property
    def covariance(self) -> Matrix:
        """(size, size) unbiased covariance.

        Raises:
            InvalidInputError: fewer than two vectors.
        """
        if self.count < 2:
            raise InvalidInputError(f"{self.count} pictures have no covariance; at least two are needed")
        return self._scatter / (self.count - 1)

    def to_arrays(self) -> dict[str, Matrix]:
        """Return everything as arrays, for `from_arrays`."""
        return {"count": np.array(float(self.count)), "mean": self._mean, "scatter": self._scatter}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Matrix]) -> FeatureStatistics:
        """Return the statistics that `to_arrays` gave."""
        made = cls(len(arrays["mean"]))
        made.count = int(arrays["count"])
        made._mean, made._scatter = arrays["mean"].copy(), arrays["scatter"].copy()
        return made


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Return the Fréchet distance, 0 or more.

    Raises:
        InvalidInputError: other sizes, or fewer than two vectors in one set.
    """
    return gaussian_distance(first.mean, first.covariance, second.mean, second.covariance)


def gaussian_distance(mean_1: Matrix, covariance_1: Matrix, mean_2: Matrix, covariance_2: Matrix) -> float:
    """Return the Fréchet distance between two Gaussians.

    ``tr((C1 C2)^(1/2))`` is the sum of the roots of the eigenvalues of the symmetric ``S C2 S`` with
    ``S = C1^(1/2)``, which needs no root of an unsymmetric matrix and holds for singular covariances.

    Raises:
        InvalidInputError: the shapes differ.
    """
    if mean_1.shape != mean_2.shape or covariance_1.shape != covariance_2.shape:
        raise InvalidInputError(
            f"features of {mean_1.size} and {mean_2.size} numbers cannot be compared: take the same network"
        )
    values, vectors = np.linalg.eigh(covariance_1)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    between = np.linalg.eigvalsh(root @ covariance_2 @ root)
    cross = float(np.sqrt(np.clip(between, 0.0, None)).sum())
    apart = float(((mean_1 - mean_2) ** 2).sum())
    return max(0.0, apart + float(np.trace(covariance_1) + np.trace(covariance_2)) - 2.0 * cross)
