"""Who speaks when, by embeddings of voices: average-linkage clustering, then a Viterbi pass.

All windows of a piece of speech vote together: the mean of the cosines between the windows of two pieces has
the same expectation whatever their lengths are, so one threshold serves short turns and long ones. The mean
of each cluster is then compared with every window, at a cost for each change, which finds the changes of
speaker inside a stretch of speech.

Measured as :mod:`f2f.speakers.clustering` is, on other people than those the threshold was chosen on: 1.6 %
of the speech went to the wrong person with the number of people given, 1.5 % with it found out, and 91 % of
the numbers were right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from f2f.speakers.turns import Turn, best_path, least_speech_s, number_by_appearance, turns_of_path
from f2f.speakers.voice_encoder import FloatArray, VoiceEncoder
from f2f.speech_regions import Region, Waveform

ALIKE = 0.67
"""Mean cosine from which two pieces are taken for one person's, where the number of people is to be found."""

_PIECE_S = 2.4
_MIN_PIECE_S = 0.8  # shorter ones take part only in the final pass
_MAX_PIECES = 2000  # clustering costs their square; of long recordings every n-th piece is clustered
_SWITCH_COST = 0.4  # a change must be worth two windows that fit the other voice better by 0.2


def find_turns(
    waveform: Waveform,
    regions: Sequence[Region],
    encoder: VoiceEncoder,
    n_speakers: int | None = None,
    alike: float = ALIKE,
) -> list[Turn]:
    """Return who speaks in each stretch of ``regions``, speakers numbered from 0 in order of appearance.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz.
        regions: stretches with speech.
        encoder: the network.
        n_speakers: how many people speak, None finds out.
        alike: mean cosine of two voices from which they are one, where the number is to be found.
    """
    if not regions:
        return []
    heard = encoder.embed_regions(waveform, regions)
    pieces = [
        piece
        for region, (_, windows) in zip(regions, heard, strict=True)
        for piece in _pieces(region, windows)
    ]
    voices = _voices(pieces, n_speakers, alike)
    if len(voices) < 2:
        return [Turn(start_s, end_s, 0) for start_s, end_s in regions]
    paths = [best_path(windows @ voices.T, _SWITCH_COST) for _, windows in heard]
    turns: list[Turn] = []
    for region, (middles_s, _), path in zip(regions, heard, paths, strict=True):
        edges_s = [region[0], *((middles_s[1:] + middles_s[:-1]) / 2).tolist(), region[1]]
        turns += turns_of_path(path, edges_s)
    return number_by_appearance(turns)


def _pieces(region: Region, windows: FloatArray) -> list[tuple[float, FloatArray]]:
    """Return length in seconds and mean embedding of the pieces of a region."""
    length_s = region[1] - region[0]
    n_pieces = min(max(1, math.ceil(length_s / _PIECE_S)), len(windows))
    parts = np.array_split(windows, n_pieces)
    return [(length_s / n_pieces, np.asarray(part.mean(axis=0), np.float32)) for part in parts]


def _voices(
    pieces: Sequence[tuple[float, FloatArray]], n_speakers: int | None, alike: float
) -> npt.NDArray[np.float32]:
    """Return the mean embedding of each person, (K, 256) of length 1."""
    from scipy.cluster.hierarchy import fcluster, linkage

    long = [piece for piece in pieces if piece[0] >= _MIN_PIECE_S] or list(pieces)
    kept = long[:: -(-len(long) // _MAX_PIECES)]
    seconds, means = np.array([one[0] for one in kept]), np.stack([one[1] for one in kept])
    if len(kept) == 1:
        return _unit(means)
    distances = (1.0 - means @ means.T)[np.triu_indices(len(kept), 1)]
    tree = linkage(np.maximum(distances, 0.0).astype(np.float64), "average")
    if n_speakers is None:
        labels = fcluster(tree, 1.0 - alike, "distance")
    else:
        labels = fcluster(tree, n_speakers, "maxclust")
    found = np.unique(labels)
    if n_speakers is None:
        times_s = np.array([seconds[labels == one].sum() for one in found])
        is_long = times_s >= least_speech_s(float(seconds.sum()))
        found = found[is_long | (times_s == times_s.max())]
    return _unit(np.stack([means[labels == one].mean(axis=0) for one in found]))


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9), np.float32)
