"""Augmentation of face windows and of speech features.

One draw holds for all frames of a window (and, in generator training, for its reference, apart from a small
jitter of its own): what changes from frame to frame must stay the mouth. Elastic warps, colour mixing and
multiplicative texture make new "people" from few, which a generator can only redraw by copying the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from lipsync_core.audio import MEL_LIMIT, MEL_SILENCE

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

_ELASTIC_NODES = 4  # control points a side of the elastic warp


@dataclass(frozen=True)
class Geometry:
    """One geometric draw: flip, affine, elastic; lengths in pixels of the result."""

    flip: bool
    matrix: FloatArray  # (2, 2), result offset from the centre -> source offset
    shift: FloatArray  # (2,)
    elastic: FloatArray  # (4, 4, 2) displacement at control points


def draw_geometry(rng: Rng, strength: float, size_px: int = 96) -> Geometry:
    """Draw flip, rotation up to 8 degrees, scale 0.88-1.12, aspect, shift and elastic warp."""
    angle = np.deg2rad(rng.uniform(-8, 8) * strength)
    scale = np.exp(rng.uniform(-0.12, 0.12) * strength)
    aspect = np.exp(rng.uniform(-0.06, 0.06) * strength)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Geometry(
        flip=bool(strength > 0 and rng.random() < 0.5),
        matrix=(rotation @ np.diag([scale * aspect, scale / aspect])).astype(np.float32),
        shift=(rng.uniform(-0.05, 0.05, 2) * size_px * strength).astype(np.float32),
        elastic=(rng.normal(0, 0.016 * size_px * strength, (_ELASTIC_NODES, _ELASTIC_NODES, 2))).astype(
            np.float32
        ),
    )


def jittered(rng: Rng, geometry: Geometry, strength: float) -> Geometry:
    """Return the same draw with about a pixel of shift and 1 % of scale of its own (for the reference)."""
    scale = np.float32(np.exp(rng.normal(0, 0.01) * strength))
    shift = geometry.shift + rng.normal(0, 0.7, 2).astype(np.float32) * np.float32(strength)
    return replace(geometry, matrix=geometry.matrix * scale, shift=shift)


def warp_window(
    frames: ByteArray, geometry: Geometry, crop_px: float, out_px: int, first_row: int = 0
) -> ByteArray:
    """Resample a window of square frames.

    Args:
        frames: (T, S, S, 3) uint8.
        geometry: drawn for results of ``out_px``.
        crop_px: side of the centred source square that the result shows when nothing is drawn.
        out_px: side of the result.
        first_row: rows above are not computed (48 gives the expert's lower halves).

    Returns:
        (T, out_px - first_row, out_px, 3) uint8.
    """
    n_frames, size = frames.shape[:2]
    half = (out_px - 1) / 2
    columns, rows = np.meshgrid(
        np.arange(out_px, dtype=np.float32) - half, np.arange(first_row, out_px, dtype=np.float32) - half
    )
    if geometry.flip:
        columns = -columns
    bend = cv2.resize(geometry.elastic, (out_px, out_px), interpolation=cv2.INTER_CUBIC)[first_row:]
    m, zoom = geometry.matrix, np.float32(crop_px / out_px)
    x = (m[0, 0] * columns + m[0, 1] * rows + geometry.shift[0] + bend[..., 0]) * zoom + (size - 1) / 2
    y = (m[1, 0] * columns + m[1, 1] * rows + geometry.shift[1] + bend[..., 1]) * zoom + (size - 1) / 2
    fixed, weights = cv2.convertMaps(
        np.clip(x, 0, size - 1).astype(np.float32), np.clip(y, 0, size - 1).astype(np.float32), cv2.CV_16SC2
    )
    out = np.empty((n_frames, out_px - first_row, out_px, 3), np.uint8)
    for source, target in zip(frames, out, strict=True):
        cv2.remap(source, fixed, weights, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
    return out


@dataclass(frozen=True)
class Look:
    """One photometric draw: per-channel curve, colour mixing, texture, blur, noise."""

    curve: ByteArray  # (256, 1, 3)
    mixing: FloatArray  # (3, 3)
    texture: FloatArray | None  # (n, n, 1) multiplicative field at control points
    blur_px: float
    noise: float  # standard deviation in levels


def draw_look(rng: Rng, strength: float) -> Look:
    """Draw gamma 0.6-1.6, gain, bias, colour mixing and hue turn, lighting field, blur, noise."""
    levels = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.uniform(-0.45, 0.45) * strength) * np.exp(rng.normal(0, 0.08, 3) * strength)
    gain = np.exp(rng.uniform(-0.25, 0.2) * strength)
    bias = rng.uniform(-0.08, 0.08) * strength
    curve = np.clip(levels**gamma * gain + bias, 0, 1) * 255
    mixing = np.eye(3) + rng.normal(0, 0.12, (3, 3)) * strength
    if rng.random() < 0.2 * strength:  # towards grey, as in old or indoor footage
        mixing = mixing * 0.5 + 0.5 / 3
    if rng.random() < 0.1 * strength:
        mixing = mixing[rng.permutation(3)]
    mixing /= np.maximum(mixing.sum(axis=1, keepdims=True), 0.5)  # grey stays grey
    texture = None
    if rng.random() < 0.6 * strength:
        nodes = int(rng.choice([3, 6, 12, 24]))
        texture = np.exp(rng.normal(0, rng.uniform(0.02, 0.12) * strength, (nodes, nodes, 1)))
        texture = texture.astype(np.float32)
    return Look(
        curve=np.ascontiguousarray(np.rint(curve)[:, None, :].astype(np.uint8)),
        mixing=mixing.astype(np.float32),
        texture=texture,
        blur_px=float(rng.uniform(0.3, 1.1)) if rng.random() < 0.25 * strength else 0.0,
        noise=float(rng.uniform(1, 5)) if rng.random() < 0.25 * strength else 0.0,
    )


def apply_look(rng: Rng, frames: ByteArray, look: Look, full_px: int) -> ByteArray:
    """Return the (T, H, W, 3) window in its new light; ``full_px`` is the height before a crop."""
    n_frames, height, width = frames.shape[:3]
    curved = cv2.LUT(frames.reshape(n_frames * height, width, 3), look.curve)
    out: ByteArray = np.asarray(cv2.transform(curved, look.mixing), np.uint8).reshape(frames.shape)
    if look.texture is None and not look.noise and not look.blur_px:
        return out
    if look.blur_px:
        out = np.stack([cv2.GaussianBlur(f, (0, 0), look.blur_px) for f in out]).astype(np.uint8)
    values = out.astype(np.float32)
    if look.texture is not None:
        field = cv2.resize(look.texture, (full_px, full_px), interpolation=cv2.INTER_CUBIC)
        values *= field[full_px - height :, :, None]
    if look.noise:
        values += rng.standard_normal(values.shape, np.float32) * np.float32(look.noise)
    return np.clip(values, 0, 255).astype(np.uint8)


def blur_region(frames: ByteArray, region: FloatArray, blur_px: float = 7.0) -> ByteArray:
    """Return (T, H, W, 3) frames blurred where the (H, W) region is one, untouched where it is zero."""
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), blur_px) for f in frames]).astype(np.float32)
    part = region[None, :, :, None]
    return np.rint(frames * (1 - part) + soft * part).astype(np.uint8)


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
