"""Augmentation of speech features: other voices, rooms and microphones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import MEL_LIMIT, MEL_SILENCE

FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator


def augment_mel(rng: Rng, mel: FloatArray, strength: float) -> FloatArray:
    """Return (..., 80, 16) mel windows as another voice and room would give them; one draw for all.

    Gain up to 8 dB, smooth equaliser, mel-axis warp (pitch and formants), noise floor, silence gated to exact
    digital silence, masked bands.
    """
    if strength <= 0:
        return mel
    out = mel.astype(np.float32).copy()
    bands = out.shape[-2]
    if rng.random() < 0.3:  # a noise gate: quiet columns become digital silence
        loudness = out.mean(axis=-2, keepdims=True)
        threshold = rng.uniform(-3.2, -2.2)
        out = np.where(loudness < threshold, np.float32(MEL_SILENCE), out)
    silent = out <= MEL_SILENCE
    knots = rng.normal(0, 0.35 * strength, 6)
    equaliser = np.interp(np.linspace(0, 5, bands), np.arange(6), knots) + rng.uniform(-0.6, 0.6) * strength
    out = np.where(silent, out, out + equaliser[:, None].astype(np.float32))
    if rng.random() < 0.7 * strength:
        position = (
            np.arange(bands) * np.exp(rng.uniform(-0.1, 0.1) * strength) + rng.uniform(-3, 3) * strength
        )
        position = np.clip(position, 0, bands - 1.001)
        low = position.astype(int)
        part = (position - low).astype(np.float32)[:, None]
        out = out[..., low, :] * (1 - part) + out[..., low + 1, :] * part
    if rng.random() < 0.3 * strength:  # 12.5 dB a unit: add magnitudes, not levels
        floor = np.float32(rng.uniform(-3.6, -1.6)) + 0.3 * rng.standard_normal(out.shape, np.float32)
        scale = np.float32(12.5 / 20 * np.log(10))
        out = np.logaddexp(2 * scale * out, 2 * scale * floor) / (2 * scale)
    if rng.random() < 0.25 * strength:
        width = int(rng.integers(3, 11))
        first = int(rng.integers(0, bands - width))
        out[..., first : first + width, :] = out[..., first : first + width, :].mean(
            axis=(-2, -1), keepdims=True
        )
    return np.clip(out, -MEL_LIMIT, MEL_LIMIT).astype(np.float32)


def augment_mfcc(rng: Rng, cepstra: FloatArray, strength: float) -> FloatArray:
    """Return (..., 13, 20) MFCC windows under another gain, channel (an offset each) and noise."""
    if strength <= 0:
        return cepstra
    offset = rng.normal(0, 2.0 * strength, (cepstra.shape[-2], 1))
    offset[0] = rng.uniform(-2.5, 2.5) * strength  # log energy: about 11 dB either way
    noise = rng.normal(0, rng.uniform(0, 1.5) * strength, cepstra.shape)
    noise[..., 0, :] *= 0.1
    return (cepstra + offset + noise).astype(np.float32)
