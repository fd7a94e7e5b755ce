"""The sound of a clip: read, and turned into the features of all networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import (
    MEL_HOP_SAMPLES,
    MFCC_FRAME_SAMPLES,
    MFCC_HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    mel_spectrogram,
    mfcc,
)


def read_sound(path: Path) -> npt.NDArray[Any]:
    """Return a video's sound at 16 kHz; of a silent file that of the ``.wav`` beside it (as GRID has it)."""
    from lipsync_core.media import probe_media, read_audio

    beside = path.with_suffix(".wav")
    if not probe_media(path).audio and beside.is_file():
        return read_audio(beside, SAMPLE_RATE_HZ)
    return read_audio(path, SAMPLE_RATE_HZ)


def speech_features(
    wave: npt.NDArray[Any], start: int, n_samples: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return mel (M, 80) and MFCC (K, 13) of a stretch of sound, computed as those of the whole sound are.

    Columns at the edges hear what lies beyond them, so they are equal to those of the whole sound, if only
    approximately where the stretch begins between two of its mel columns (3.2 columns a frame).

    Args:
        wave: (N,) samples in -1...1 at 16 kHz.
        start: first sample of the stretch.
        n_samples: its length.
    """
    # 25 ms of a mel column lie before its time, and an MFCC column needs 25 ms after its own.
    lead_mel = min(3, start // MEL_HOP_SAMPLES)
    lead_mfcc = min(1, start // MFCC_HOP_SAMPLES)
    stop = start + n_samples
    mel = mel_spectrogram(
        _pcm(wave, start - lead_mel * MEL_HOP_SAMPLES, stop + 3 * MEL_HOP_SAMPLES) / 32768.0
    )
    n_mel = 1 + n_samples // MEL_HOP_SAMPLES
    pcm = _pcm(wave, start - lead_mfcc * MFCC_HOP_SAMPLES, stop + MFCC_FRAME_SAMPLES - MFCC_HOP_SAMPLES)
    cepstra = mfcc(pcm)[:, lead_mfcc : lead_mfcc + n_samples // MFCC_HOP_SAMPLES]
    return mel[:, lead_mel : lead_mel + n_mel].T, cepstra.T


def _pcm(wave: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[np.int16]:
    samples = np.round(wave[start:stop] * 32768.0)
    return np.clip(samples, -32768, 32767).astype(np.int16)
