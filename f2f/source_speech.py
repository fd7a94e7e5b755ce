"""What the source's own speech tells the voices of the dub: how loud, how high, and a clean sample of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from f2f.engines.speech import Gender
from f2f.loudness import Waveform, speech_rms
from f2f.results import Segment

LISTEN_S = 60.0  # of speech is enough to judge level and pitch
REFERENCE_S = (6.0, 15.0)
"""XTTS v2 takes a few seconds of reference; more than 15 s changes nothing one hears."""

# Mean speaking pitch is 100–130 Hz for men and 190–230 Hz for women (Titze, Principles of Voice
# Production, 1994); between lies what pitch alone cannot decide well.
_FEMALE_FROM_HZ = 165.0
_PITCH_RANGE_HZ = (60.0, 400.0)
_FRAME_S, _HOP_S = 0.04, 0.02
_VOICED = 0.6  # normalised autocorrelation
_MIN_VOICED_FRAMES = 15
_CLIPPED = 0.99
_MIN_PIECE_S = 1.0
_GUARD_S = 0.3  # diarization is seldom more exact
_MIN_OVER_BACKGROUND = 1.5  # 3.5 dB; with less the clone sings the music along


def pick_speech(waveform: Waveform, sample_rate_hz: int, segments: Sequence[Segment]) -> Waveform:
    """Return up to ``LISTEN_S`` of the longest segments' sound, joined."""
    pieces, total_s = [], 0.0
    for segment in sorted(segments, key=lambda one: one.start_s - one.end_s):
        if total_s >= LISTEN_S:
            break
        pieces.append(_cut(waveform, sample_rate_hz, segment)[: round((LISTEN_S - total_s) * sample_rate_hz)])
        total_s += len(pieces[-1]) / sample_rate_hz
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def median_pitch_hz(waveform: Waveform, sample_rate_hz: int) -> float | None:
    """Return the median fundamental frequency of the voiced frames, None when hardly any is voiced.

    Normalised autocorrelation of 40 ms frames; of several peaks nearly as high as the highest the one with
    the shortest period counts, which avoids errors by an octave.
    """
    length, hop = round(_FRAME_S * sample_rate_hz), round(_HOP_S * sample_rate_hz)
    shortest, longest = (round(sample_rate_hz / hz) for hz in reversed(_PITCH_RANGE_HZ))
    pitches: list[float] = []
    floor = 0.1 * speech_rms(waveform, sample_rate_hz)
    for start in range(0, len(waveform) - length, hop):
        frame = waveform[start : start + length].astype(np.float64)
        frame -= frame.mean()
        if np.sqrt(np.mean(frame**2)) <= floor:
            continue
        spectrum = np.fft.rfft(frame, 2 * length)
        correlation = np.fft.irfft(spectrum * spectrum.conj())[:length]
        overlap = np.sqrt(np.cumsum(frame**2)[::-1] * np.cumsum(frame[::-1] ** 2)[::-1])
        normalised = correlation[shortest : longest + 1] / np.maximum(overlap[shortest : longest + 1], 1e-12)
        if normalised.max() > _VOICED:
            pitches.append(sample_rate_hz / (shortest + _first_peak(normalised)))
    return float(np.median(pitches)) if len(pitches) >= _MIN_VOICED_FRAMES else None


def _first_peak(normalised: np.ndarray) -> int:
    nearly = 0.92 * normalised.max()
    inner = normalised[1:-1]
    peaks = np.flatnonzero((inner >= normalised[:-2]) & (inner >= normalised[2:]) & (inner >= nearly)) + 1
    return int(peaks[0]) if peaks.size else int(normalised.argmax())


def judge_gender(waveform: Waveform, sample_rate_hz: int) -> Gender | None:
    """Return which kind of voice has this pitch, None when it has none that can be measured."""
    pitch_hz = median_pitch_hz(waveform, sample_rate_hz)
    if pitch_hz is None:
        return None
    return "female" if pitch_hz >= _FEMALE_FROM_HZ else "male"


def pick_reference(
    waveform: Waveform, sample_rate_hz: int, own: Sequence[Segment], others: Sequence[Segment] = ()
) -> Waveform | None:
    """Return the cleanest 6–15 s of a person's speech for cloning, None when less than 6 s will do.

    Clean means: no sample clipped, nobody else within 0.3 s, the speech at least 1.5 times as strong (RMS) as
    what is heard between its words, and of all that the pieces furthest above it.

    Args:
        waveform: mono, -1…1.
        sample_rate_hz: of ``waveform``.
        own: segments in which the person speaks.
        others: segments in which anybody else speaks, or which are no speech.
    """
    taken = [(one.start_s - _GUARD_S, one.end_s + _GUARD_S) for one in others]
    usable: list[tuple[float, Waveform]] = []
    for start_s, end_s in _without([(one.start_s, one.end_s) for one in own], taken):
        for piece in _unclipped(waveform[round(start_s * sample_rate_hz) : round(end_s * sample_rate_hz)]):
            if len(piece) >= _MIN_PIECE_S * sample_rate_hz:
                usable.append((_over_background(piece, sample_rate_hz), piece))
    usable = [one for one in usable if one[0] >= _MIN_OVER_BACKGROUND]
    usable.sort(key=lambda one: one[0], reverse=True)
    chosen: list[Waveform] = []
    n_samples = 0
    for _, piece in usable:
        if n_samples >= REFERENCE_S[0] * sample_rate_hz:
            break
        chosen.append(piece[: round(REFERENCE_S[1] * sample_rate_hz) - n_samples])
        n_samples += len(chosen[-1])
    return np.concatenate(chosen) if n_samples >= REFERENCE_S[0] * sample_rate_hz else None


def _without(
    spans_s: Sequence[tuple[float, float]], taken_s: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return what is left of ``spans_s`` outside ``taken_s``."""
    left = list(spans_s)
    for start_s, end_s in taken_s:
        pieces = [((a, min(b, start_s)), (max(a, end_s), b)) for a, b in left]
        left = [(a, b) for pair in pieces for a, b in pair if b > a]
    return left


def _unclipped(piece: Waveform) -> list[Waveform]:
    """Return the stretches between clipped samples."""
    clipped = np.flatnonzero(np.abs(piece) >= _CLIPPED)
    edges = [-1, *clipped.tolist(), len(piece)]
    return [piece[before + 1 : after] for before, after in itertools.pairwise(edges) if after - before > 1]


def _over_background(piece: Waveform, sample_rate_hz: int) -> float:
    """Return the RMS of the speech over that of the quietest tenth of its frames, its background."""
    length = round(_FRAME_S * sample_rate_hz)
    frames = piece[: len(piece) // length * length].reshape(-1, length)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    background = max(float(np.percentile(levels, 10)), 1e-5)
    both = speech_rms(piece, sample_rate_hz)  # the background goes on under the words
    return float(np.sqrt(max(both**2 - background**2, 0.0)) / background)


def _cut(waveform: Waveform, sample_rate_hz: int, segment: Segment) -> Waveform:
    return waveform[round(segment.start_s * sample_rate_hz) : round(segment.end_s * sample_rate_hz)]
