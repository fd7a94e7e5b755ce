"""Cheap detection of cuts between shots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lipsync_core.pictures import Picture, Yuv420Frame

SMALL_WIDTH, SMALL_HEIGHT = 48, 32
MIN_CHANGE = 18.0  # mean grey levels between neighbouring frames; gentle scenes stay under 3
MOTION_FACTOR = 4.0  # ... and this many times what the scene has been changing by


class CutDetector:
    """Compares each frame with the one before, on tiny grey copies.

    A cut changes the picture by much, and by much more than the running scene does (so that camera shake
    is none).
    """

    def __init__(self) -> None:
        self._previous: npt.NDArray[np.float32] | None = None
        self._usual_change = 0.0

    def is_cut(self, picture: Picture) -> bool:
        """Return whether this frame begins a shot; true for the first frame."""
        grey = small_grey(picture)
        previous, self._previous = self._previous, grey
        if previous is None:
            return True
        change = float(np.abs(grey - previous).mean())
        is_cut = change > max(MIN_CHANGE, MOTION_FACTOR * self._usual_change)
        self._usual_change = 0.0 if is_cut else 0.8 * self._usual_change + 0.2 * change
        return is_cut


def small_grey(picture: Picture) -> npt.NDArray[np.float32]:
    """Return a (32, 48) copy in grey levels 0...255, each the mean of its part of the frame."""
    import cv2

    size = (SMALL_WIDTH, SMALL_HEIGHT)
    if isinstance(picture, Yuv420Frame):
        luma = np.asarray(cv2.resize(picture.y, size, interpolation=cv2.INTER_AREA), np.float32)
        return luma if picture.colour.is_full_range else (luma - 16) * np.float32(255 / 219)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
