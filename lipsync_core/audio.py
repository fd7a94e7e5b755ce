"""Speech features of the published networks: normalised mel (Wav2Lip) and MFCC (SyncNet).

NumPy only, and in blocks: memory beyond input and output does not grow with the length. Constants are
those of Wav2Lip's ``hparams.py`` and of python_speech_features 0.6.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000

# Mel spectrogram (Wav2Lip hparams.py).
MEL_BANDS = 80
MEL_FFT_SAMPLES = 800  # 50 ms
MEL_HOP_SAMPLES = 200  # 12.5 ms
MEL_COLUMNS_PER_SECOND = SAMPLE_RATE_HZ // MEL_HOP_SAMPLES  # 80
MEL_WINDOW_COLUMNS = 16  # 200 ms, what the networks hear at once
MEL_LOW_HZ = 55.0
MEL_HIGH_HZ = 7_600.0
MEL_PRE_EMPHASIS = 0.97
MEL_REFERENCE_DB = 20.0
MEL_FLOOR_DB = -100.0
MEL_FLOOR_MAGNITUDE = 1e-5  # -100 dB
MEL_LIMIT = 4.0  # values lie in -4...+4
MEL_SILENCE = -MEL_LIMIT  # digital silence

# MFCC (python_speech_features 0.6 defaults).
MFCC_COEFFICIENTS = 13
MFCC_COLUMNS_PER_SECOND = 100
MFCC_FRAME_SAMPLES = 400  # 25 ms
MFCC_HOP_SAMPLES = 160  # 10 ms
MFCC_FFT_SAMPLES = 512
MFCC_FILTERS = 26
MFCC_LIFTER = 22
MFCC_PRE_EMPHASIS = 0.97

_BLOCK_COLUMNS = 2_048  # columns per block: about 13 MB of float64 frames


def mel_spectrogram(waveform: npt.NDArray[np.floating]) -> FloatArray:
    """Return the normalised mel spectrogram that Wav2Lip hears.

    Pre-emphasis 0.97, magnitude STFT (Hann 800, hop 200, centred, reflect padding), 80 Slaney mel bands
    of 55-7600 Hz, dB less 20, scaled so that -100 dB is -4 and 0 dB is +4. Reflect padding is the
    behaviour of librosa 0.7, with which the published weights were trained; librosa >= 0.9 pads zeros.

    Args:
        waveform: (N,) samples in -1...1 at 16 kHz, mono.

    Returns:
        (80, 1 + N // 200) in -4...4; digital silence is exactly -4.

    Raises:
        ValueError: not one-dimensional, too short to mirror at the edge (under 401 samples), or not finite.
    """
    wave = np.asarray(waveform)
    pad = MEL_FFT_SAMPLES // 2
    if wave.ndim != 1 or wave.size <= pad:
        raise ValueError(
            f"waveform has shape {wave.shape}; needed is mono audio at {SAMPLE_RATE_HZ} Hz of more than "
            f"{pad} samples (25 ms): mix it down or pad it with silence"
        )
    n_columns = 1 + wave.size // MEL_HOP_SAMPLES
    out = np.empty((MEL_BANDS, n_columns), np.float32)
    for first in range(0, n_columns, _BLOCK_COLUMNS):
        last = min(first + _BLOCK_COLUMNS, n_columns)
        start = first * MEL_HOP_SAMPLES - pad
        stop = (last - 1) * MEL_HOP_SAMPLES - pad + MEL_FFT_SAMPLES
        out[:, first:last] = _mel_of_block(_reflected_pre_emphasis(wave, start, stop))
    return out


def _reflected_pre_emphasis(wave: npt.NDArray[np.floating], start: int, stop: int) -> npt.NDArray[np.float64]:
    """Return pre-emphasised samples start...stop-1, mirrored (without repeating the edge) outside."""
    index = np.arange(start, stop)
    index = np.abs(index)
    index = np.where(index >= wave.size, 2 * (wave.size - 1) - index, index)
    previous = np.where(index > 0, wave[np.maximum(index - 1, 0)].astype(np.float64), 0.0)
    block = wave[index].astype(np.float64) - MEL_PRE_EMPHASIS * previous
    if not np.isfinite(block).all():
        raise ValueError("waveform contains NaN or infinite samples: re-export the audio")
    return block


def _mel_of_block(samples: npt.NDArray[np.float64]) -> FloatArray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, MEL_FFT_SAMPLES)[::MEL_HOP_SAMPLES]
    magnitude = np.abs(np.fft.rfft(frames * _hann(), axis=1))
    mel = _mel_basis() @ magnitude.T
    level_db = 20.0 * np.log10(np.maximum(MEL_FLOOR_MAGNITUDE, mel)) - MEL_REFERENCE_DB
    scaled = 2 * MEL_LIMIT * (level_db - MEL_FLOOR_DB) / -MEL_FLOOR_DB - MEL_LIMIT
    return np.clip(scaled, -MEL_LIMIT, MEL_LIMIT).astype(np.float32)


@lru_cache(maxsize=1)
def _hann() -> npt.NDArray[np.float64]:
    """Return the periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(MEL_FFT_SAMPLES) / MEL_FFT_SAMPLES)


@lru_cache(maxsize=1)
def _mel_basis() -> FloatArray:
    """Return (80, 401) triangular filters of equal area on the Slaney mel scale (Auditory Toolbox, 1998)."""
    edges_hz = _slaney_to_hz(
        np.linspace(_hz_to_slaney(MEL_LOW_HZ), _hz_to_slaney(MEL_HIGH_HZ), MEL_BANDS + 2)
    )
    bins_hz = np.fft.rfftfreq(MEL_FFT_SAMPLES, 1.0 / SAMPLE_RATE_HZ)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    area = 2.0 / (high - low)
    return (np.maximum(0.0, np.minimum(rising, falling)) * area).astype(np.float32)


_SLANEY_LINEAR_HZ = 200.0 / 3.0  # width of one mel below 1 kHz
_SLANEY_KNEE_HZ = 1_000.0
_SLANEY_KNEE_MEL = _SLANEY_KNEE_HZ / _SLANEY_LINEAR_HZ  # 15
_SLANEY_LOG_STEP = math.log(6.4) / 27.0  # 27 mels from 1 to 6.4 kHz


def _hz_to_slaney(frequency_hz: float) -> float:
    if frequency_hz < _SLANEY_KNEE_HZ:
        return frequency_hz / _SLANEY_LINEAR_HZ
    return _SLANEY_KNEE_MEL + math.log(frequency_hz / _SLANEY_KNEE_HZ) / _SLANEY_LOG_STEP


def _slaney_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    logarithmic = _SLANEY_KNEE_HZ * np.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_KNEE_MEL))
    return np.where(mel < _SLANEY_KNEE_MEL, mel * _SLANEY_LINEAR_HZ, logarithmic)


def mel_window_start(
    frame_index: int, fps: float, mel_offset_frames: float = 0.0, columns: int = MEL_WINDOW_COLUMNS
) -> int:
    """Return the first mel column that video frame ``frame_index`` hears.

    A window of 16 columns begins at its frame, ``floor(80 * (frame_index + mel_offset_frames) / fps)``: the
    published recipe of Wav2Lip. A window of any other width is centred on the middle of its frame,
    ``floor(80 * (frame_index + mel_offset_frames + 0.5) / fps - columns / 2)``: with 27 columns, those of
    LipGAN and Speech2Vid, the frame sits in the middle of 337.5 ms.

    The offset at which a network was trained stands in its weights' metadata.

    Args:
        frame_index: index of the video frame, from 0.
        fps: frames a second of the video.
        mel_offset_frames: frames by which the window is moved to later sound.
        columns: width of the window.

    Raises:
        ValueError: ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps must be positive, got {fps!r}")
    if columns == MEL_WINDOW_COLUMNS:
        return math.floor(MEL_COLUMNS_PER_SECOND * (frame_index + mel_offset_frames) / fps)
    centre = MEL_COLUMNS_PER_SECOND * (frame_index + mel_offset_frames + 0.5) / fps
    return math.floor(centre - columns / 2)


def mel_window(
    mel: FloatArray,
    frame_index: int,
    fps: float,
    mel_offset_frames: float = 0.0,
    columns: int = MEL_WINDOW_COLUMNS,
) -> FloatArray:
    """Return the (80, columns) mel window of one video frame, silence (-4) beyond either end of ``mel``.

    The published script stops at the end of the audio and loses 120-150 ms of video; padding keeps
    every frame without touching those before.

    Args:
        mel: (80, T) from `mel_spectrogram`.
        frame_index: index of the video frame, from 0.
        fps: frames a second of the video.
        mel_offset_frames: see `mel_window_start`.
        columns: 16 for Wav2Lip and the expert, 27 for LipGAN and Speech2Vid.
    """
    return mel_columns(mel, mel_window_start(frame_index, fps, mel_offset_frames, columns), columns)


def mel_columns(mel: FloatArray, start: int, count: int = MEL_WINDOW_COLUMNS) -> FloatArray:
    """Return (80, count) columns from ``start`` (may be negative), silence (-4) beyond either end."""
    out = np.full((mel.shape[0], count), MEL_SILENCE, np.float32)
    first, last = max(start, 0), min(start + count, mel.shape[1])
    if first < last:
        out[:, first - start : last - start] = mel[:, first:last]
    return out


def mfcc(pcm16: npt.NDArray[np.int16]) -> FloatArray:
    """Return the MFCC that SyncNet hears: 13 coefficients, 25 ms frames, 100 columns a second.

    Raw 16-bit amplitudes, pre-emphasis 0.97, rectangular window, power spectrum of 512, 26 HTK-mel
    filters of 0-8000 Hz, orthonormal DCT-II, lifter 22, coefficient 0 replaced by the log energy
    (python_speech_features 0.6 defaults). The last frame is padded with zeros.

    Args:
        pcm16: (N,) int16 samples at 16 kHz, mono.

    Returns:
        (13, T) with T = 1 + ceil((N - 400) / 160), at least 1.

    Raises:
        ValueError: not a non-empty one-dimensional int16 array.
    """
    pcm = np.asarray(pcm16)
    if pcm.ndim != 1 or pcm.dtype != np.int16 or pcm.size == 0:
        raise ValueError(
            f"pcm16 has shape {pcm.shape} and type {pcm.dtype}; needed is a mono int16 array at "
            f"{SAMPLE_RATE_HZ} Hz: multiply a float waveform by 32768 and round"
        )
    n_columns = 1 + max(0, math.ceil((pcm.size - MFCC_FRAME_SAMPLES) / MFCC_HOP_SAMPLES))
    out = np.empty((MFCC_COEFFICIENTS, n_columns), np.float32)
    for first in range(0, n_columns, _BLOCK_COLUMNS):
        last = min(first + _BLOCK_COLUMNS, n_columns)
        out[:, first:last] = _mfcc_of_block(pcm, first * MFCC_HOP_SAMPLES, last - first)
    return out


def _mfcc_of_block(pcm: npt.NDArray[np.int16], start: int, n_columns: int) -> npt.NDArray[np.float64]:
    stop = start + (n_columns - 1) * MFCC_HOP_SAMPLES + MFCC_FRAME_SAMPLES
    samples = np.zeros(stop - start)
    piece = pcm[start:stop].astype(np.float64)
    before = np.float64(pcm[start - 1]) if start else 0.0
    samples[: piece.size] = piece - MFCC_PRE_EMPHASIS * np.concatenate(([before], piece[:-1]))
    frames = np.lib.stride_tricks.sliding_window_view(samples, MFCC_FRAME_SAMPLES)[::MFCC_HOP_SAMPLES]
    power = np.abs(np.fft.rfft(frames, MFCC_FFT_SAMPLES, axis=1)) ** 2 / MFCC_FFT_SAMPLES
    tiny = np.finfo(np.float64).eps  # stands in for zero energy, as in the original
    energy = power.sum(axis=1)
    bands = power @ _htk_basis().T
    log_bands = np.log(np.where(bands == 0, tiny, bands))
    cepstra = log_bands @ _dct_basis().T
    cepstra[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return cepstra.T


@lru_cache(maxsize=1)
def _htk_basis() -> npt.NDArray[np.float64]:
    """Return (26, 257) triangles between whole FFT bins, peak 1, on the HTK mel scale."""
    top_mel = 2595.0 * math.log10(1.0 + SAMPLE_RATE_HZ / 2 / 700.0)
    edges_hz = 700.0 * (10.0 ** (np.linspace(0.0, top_mel, MFCC_FILTERS + 2) / 2595.0) - 1.0)
    edges = np.floor((MFCC_FFT_SAMPLES + 1) * edges_hz / SAMPLE_RATE_HZ)
    bins = np.arange(MFCC_FFT_SAMPLES // 2 + 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    return np.where((bins >= low) & (bins < centre), rising, 0.0) + np.where(
        (bins >= centre) & (bins < high), falling, 0.0
    )


@lru_cache(maxsize=1)
def _dct_basis() -> npt.NDArray[np.float64]:
    """Return (13, 26): orthonormal DCT-II rows times the lifter of 22."""
    k = np.arange(MFCC_COEFFICIENTS)[:, None]
    n = np.arange(MFCC_FILTERS)[None, :]
    basis = np.sqrt(2.0 / MFCC_FILTERS) * np.cos(np.pi * k * (2 * n + 1) / (2 * MFCC_FILTERS))
    basis[0] /= math.sqrt(2.0)
    lifter = 1.0 + MFCC_LIFTER / 2.0 * np.sin(np.pi * k / MFCC_LIFTER)
    return np.asarray(basis * lifter)
