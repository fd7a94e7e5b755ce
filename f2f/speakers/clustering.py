"""Who speaks when, from the sound alone and without any trained network: the lesser of the two engines.

Agglomerative clustering of Gaussians by the Bayesian information criterion (Chen and Gopalakrishnan, Speaker,
environment and channel change detection and clustering via the BIC, 1998) over MFCC, then a Viterbi pass that
moves the borders to where the voices change.

Measured by ``bench/diarization.py --half 2`` on clips of GRID, FLEURS and others (44 conversations of two to
five people, turns of 1.5 to 6 s): 6.1 % of the speech went to the wrong person with the number of people
given, 13 % with it found out. It cannot tell voices apart that differ in pitch only, and
takes a change of microphone for a change of speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from f2f.speakers.turns import Turn, best_path, least_speech_s, number_by_appearance, turns_of_path
from f2f.speech_regions import SAMPLE_RATE_HZ, Region, Waveform
from lipsync_core.audio import mfcc

PENALTY = 2.0
"""Weight of the criterion's penalty. 1 is the theory for independent frames; overlapping ones are not, and a
lecturer split in two is worse than two guests merged."""

_FRAMES_PER_S = 100
_PIECE_S = 2.0
_MIN_PIECE_S = 0.8  # shorter ones take part only in the final pass
_MAX_PIECES = 1200  # clustering costs their square; of long recordings every n-th piece is clustered
_LOUD_SHARE = 0.7  # of the frames of a piece, the loudest count: voices differ in vowels
_STEP_FRAMES = 10  # resolution of the final pass, 0.1 s
_SWITCH_COST = 60.0  # in nats: a change must be worth about a second of clear evidence
_FLOOR = 1e-3

FloatArray = npt.NDArray[np.float64]


@dataclass
class _Cluster:
    """Sufficient statistics of the frames of one voice."""

    count: float
    total: FloatArray
    square: FloatArray

    def joined(self, other: _Cluster) -> _Cluster:
        return _Cluster(self.count + other.count, self.total + other.total, self.square + other.square)

    @property
    def mean(self) -> FloatArray:
        return self.total / self.count

    @property
    def covariance(self) -> FloatArray:
        mean = self.mean
        return self.square / self.count - np.outer(mean, mean) + _FLOOR * np.eye(mean.size)


def find_turns(
    waveform: Waveform, regions: Sequence[Region], n_speakers: int | None = None, penalty: float = PENALTY
) -> list[Turn]:
    """Return who speaks in each stretch of ``regions``, speakers numbered from 0 in order of appearance.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz.
        regions: stretches with speech.
        n_speakers: how many people speak, None finds out.
        penalty: of the criterion, where the number is to be found.
    """
    features = [_features(waveform, region) for region in regions]
    pieces = [piece for one in features for piece in _pieces(one)]
    step = -(-len(pieces) // _MAX_PIECES) if pieces else 1
    clusters = _merge([_statistics(piece) for piece in pieces[::step]], n_speakers, penalty)
    if n_speakers is None:
        clusters = _drop_small(clusters)
    if len(clusters) < 2:
        return [Turn(start_s, end_s, 0) for start_s, end_s in regions]
    turns: list[Turn] = []
    for region, frames in zip(regions, features, strict=True):
        turns += _assign(region, frames, clusters)
    return number_by_appearance(turns)


def _features(waveform: Waveform, region: Region) -> FloatArray:
    """Return (T, 13) MFCC of a region; coefficient 0 is the energy, by which frames are chosen only."""
    first, last = (round(time_s * SAMPLE_RATE_HZ) for time_s in region)
    sound = np.clip(np.array(waveform[first : max(last, first + 1)], np.float32), -1, 1)
    return np.asarray(mfcc((sound * 32767).astype(np.int16)).T, np.float64)


def _pieces(frames: FloatArray) -> list[FloatArray]:
    n_pieces = max(1, round(len(frames) / (_PIECE_S * _FRAMES_PER_S)))
    return [piece for piece in np.array_split(frames, n_pieces) if len(piece) >= _MIN_PIECE_S * _FRAMES_PER_S]


def _statistics(frames: FloatArray) -> _Cluster:
    loud = frames[np.argsort(frames[:, 0])[round((1 - _LOUD_SHARE) * len(frames)) :], 1:]
    return _Cluster(float(len(loud)), loud.sum(axis=0), loud.T @ loud)


def _merge(clusters: list[_Cluster], n_speakers: int | None, penalty: float) -> list[_Cluster]:
    """Join the two clusters that are most alike until the wanted number, or no two alike, are left."""
    clusters = list(clusters)
    logs = [_log_det(one) for one in clusters]
    gains = np.full((len(clusters), len(clusters)), -np.inf)
    for i in range(len(clusters)):
        gains[i, i + 1 :] = _gains(clusters, logs, i, range(i + 1, len(clusters)), penalty)
    alive = set(range(len(clusters)))
    while len(alive) > max(1, n_speakers or 1):
        i, j = divmod(int(gains.argmax()), len(clusters))
        if n_speakers is None and gains[i, j] <= 0:
            break
        clusters[i] = clusters[i].joined(clusters[j])
        logs[i] = _log_det(clusters[i])
        alive.remove(j)
        gains[j, :] = gains[:, j] = -np.inf
        others = sorted(alive - {i})
        for k, gain in zip(others, _gains(clusters, logs, i, others, penalty), strict=True):
            gains[min(i, k), max(i, k)] = gain
    return [clusters[i] for i in sorted(alive)]


def _gains(
    clusters: Sequence[_Cluster], logs: Sequence[float], i: int, others: Sequence[int], penalty: float
) -> FloatArray:
    """Return by how much the criterion rises when cluster ``i`` is joined with each of ``others``."""
    if not len(others):
        return np.zeros(0)
    joined = [clusters[i].joined(clusters[k]) for k in others]
    _, together = np.linalg.slogdet(np.stack([one.covariance for one in joined]))
    counts = np.array([one.count for one in joined])
    apart = clusters[i].count * logs[i] + np.array([clusters[k].count * logs[k] for k in others])
    size = clusters[i].total.size
    n_parameters = size + size * (size + 1) / 2
    return np.asarray(penalty * 0.5 * n_parameters * np.log(counts) - 0.5 * (counts * together - apart))


def _log_det(cluster: _Cluster) -> float:
    return float(np.linalg.slogdet(cluster.covariance)[1])


def _drop_small(clusters: Sequence[_Cluster]) -> list[_Cluster]:
    """Leave out voices that were hardly heard; the final pass gives their frames to whoever is nearest."""
    frames_per_s = _FRAMES_PER_S * _LOUD_SHARE
    least_s = least_speech_s(sum(one.count for one in clusters) / frames_per_s)
    kept = [one for one in clusters if one.count >= least_s * frames_per_s]
    return kept or [max(clusters, key=lambda one: one.count)] if clusters else []


def _assign(region: Region, frames: FloatArray, clusters: Sequence[_Cluster]) -> list[Turn]:
    """Cut a region where the best explanation of its frames, with a cost for each change, changes."""
    chances = np.stack([_log_likelihood(frames[:, 1:], one) for one in clusters])
    edges = np.arange(0, len(frames), _STEP_FRAMES)
    path = best_path(np.add.reduceat(chances, edges, axis=1).T, _SWITCH_COST)
    edges_s = [region[0] + float(edge) / _FRAMES_PER_S for edge in edges]
    return turns_of_path(path, [*edges_s, region[1]])


def _log_likelihood(frames: FloatArray, cluster: _Cluster) -> FloatArray:
    factor = np.linalg.cholesky(cluster.covariance)
    white = np.linalg.solve(factor, (frames - cluster.mean).T)
    return np.asarray(-0.5 * np.square(white).sum(axis=0) - np.log(np.diag(factor)).sum())
