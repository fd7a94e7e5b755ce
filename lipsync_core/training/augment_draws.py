"""What augmentation draws: where the pixels of a window come from, and in what light they are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator

ELASTIC_NODES = 4  # control points a side of the elastic warp


@dataclass(frozen=True)
class Geometry:
    """One geometric draw: flip, affine, elastic; lengths in pixels of the result."""

    flip: bool
    matrix: FloatArray  # (2, 2), result offset from the centre -> source offset
    shift: FloatArray  # (2,)
    elastic: FloatArray  # (4, 4, 2) displacement at control points

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing is moved."""
        moved = self.flip or self.shift.any() or self.elastic.any()
        return not moved and bool((self.matrix == np.eye(2)).all())


_STILL = Geometry(
    False,
    np.eye(2, dtype=np.float32),
    np.zeros(2, np.float32),
    np.zeros((ELASTIC_NODES, ELASTIC_NODES, 2), np.float32),
)


def draw_geometry(rng: Rng, strength: float, size_px: int = 96) -> Geometry:
    """Draw flip, rotation up to 8 degrees, scale 0.88-1.12, aspect, shift and elastic warp."""
    if strength <= 0:
        return _STILL
    angle = np.deg2rad(rng.uniform(-8, 8) * strength)
    scale = np.exp(rng.uniform(-0.12, 0.12) * strength)
    aspect = np.exp(rng.uniform(-0.06, 0.06) * strength)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Geometry(
        flip=bool(rng.random() < 0.5),
        matrix=(rotation @ np.diag([scale * aspect, scale / aspect])).astype(np.float32),
        shift=(rng.uniform(-0.05, 0.05, 2) * size_px * strength).astype(np.float32),
        elastic=(rng.normal(0, 0.016 * size_px * strength, (ELASTIC_NODES, ELASTIC_NODES, 2))).astype(
            np.float32
        ),
    )


def jittered(rng: Rng, geometry: Geometry, strength: float) -> Geometry:
    """Return the same draw with about a pixel of shift and 1 % of scale of its own (for the reference)."""
    if strength <= 0:
        return geometry
    scale = np.float32(np.exp(rng.normal(0, 0.01) * strength))
    shift = geometry.shift + rng.normal(0, 0.7, 2).astype(np.float32) * np.float32(strength)
    return replace(geometry, matrix=geometry.matrix * scale, shift=shift)


@dataclass(frozen=True)
class Look:
    """One photometric draw: per-channel curve, colour mixing, texture, blur, noise."""

    curve: ByteArray  # (256, 1, 3)
    mixing: FloatArray  # (3, 3)
    texture: FloatArray | None  # (n, n, 1) multiplicative field at control points
    blur_px: float
    noise: float  # standard deviation in levels

    @cached_property
    def is_plain(self) -> bool:
        """Whether nothing is changed."""
        changed = self.texture is not None or self.blur_px or self.noise or (self.mixing != np.eye(3)).any()
        return not changed and bool((self.curve == np.arange(256)[:, None, None]).all())


_UNCHANGED = Look(
    np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2),
    np.eye(3, dtype=np.float32),
    None,
    0.0,
    0.0,
)


def draw_look(rng: Rng, strength: float) -> Look:
    """Draw gamma 0.6-1.6, gain, bias, colour mixing and hue turn, lighting field, blur, noise."""
    if strength <= 0:
        return _UNCHANGED
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
