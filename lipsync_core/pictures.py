"""Frames as decoders give them: planar 8-bit 4:2:0, of which only rectangles are turned into BGR.

Sources: ITU-R BT.601, BT.709 and BT.2020 (matrix coefficients, narrow and full range), H.264 annex E
(matrix names, chroma location 0 as the default).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
BgrFrame = npt.NDArray[np.uint8]  # (H, W, 3)
FloatArray = npt.NDArray[np.float32]

# Share of red and blue in luma.
LUMA_SHARES = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "smpte240m": (0.212, 0.087),
    "bt2020": (0.2627, 0.0593),
}


@dataclass(frozen=True)
class ColourSpace:
    """How the three planes stand for colours.

    Attributes:
        matrix: one of `LUMA_SHARES`.
        is_full_range: luma covers 0...255 instead of 16...235.
    """

    matrix: str = "bt709"
    is_full_range: bool = False


@dataclass(frozen=True, eq=False)
class Yuv420Frame:
    """One frame in planar 8-bit 4:2:0; planes are shared, never changed in place.

    Chroma samples are taken to lie left in each pair of columns and in the middle of each pair of rows, as
    in MPEG-2, H.264 and HEVC by default.

    Attributes:
        y: (H, W) uint8.
        u: (ceil(H / 2), ceil(W / 2)) uint8, blue difference.
        v: as ``u``, red difference.
        colour: see `ColourSpace`.
    """

    y: Plane
    u: Plane
    v: Plane
    colour: ColourSpace

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), that of the same frame in BGR."""
        return self.y.shape[0], self.y.shape[1], 3

    @property
    def nbytes(self) -> int:
        """Bytes of the three planes."""
        return self.y.nbytes + self.u.nbytes + self.v.nbytes

    def to_bgr(self) -> BgrFrame:
        """Return the whole frame as (H, W, 3) uint8 BGR."""
        return self.region_bgr((0, 0, self.shape[1], self.shape[0]))

    def region_bgr(self, box: tuple[int, int, int, int]) -> BgrFrame:
        """Return a rectangle (x1, y1, x2, y2 inside the frame, ends exclusive) as uint8 BGR."""
        import cv2

        x1, y1, x2, y2 = box
        # Destination pixel (x, y) lies at chroma (x / 2, y / 2 - 1 / 4).
        to_chroma = np.array([[0.5, 0, 0.5 * x1], [0, 0.5, 0.5 * y1 - 0.25]])
        size, flags = (x2 - x1, y2 - y1), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        u, v = (
            np.asarray(
                cv2.warpAffine(plane, to_chroma, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
            )
            for plane in (self.u, self.v)
        )
        return _to_bgr(self.y[y1:y2, x1:x2], u, v, self.colour)

    def resized_bgr(self, width: int, height: int, *, averaging: bool = False) -> BgrFrame:
        """Return a BGR copy of another size, for detection: far cheaper than converting all.

        Args:
            width: of the copy.
            height: of the copy.
            averaging: see `resized`; False is bilinear at any size.
        """
        planes = [resized(plane, (width, height), averaging=averaging) for plane in self.planes()]
        return _to_bgr(planes[0], planes[1], planes[2], self.colour)

    def part(self, box: tuple[int, int, int, int]) -> Yuv420Frame:
        """Return a rectangle (x1, y1, x2, y2 inside the frame, x1 and y1 even) that shares its samples."""
        x1, y1, x2, y2 = box
        chroma = slice(y1 // 2, (y2 + 1) // 2), slice(x1 // 2, (x2 + 1) // 2)
        return Yuv420Frame(self.y[y1:y2, x1:x2], self.u[chroma], self.v[chroma], self.colour)

    def changed(self, box: tuple[int, int, int, int], before: BgrFrame, after: BgrFrame) -> Yuv420Frame:
        """Return a frame to whose rectangle the difference of two BGR pictures of it was added.

        Only the difference is converted: where ``after`` equals ``before`` every sample stays bit for bit.
        A chroma sample belongs to a block of four pixels and changes only if the rectangle holds all four.

        Args:
            box: x1, y1, x2, y2 inside the frame.
            before: (y2 - y1, x2 - x1, 3) uint8, as `region_bgr` gave it.
            after: of the same shape.
        """
        import cv2

        x1, y1, x2, y2 = box
        difference = after.astype(np.float32) - before
        planes = np.asarray(cv2.transform(difference, _bgr_to_yuv(self.colour)), np.float32)
        y = self.y.copy()
        y[y1:y2, x1:x2] = _added(y[y1:y2, x1:x2], planes[:, :, 0])
        u, v = self.u.copy(), self.v.copy()
        left, top = x1 + x1 % 2, y1 + y1 % 2
        right, bottom = x2 - x2 % 2, y2 - y2 % 2
        if right > left and bottom > top:
            inner = planes[top - y1 : bottom - y1, left - x1 : right - x1, 1:]
            halved = halve_chroma(np.ascontiguousarray(inner))
            place = (slice(top // 2, bottom // 2), slice(left // 2, right // 2))
            for number, plane in enumerate((u, v)):
                plane[place] = _added(plane[place], halved[:, :, number])
        return Yuv420Frame(y, u, v, self.colour)

    def padded_to_even(self) -> Yuv420Frame:
        """Return the frame with one replicated luma column or row where width or height is odd."""
        height, width = self.y.shape
        if height % 2 == 0 and width % 2 == 0:
            return self
        y = np.pad(self.y, ((0, height % 2), (0, width % 2)), mode="edge")
        return Yuv420Frame(y, self.u, self.v, self.colour)

    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Return Y, U and V."""
        return self.y, self.u, self.v


Picture: TypeAlias = "BgrFrame | Yuv420Frame"


def to_bgr(picture: Picture) -> BgrFrame:
    """Return a frame as (H, W, 3) uint8 BGR; a BGR frame is returned as it is."""
    return picture.to_bgr() if isinstance(picture, Yuv420Frame) else picture


def region_bgr(picture: Picture, box: tuple[int, int, int, int]) -> BgrFrame:
    """Return a rectangle (inside the frame) as uint8 BGR; of a BGR frame that is a view."""
    if isinstance(picture, Yuv420Frame):
        return picture.region_bgr(box)
    x1, y1, x2, y2 = box
    return picture[y1:y2, x1:x2]


def resized(pixels: Plane, size: tuple[int, int], *, averaging: bool = True) -> Plane:
    """Return (H, W) or (H, W, 3) uint8 in another (width, height).

    Bilinear; with ``averaging`` the mean of what each pixel covers where it shrinks to less than half, since
    bilinear interpolation then leaves pixels out.
    """
    import cv2

    shrinks = averaging and 2 * size[0] < pixels.shape[1] and 2 * size[1] < pixels.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def frame_from_bytes(data: Plane, width: int, height: int, colour: ColourSpace) -> Yuv420Frame:
    """Return the frame whose planes lie one after the other in ``data`` (flat uint8), without a copy."""
    half = (height + 1) // 2, (width + 1) // 2
    n_luma, n_chroma = width * height, half[0] * half[1]
    return Yuv420Frame(
        data[:n_luma].reshape(height, width),
        data[n_luma : n_luma + n_chroma].reshape(half),
        data[n_luma + n_chroma :].reshape(half),
        colour,
    )


def frame_bytes(width: int, height: int) -> int:
    """Return how many bytes a 4:2:0 frame has; odd sizes round chroma up."""
    return width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)


def halve_chroma(full: FloatArray) -> FloatArray:
    """Return (H, W, ...) float values of even size at the (H / 2, W / 2) places of chroma samples."""
    rows = (full[0::2] + full[1::2]) / 2
    left = np.concatenate((rows[:, :1], rows[:, 1:-1:2]), axis=1)  # the column before; edge replicated
    return np.asarray((left + 2 * rows[:, 0::2] + rows[:, 1::2]) / 4, np.float32)


def _added(plane: Plane, difference: FloatArray) -> Plane:
    return np.asarray(np.clip(np.rint(plane + difference), 0, 255), np.uint8)


def _to_bgr(y: Plane, u: Plane, v: Plane, colour: ColourSpace) -> BgrFrame:
    import cv2

    return np.asarray(cv2.transform(cv2.merge((y, u, v)), _yuv_to_bgr(colour)), np.uint8)


@lru_cache(maxsize=16)
def _bgr_to_yuv(colour: ColourSpace) -> FloatArray:
    """Return the (3, 3) linear part of BGR 0...255 to YUV."""
    red, blue = LUMA_SHARES[colour.matrix]
    luma = np.array([blue, 1 - red - blue, red])
    only_blue, _, only_red = np.eye(3)
    rows = np.stack((luma, (only_blue - luma) / (2 * (1 - blue)), (only_red - luma) / (2 * (1 - red))))
    scale = (255, 255, 255) if colour.is_full_range else (219, 224, 224)
    return (rows * (np.array(scale) / 255)[:, None]).astype(np.float32)


@lru_cache(maxsize=16)
def _yuv_to_bgr(colour: ColourSpace) -> FloatArray:
    """Return the (3, 4) affine map of YUV to BGR 0...255."""
    inverse = np.linalg.inv(_bgr_to_yuv(colour).astype(np.float64))
    offset = np.array([0 if colour.is_full_range else 16, 128, 128])
    return np.concatenate((inverse, -(inverse @ offset)[:, None]), axis=1).astype(np.float32)
