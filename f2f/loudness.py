"""How loud speech is, and trimming of silence. Waveforms are mono float in [-1, 1]."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]

_FRAME_S = 0.05
_ABSOLUTE_GATE = 10 ** (-60 / 20)
# Frames this far under the mean level are pauses (the relative gate of ITU-R BS.1770, section 5.1).
_RELATIVE_GATE = 10 ** (-10 / 20)
_OVERSAMPLING = 4  # as ITU-R BS.1770 annex 2 asks for at 48 kHz
_HALF_TAPS = 12
_SILENCE_RATIO = 10 ** (-50 / 20)
_PEAK_BLOCK_SAMPLES = 1 << 18


def speech_rms(waveform: Waveform, sample_rate_hz: int) -> float:
    """Return the RMS of what is spoken in ``waveform`` (0…1), pauses left out; 0 when all is silent."""
    length = max(1, round(_FRAME_S * sample_rate_hz))
    n_frames = -(-len(waveform) // length)
    powers = np.empty(n_frames)
    for i in range(n_frames):
        powers[i] = np.mean(np.square(waveform[i * length : (i + 1) * length], dtype=np.float64))
    powers = powers[powers > _ABSOLUTE_GATE**2]
    if not powers.size:
        return 0.0
    return math.sqrt(powers[powers > powers.mean() * _RELATIVE_GATE**2].mean())


def true_peak(waveform: Waveform) -> float:
    """Return the largest magnitude of the signal between and at its samples, by 4× oversampling."""
    peak = 0.0
    for start in range(0, len(waveform), _PEAK_BLOCK_SAMPLES):
        # Blocks overlap by the filter's length, so no instant is judged by half a filter.
        block = waveform[max(0, start - 2 * _HALF_TAPS) : start + _PEAK_BLOCK_SAMPLES + 2 * _HALF_TAPS]
        peak = max(peak, float(np.abs(block).max()))
        for phase in range(1, _OVERSAMPLING):
            between = np.convolve(block, _interpolator(phase / _OVERSAMPLING), mode="same")
            peak = max(peak, float(np.abs(between).max()))
    return peak


def _interpolator(shift: float) -> npt.NDArray[np.float64]:
    """Return a Hann-windowed sinc that delays by ``shift`` of a sample."""
    taps = np.arange(-_HALF_TAPS, _HALF_TAPS + 1) - shift
    window = np.cos(np.pi * taps / (2 * (_HALF_TAPS + 1))) ** 2
    kernel: npt.NDArray[np.float64] = np.sinc(taps) * window
    kernel /= kernel.sum()
    return kernel


def trim_silence(waveform: Waveform, sample_rate_hz: int, kept_s: float = 0.02) -> Waveform:
    """Cut what is quieter than −50 dB of the peak from both ends, but for ``kept_s``; empty if inaudible."""
    magnitude = np.abs(waveform)
    if not len(waveform) or magnitude.max() < _ABSOLUTE_GATE:
        return waveform[:0]
    loud = np.flatnonzero(magnitude > magnitude.max() * _SILENCE_RATIO)
    kept = round(kept_s * sample_rate_hz)
    return waveform[max(0, loud[0] - kept) : loud[-1] + 1 + kept]


def to_dbfs(level: float) -> float:
    """Return ``level`` (1 = full scale) in dB; −inf for 0."""
    return 20 * math.log10(level) if level > 0 else -math.inf


def from_dbfs(level_dbfs: float) -> float:
    """Return the level (1 = full scale) of ``level_dbfs``."""
    return float(10 ** (level_dbfs / 20))
