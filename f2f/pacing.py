"""Tempo and start of all lines of a video at once: a convex programme, solved exactly enough to place by.

The unknowns of line i are its start s and its squeeze q = 1 − 1/tempo, the share of its time that is taken
away (below 0: slowed), so that its length is linear in q. The sum of these costs is minimised:

* hurry: speech · q², and more beyond the rate that still sounds natural;
* leaving the source's start: the distance squared, early dearer than late;
* uneven speech: the difference of neighbours' squeezes squared, less the longer the pause between them;
* not slowing a line that is much shorter than its segment;

while lines neither overlap nor leave their limits. All terms are squares of linear forms, some of them only
on one side of zero, over neighbouring unknowns: Newton's method with a banded matrix solves each step in
time linear in the number of lines. Limits are squares of great weight; `f2f.fitting` makes them exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

BEYOND_NATURAL = 3.0
"""Weight of the squeeze beyond the natural one, beside that of all squeeze."""
_LATE, _EARLY = 0.4, 0.8  # a shift of 0.3 s costs as much as hurrying 3 s of speech to 1.13×
_SLOW = 0.1
_PAUSE_S = 1.0  # after which a change of tempo is half forgotten
_LIMIT_WEIGHTS = (1e2, 1e4, 1e6)
_MAX_STEPS = 40
_TOLERANCE = 1e-9
_DAMPING = 1e-5  # holds unknowns that no term holds; shortens steps, moves no solution


@dataclass(frozen=True)
class Demand:
    """What is known of the lines, as arrays of one length.

    Attributes:
        speech_s: length at natural rate.
        source_s: start in the source.
        earliest_s: no start before this.
        latest_s: no start after this; it must be possible at the fastest rate.
        slowest: lowest squeeze, 0 for lines that shall not be slowed.
        guard_s: silence between two lines.
        end_s: no line ends after this.
        natural: squeeze of the fastest rate that sounds natural.
        fastest: highest squeeze.
    """

    speech_s: Vector
    source_s: Vector
    earliest_s: Vector
    latest_s: Vector
    slowest: Vector
    guard_s: float
    end_s: float
    natural: float
    fastest: float


@dataclass(frozen=True)
class _Terms:
    """Weighted squares of c₀·x[k] + c₁·x[k+1] + c₂·x[k+2] − d; hinges count only above zero."""

    first: npt.NDArray[np.intp]
    factors: Vector  # (M, 3)
    offset: Vector
    weight: Vector
    is_hinge: npt.NDArray[np.bool_]

    def residuals(self, x: Vector) -> Vector:
        values = sum(self.factors[:, k] * x[self.first + k] for k in range(3)) - self.offset
        return np.where(self.is_hinge, np.maximum(values, 0.0), values)

    def cost(self, x: Vector) -> float:
        return float(np.sum(self.weight * self.residuals(x) ** 2))

    def slope_and_curve(self, x: Vector) -> tuple[Vector, Vector]:
        """Return gradient and upper band of the Hessian, both halved."""
        residuals = self.residuals(x)
        slope, band = np.zeros(len(x)), np.zeros((3, len(x)))
        weight = np.where(self.is_hinge & (residuals <= 0), 0.0, self.weight)
        for k in range(3):
            np.add.at(slope, self.first + k, weight * residuals * self.factors[:, k])
            for j in range(k + 1):
                np.add.at(band[2 - k + j], self.first + k, weight * self.factors[:, j] * self.factors[:, k])
        return slope, band


def pace(demand: Demand, evenness: float, punctuality: float = 1.0) -> tuple[Vector, Vector]:
    """Return the starts and squeezes of least cost.

    Args:
        demand: lines and limits.
        evenness: weight of the difference between neighbours' tempos; 0 leaves each alone.
        punctuality: weight of the shifts against that of the hurry.
    """
    from scipy.linalg import solveh_banded

    n_lines = len(demand.speech_s)
    x = np.zeros(2 * n_lines + 2)  # two idle unknowns let every term span three
    x[0 : 2 * n_lines : 2] = demand.source_s
    wishes, limits = _wishes(demand, evenness, punctuality), _limits(demand)
    for limit_weight in _LIMIT_WEIGHTS:
        terms = _joined([wishes, _scaled(limits, limit_weight)])
        for _ in range(_MAX_STEPS):
            slope, band = terms.slope_and_curve(x)
            band[2] += _DAMPING
            step = solveh_banded(band, -slope)
            length, cost = 1.0, terms.cost(x)
            while length > 1e-6 and terms.cost(x + length * step) > cost + 1e-4 * length * slope @ step:
                length /= 2
            x = x + length * step
            if np.abs(length * step).max() < _TOLERANCE:
                break
    return x[0 : 2 * n_lines : 2], x[1 : 2 * n_lines : 2]


def _wishes(d: Demand, evenness: float, punctuality: float) -> _Terms:
    n_lines = len(d.speech_s)
    starts, squeezes = 2 * np.arange(n_lines), 2 * np.arange(n_lines) + 1
    is_slow = d.slowest < 0
    # A pause is what lies between the natural lengths: the plan's own is not known yet.
    pauses_s = np.maximum(0.0, np.diff(d.source_s) - d.speech_s[:-1])
    nearness = np.minimum(d.speech_s[:-1], d.speech_s[1:]) / (1 + (pauses_s / _PAUSE_S) ** 2)
    return _joined(
        [
            _terms(squeezes, (1, 0, 0), 0.0, d.speech_s, hinge=True),
            _terms(squeezes, (1, 0, 0), d.natural, BEYOND_NATURAL * d.speech_s, hinge=True),
            _terms(
                squeezes, (1, 0, 0), np.minimum(d.slowest, 0), np.where(is_slow, _SLOW * d.speech_s, 1e-4)
            ),
            _terms(starts, (1, 0, 0), d.source_s, punctuality * _LATE, hinge=True),
            _terms(starts, (-1, 0, 0), -d.source_s, punctuality * _EARLY, hinge=True),
            _terms(squeezes[:-1], (-1, 0, 1), 0.0, evenness * nearness),
        ]
    )


def _limits(d: Demand) -> _Terms:
    n_lines = len(d.speech_s)
    starts, squeezes = 2 * np.arange(n_lines), 2 * np.arange(n_lines) + 1
    until_next = np.stack([np.ones(n_lines), -d.speech_s, -np.ones(n_lines)], axis=1)
    until_end = (1.0, -float(d.speech_s[-1]), 0.0)
    return _joined(
        [
            _terms(starts[:-1], until_next[:-1], -(d.speech_s + d.guard_s)[:-1], 1.0, hinge=True),
            _terms(starts[-1:], until_end, d.end_s - float(d.speech_s[-1]), 1.0, hinge=True),
            _terms(starts, (-1, 0, 0), -d.earliest_s, 1.0, hinge=True),
            _terms(starts, (1, 0, 0), d.latest_s, 1.0, hinge=True),
            _terms(squeezes, (1, 0, 0), d.fastest, d.speech_s, hinge=True),
            _terms(squeezes, (-1, 0, 0), -d.slowest, d.speech_s, hinge=True),
        ]
    )


def _terms(
    first: npt.NDArray[np.intp],
    factors: Sequence[float] | Vector,
    offset: float | Vector,
    weight: float | Vector,
    *,
    hinge: bool = False,
) -> _Terms:
    n_terms = len(first)
    return _Terms(
        first,
        np.broadcast_to(np.asarray(factors, float), (n_terms, 3)),
        np.broadcast_to(np.asarray(offset, float), (n_terms,)),
        np.broadcast_to(np.asarray(weight, float), (n_terms,)),
        np.full(n_terms, hinge),
    )


def _scaled(terms: _Terms, factor: float) -> _Terms:
    return _Terms(terms.first, terms.factors, terms.offset, terms.weight * factor, terms.is_hinge)


def _joined(parts: Sequence[_Terms]) -> _Terms:
    return _Terms(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.factors for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.is_hinge for part in parts]),
    )
