"""What the source's own speech tells the voices of the dub: how loud, how high, and a clean sample of it."""

from __future__ import annotations

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


def pick_reference(waveform: Waveform, sample_rate_hz: int, segments: Sequence[Segment]) -> Waveform | None:
    """Return the cleanest 6–15 s of the segments' speech for cloning, None when less than 6 s will do.

    Clean means not clipped, and far above the noise between its own words.
    """
    pieces = [_cut(waveform, sample_rate_hz, segment) for segment in segments]
    usable = [
        piece
        for piece in pieces
        if len(piece) >= _MIN_PIECE_S * sample_rate_hz and np.abs(piece).max() < _CLIPPED
    ]
    usable.sort(key=lambda piece: _signal_to_noise(piece, sample_rate_hz), reverse=True)
    chosen: list[Waveform] = []
    n_samples = 0
    for piece in usable:
        if n_samples >= REFERENCE_S[0] * sample_rate_hz:
            break
        chosen.append(piece[: round(REFERENCE_S[1] * sample_rate_hz) - n_samples])
        n_samples += len(chosen[-1])
    return np.concatenate(chosen) if n_samples >= REFERENCE_S[0] * sample_rate_hz else None


def _signal_to_noise(piece: Waveform, sample_rate_hz: int) -> float:
    """Return the ratio of the loud to the quiet frames' level."""
    length = round(_FRAME_S * sample_rate_hz)
    frames = piece[: len(piece) // length * length].reshape(-1, length)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    return float(np.percentile(levels, 90) / max(np.percentile(levels, 10), 1e-5))


def _cut(waveform: Waveform, sample_rate_hz: int, segment: Segment) -> Waveform:
    return waveform[round(segment.start_s * sample_rate_hz) : round(segment.end_s * sample_rate_hz)]
