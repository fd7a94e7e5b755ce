"""Put a generated lower face back into its frame without a visible edge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray
from lipsync_core.pictures import Picture, Yuv420Frame, region_bgr

FloatArray = npt.NDArray[np.float32]

# The mask in box coordinates (u: -1...1 from left to right, v: 0...1 from top to bottom; a detected box
# with its chin margin has the nose tip near v = 0.48, the mouth near 0.67 and the chin near 0.93).
MASK_TOP = 0.5  # above is what the network saw and did not generate: stays bit for bit
MASK_CENTRE_V = 0.745
MASK_RADIUS_U = 0.86
MASK_RADIUS_V = 0.245
MASK_POWER = 2.6  # 2 is an ellipse; larger is squarer, which keeps the corners of the jaw
MASK_FEATHER = 0.45  # share of the radius over which the mask fades

MATCH_SIZE_PX = 48  # colours are matched on copies of this size
MATCH_SIGMA_PX = 9.0
MATCH_LIMIT = 28.0  # grey levels; a larger difference is content, not colour
# Detail finer than this (in the 96-px face) is what generators blur; coarser content tells whether generated
# and original show the same.
DETAIL_SIGMA_PX = 2.5
SAME_CONTENT_LEVELS = 8.0  # where they differ by less, the original's detail fits
MOUTH_CENTRE_V, MOUTH_RADIUS_U, MOUTH_RADIUS_V = 0.69, 0.62, 0.19  # speaks: never given the old detail back
LIPS_CENTRE_V, LIPS_RADIUS_U, LIPS_RADIUS_V = 0.72, 0.45, 0.13  # nor the old texture
TEXTURE_LIMIT_LEVELS = 10.0  # finer than a 96-px face can show: skin stays, edges that moved do not come back
SHARPEN_LIMIT = 0.6  # by how much generated detail is amplified at most where it is softer than the frame's


@dataclass(frozen=True)
class FacePatch:
    """One generated face and where it belongs.

    Attributes:
        box: x1, y1, x2, y2 in whole pixels, inside the frame, x2 and y2 exclusive.
        face_bgr: (96, 96, 3) uint8 BGR, the whole generated crop.
        opacity: 0...1, scales the paste.
    """

    box: tuple[int, int, int, int]
    face_bgr: FrameArray
    opacity: float = 1.0

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        size = GENERATOR_FACE_SIZE_PX
        if self.face_bgr.shape != (size, size, 3) or self.face_bgr.dtype != np.uint8:
            raise InvalidInputError(
                f"face_bgr is {self.face_bgr.shape}, {self.face_bgr.dtype}; (96, 96, 3) uint8"
            )
        if x1 < 0 or y1 < 0 or x2 <= x1 or y2 <= y1 or not 0.0 <= self.opacity <= 1.0:
            raise InvalidInputError(
                f"box {self.box} must not be empty or negative, opacity {self.opacity} in 0...1"
            )


PictureT = TypeVar("PictureT", bound=Picture)


def paste(picture: PictureT, patch: FacePatch) -> PictureT:
    """Return a copy of the frame with the patch's lower face blended in.

    The mask is a soft, squarish ellipse from the nose base to below the chin; the generated colours are
    shifted, smoothly over the face, to meet the frame's around the mask. Away from the mouth the frame's
    own detail (beard, chin line) comes back where both show the same, and skin texture that is too fine for
    a generated face wherever there are no lips; the rest is sharpened. The box's
    upper half and everything outside the box are bit for bit those of ``picture``. Of a planar frame only
    the box is converted, and only what changes is written back.

    Args:
        picture: (H, W, 3) uint8 BGR, or a `Yuv420Frame`.
        patch: see `FacePatch`.

    Raises:
        InvalidInputError: the patch's box leaves the frame.
    """
    x1, y1, x2, y2 = patch.box
    height, width = picture.shape[:2]
    if y2 > height or x2 > width:
        raise InvalidInputError(
            f"box {patch.box} leaves the {width}x{height} frame; "
            "these patches belong to a video of another size"
        )
    before = region_bgr(picture, patch.box)
    first, rows = _blended_rows(before, patch)
    if isinstance(picture, Yuv420Frame):
        changed = picture.changed((x1, y1 + first, x2, y2), before[first:], rows)
        return cast(PictureT, changed)
    out = picture.copy()
    out[y1 + first : y2, x1:x2] = rows
    return cast(PictureT, out)


def _blended_rows(original: FrameArray, patch: FacePatch) -> tuple[int, FrameArray]:
    """Return (first row that changes, that row and all below it) of the box."""
    height, width = original.shape[:2]
    mask = lower_face_mask(width, height)
    first = int(np.argmax(mask.any(axis=1)))  # rows above have no part in it
    corrected = patch.face_bgr.astype(np.float32) + _colour_shift(patch.face_bgr, original)
    generated = _at_box_size(corrected, original)[first:]
    alpha = (mask[first:, :, None] * np.float32(patch.opacity)).astype(np.float32)
    below = original[first:].astype(np.float32)
    blended = below + alpha * (generated - below)
    return first, np.clip(np.rint(blended), 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def lower_face_mask(width: int, height: int) -> FloatArray:
    """Return the (height, width) blending mask in 0...1: 0 in the upper half and at the box's edges."""
    v = (np.arange(height, dtype=np.float32) + 0.5)[:, None] / height
    u = 2 * (np.arange(width, dtype=np.float32) + 0.5)[None, :] / width - 1
    distance = (np.abs(u) / MASK_RADIUS_U) ** MASK_POWER + (
        np.abs(v - MASK_CENTRE_V) / MASK_RADIUS_V
    ) ** MASK_POWER
    inside = np.clip((1 - distance ** (1 / MASK_POWER)) / MASK_FEATHER, 0, 1)
    mask = np.asarray(
        inside * inside * (3 - 2 * inside), np.float32
    )  # smoothstep: no kink where the fade begins or ends
    mask[: -(-height // 2)] = 0
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=1)
def _ring() -> FloatArray:
    """Return (48, 48) weights of where colours are compared: around the mask, not in its core."""
    mask = lower_face_mask(MATCH_SIZE_PX, MATCH_SIZE_PX)
    v = (np.arange(MATCH_SIZE_PX) + 0.5)[:, None] / MATCH_SIZE_PX
    u = np.abs(2 * (np.arange(MATCH_SIZE_PX) + 0.5)[None, :] / MATCH_SIZE_PX - 1)
    # Cheeks and nose down to the mouth's line; below lies the neck, which the generator redraws freely.
    near = (v > 0.38) & (v < 0.82) & (u < 0.9)
    return (np.where(near, np.clip(0.6 - mask, 0, 1), 0) + 1e-4).astype(np.float32)


def _colour_shift(face_bgr: FrameArray, original: FrameArray) -> FloatArray:
    """Return (96, 96, 3) smooth offsets that take the generated colours to the frame's around the mask.

    A normalised convolution of the differences in the ring: each place takes the offsets of the ring
    nearest to it, so that light from one side stays on that side.
    """
    import cv2

    size = (MATCH_SIZE_PX, MATCH_SIZE_PX)
    small_face = cv2.resize(face_bgr, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small_original = cv2.resize(original, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    difference = np.clip(small_original - small_face, -MATCH_LIMIT, MATCH_LIMIT)
    ring = _ring()
    weighted = cv2.GaussianBlur(difference * ring[:, :, None], (0, 0), MATCH_SIGMA_PX)
    weights = cv2.GaussianBlur(ring, (0, 0), MATCH_SIGMA_PX)[:, :, None]
    offsets = weighted / weights
    face_size = (GENERATOR_FACE_SIZE_PX, GENERATOR_FACE_SIZE_PX)
    return np.asarray(cv2.resize(offsets, face_size, interpolation=cv2.INTER_LINEAR), np.float32)


def _at_box_size(face: FloatArray, original: FrameArray) -> FloatArray:
    """Return the (96, 96, 3) face at the size of the box ``original``, its detail restored or sharpened."""
    import cv2

    height, width = original.shape[:2]
    small_size = (GENERATOR_FACE_SIZE_PX, GENERATOR_FACE_SIZE_PX)
    small = cv2.resize(original, small_size, interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse_face = np.asarray(cv2.GaussianBlur(face, (0, 0), DETAIL_SIGMA_PX), np.float32)
    coarse_original = np.asarray(cv2.GaussianBlur(small, (0, 0), DETAIL_SIGMA_PX), np.float32)
    difference = np.abs(coarse_face - coarse_original).max(axis=2)
    likeness = np.exp(-((difference / SAME_CONTENT_LEVELS) ** 2)) * (1 - _mouth_zone())

    def enlarged(image: FloatArray) -> FloatArray:
        kind = cv2.INTER_CUBIC if max(width, height) > GENERATOR_FACE_SIZE_PX else cv2.INTER_AREA
        return np.asarray(cv2.resize(image, (width, height), interpolation=kind), np.float32)

    def share(weights: FloatArray) -> FloatArray:
        return np.asarray(cv2.resize(weights, (width, height)), np.float32)[:, :, None]

    detail, own_detail = face - coarse_face, small - coarse_original
    sharpened = detail * np.float32(1 + _lacking_detail(detail, own_detail))
    similar = likeness[:, :, None]
    mended = coarse_face + sharpened * (1 - similar) + own_detail * similar
    texture = original.astype(np.float32) - enlarged(small)
    skin = np.clip(texture, -TEXTURE_LIMIT_LEVELS, TEXTURE_LIMIT_LEVELS)
    kept = share(1 - _lip_zone())
    return np.asarray(enlarged(mended) + kept * (skin + (texture - skin) * share(likeness)), np.float32)


def _lacking_detail(generated: FloatArray, original: FloatArray) -> float:
    """Return by which share (0...0.6) generated detail is weaker than the frame's, in chin and cheeks."""
    weights = (1 - _mouth_zone())[GENERATOR_FACE_SIZE_PX // 2 :, :, None]
    there, here = (
        float((weights * detail[GENERATOR_FACE_SIZE_PX // 2 :] ** 2).sum())
        for detail in (original, generated)
    )
    return min(max(math.sqrt(there / max(here, 1e-6)) - 1.0, 0.0), SHARPEN_LIMIT)


@lru_cache(maxsize=1)
def _mouth_zone() -> FloatArray:
    """Return (96, 96) weights, 1 where the mouth may move, falling to 0 around."""
    return _soft_ellipse(MOUTH_CENTRE_V, MOUTH_RADIUS_U, MOUTH_RADIUS_V)


@lru_cache(maxsize=1)
def _lip_zone() -> FloatArray:
    """Return (96, 96) weights, 1 where lips, teeth and tongue show, falling to 0 around."""
    return _soft_ellipse(LIPS_CENTRE_V, LIPS_RADIUS_U, LIPS_RADIUS_V)


def _soft_ellipse(centre_v: float, radius_u: float, radius_v: float) -> FloatArray:
    v = (np.arange(GENERATOR_FACE_SIZE_PX, dtype=np.float32) + 0.5)[:, None] / GENERATOR_FACE_SIZE_PX
    u = 2 * (np.arange(GENERATOR_FACE_SIZE_PX, dtype=np.float32) + 0.5)[None, :] / GENERATOR_FACE_SIZE_PX - 1
    distance = np.hypot(u / radius_u, (v - centre_v) / radius_v)
    return np.asarray(np.clip((1.15 - distance) / 0.4, 0, 1), np.float32)
