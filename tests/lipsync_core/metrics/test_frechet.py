"""Fréchet distances against closed forms and against SciPy's matrix root."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.frechet import FeatureStatistics, frechet_distance, gaussian_distance


def random_covariance(rng, size, rank=None):
    root = rng.normal(size=(size, rank or size))
    return root @ root.T / size


@pytest.mark.parametrize("size", [1, 5, 40])
def test_equals_the_formula_with_scipys_matrix_root(size):
    rng = np.random.default_rng(size)
    c1, c2 = random_covariance(rng, size), random_covariance(rng, size)
    m1, m2 = rng.normal(size=(2, size))
    root = np.real(sqrtm(c1 @ c2))
    expected = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * root)
    assert gaussian_distance(m1, c1, m2, c2) == pytest.approx(expected, rel=1e-6)


def test_closed_form_of_gaussians_along_the_axes():
    s1, s2 = np.array([1.0, 2.0, 0.5]), np.array([3.0, 0.0, 0.5])
    m1, m2 = np.zeros(3), np.array([1.0, -2.0, 0.0])
    expected = ((m1 - m2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    assert gaussian_distance(m1, np.diag(s1**2), m2, np.diag(s2**2)) == pytest.approx(expected)


def test_distance_to_itself_is_nothing_even_of_fewer_pictures_than_features():
    features = np.random.default_rng(0).normal(size=(10, 30))
    statistics = FeatureStatistics(30)
    statistics.push(features)
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-6)


def test_is_symmetric():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=4), rng.normal(size=4)
    c1, c2 = random_covariance(rng, 4, 2), random_covariance(rng, 4)
    assert gaussian_distance(a, c1, b, c2) == pytest.approx(gaussian_distance(b, c2, a, c1), rel=1e-6)


def test_statistics_in_pieces_are_numpys_of_the_whole():
    rng = np.random.default_rng(1)
    features = rng.normal(3, 2, (57, 6)).astype(np.float32) + 1000
    pieces, other = FeatureStatistics(6), FeatureStatistics(6)
    for part in (features[:1], features[1:1], features[1:20]):
        pieces.push(part)
    other.push(features[20:])
    pieces.merge(other)
    pieces.merge(FeatureStatistics(6))
    assert pieces.count == 57
    np.testing.assert_allclose(pieces.mean, features.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(pieces.covariance, np.cov(features.astype(np.float64).T), rtol=1e-9)


def test_refusals():
    statistics = FeatureStatistics(3)
    with pytest.raises(InvalidInputError, match=r"\(2, 4\).*\(n, 3\)"):
        statistics.push(np.zeros((2, 4)))
    with pytest.raises(InvalidInputError, match="finite"):
        statistics.push(np.full((2, 3), np.nan))
    statistics.push(np.zeros((1, 3)))
    with pytest.raises(InvalidInputError, match="1 pictures"):
        _ = statistics.covariance
    with pytest.raises(InvalidInputError, match="3 and 2"):
        gaussian_distance(np.zeros(3), np.eye(3), np.zeros(2), np.eye(2))
