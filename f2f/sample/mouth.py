"""The portrait's mouth at rest: the photographed smile shows teeth, a lecturer between words does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Inner edges of the lips in scikit-image's 512×512 portrait, in its pixels, from corner to corner.
_COLUMNS = (202.5, 204.5, 207.5, 211.0, 215.0, 219.0, 225.0, 232.0, 237.0, 241.0, 244.0, 246.5)
_UPPER = (139.9, 140.2, 141.0, 142.0, 142.8, 143.4, 143.8, 143.3, 142.5, 141.5, 140.7, 140.1)
_LOWER = (139.9, 141.8, 145.0, 147.6, 149.2, 150.0, 150.3, 149.4, 147.5, 144.6, 142.2, 140.1)
_CENTRE = (224.5, 144.0)
_LEFT, _TOP, _RIGHT, _BOTTOM = 184, 116, 265, 190  # all that moves, from the nose to below the chin
_MEET = 0.35  # where the lips meet: this share of the gap below the upper lip
_UPPER_REACH, _LOWER_REACH = 13.0, 27.0  # pixels above and below over which skin gives way
_SEAM_SHADE, _SEAM_PX = 0.45, 0.8  # closed lips leave a dark line
_NARROWER = 0.2  # a mouth at rest is this much narrower than the smile ...
_CORNERS_DOWN_PX = 3.2  # ... and its corners hang this much lower
_SPREAD_PX = (21.0, 17.0)  # over which the corners' way fades, across and down


def with_lips_together(portrait: Frame) -> Frame:
    """Return the portrait with closed, relaxed lips.

    Args:
        portrait: (512, 512, 3) uint8 portrait of scikit-image, any channel order; not changed.
    """
    import cv2

    columns = np.arange(_LEFT, _RIGHT, dtype=np.float32)
    x, y = np.meshgrid(columns, np.arange(_TOP, _BOTTOM, dtype=np.float32))
    smile_x, smile_y = _relaxed(x, y)
    upper = np.interp(smile_x, _COLUMNS, _UPPER)
    lower = np.interp(smile_x, _COLUMNS, _LOWER)
    seam = upper + _MEET * (lower - upper)
    above = (upper - seam) * _give((seam - smile_y) / _UPPER_REACH)
    below = (lower - seam) * _give((smile_y - seam) / _LOWER_REACH)
    open_y = smile_y + np.where(smile_y < seam, above, below)
    moved = cv2.remap(portrait, smile_x, open_y.astype(np.float32), cv2.INTER_CUBIC)
    in_corners = np.clip((lower - upper) / 2, 0, 1)  # no line beyond them
    line = _SEAM_SHADE * in_corners * np.exp(-(((smile_y - seam) / _SEAM_PX) ** 2))
    result = portrait.copy()
    result[_TOP:_BOTTOM, _LEFT:_RIGHT] = np.round(moved * (1 - line[..., None]))
    return result


def _relaxed(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return where in the closed smile each place of the relaxed mouth comes from."""
    across, down = (x - _CENTRE[0]) / _SPREAD_PX[0], (y - _CENTRE[1]) / _SPREAD_PX[1]
    near = np.exp(-(across**4 + down**4) / 2)
    smile_x = x + _NARROWER * near * (x - _CENTRE[0])
    smile_y = y - _CORNERS_DOWN_PX * near * np.minimum(across**2, 1)
    return smile_x.astype(np.float32), smile_y.astype(np.float32)


def _give(distance: npt.NDArray[np.floating]) -> Floats:
    """Return 1 at the lip (0), falling smoothly to 0 (at 1 and beyond)."""
    t = np.clip(1 - distance, 0, 1)
    smooth: Floats = (t * t * (3 - 2 * t)).astype(np.float32)
    return smooth
