"""Pictures of the sample: a portrait that sways and nods like a living head, and a slide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from f2f.errors import EngineUnavailableError
from f2f.sample.mouth import with_lips_together

if TYPE_CHECKING:
    from collections.abc import Sequence

Frame = npt.NDArray[np.uint8]
Coordinates = npt.NDArray[np.float32]

WIDTH, HEIGHT = 640, 480
# Places in scikit-image's 512×512 portrait, in its pixels.
_HEAD = (226.0, 112.0)
_NECK = (228.0, 205.0)
_HEAD_RADII = (62.0, 150.0)  # moves as a whole within the first, not at all beyond the second
_COARSE = 4
_ZOOM = 1.34  # leaves 20 pixels of portrait around the picture for the camera to move in
_LEFT, _TOP = 17.0, 6.0  # portrait pixel at the picture's upper left corner


class Portrait:
    """The astronaut Eileen Collins (NASA, public domain), as a camera on a tripod would see her."""

    def __init__(self) -> None:
        try:
            from skimage import data
        except ImportError as error:
            raise EngineUnavailableError("the sample needs scikit-image: pip install scikit-image") from error
        portrait_rgb: Frame = data.astronaut()  # type: ignore[no-untyped-call,unused-ignore]
        self._picture = with_lips_together(np.ascontiguousarray(portrait_rgb[:, :, ::-1]))
        self._x, self._y = _portrait_coordinates(WIDTH, HEIGHT)
        # The motion is smooth, so it is computed for every fourth pixel and enlarged.
        self._coarse_x, self._coarse_y = _portrait_coordinates(WIDTH // _COARSE, HEIGHT // _COARSE)
        inner, outer = _HEAD_RADII
        distance = np.hypot(self._coarse_x - _HEAD[0], (self._coarse_y - _HEAD[1]) / 1.15)
        fall = np.clip((outer - distance) / (outer - inner), 0, 1)
        self._moves = (fall * fall * (3 - 2 * fall)).astype(np.float32)

    def frame(self, time_s: float) -> Frame:
        """Return (480, 640, 3) uint8 BGR at ``time_s``; smooth in time."""
        import cv2

        x, y = self._head(time_s)
        zoom = 1 + 0.006 * math.sin(2 * math.pi * time_s / 17)  # the camera's operator breathes
        x = (x - 256) * np.float32(zoom) + np.float32(256 + 1.2 * math.sin(2 * math.pi * time_s / 9.1))
        y = (y - 200) * np.float32(zoom) + np.float32(200 + 0.8 * math.sin(2 * math.pi * time_s / 7.3 + 1))
        size = (WIDTH, HEIGHT)
        x = self._x + cv2.resize(x - self._coarse_x, size, interpolation=cv2.INTER_LINEAR)
        y = self._y + cv2.resize(y - self._coarse_y, size, interpolation=cv2.INTER_LINEAR)
        moved = cv2.remap(self._picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(moved, np.uint8)

    def _head(self, time_s: float) -> tuple[Coordinates, Coordinates]:
        """Return where every fourth pixel comes from: the head turns about the neck and nods."""
        wave = 2 * math.pi * time_s
        angle = math.radians(1.8 * math.sin(wave / 5.3) + 0.7 * math.sin(wave / 2.1 + 0.5))
        sway = 3.0 * math.sin(wave / 4.1 + 0.8)
        nod = 2.2 * math.sin(wave / 1.7) * (0.6 + 0.4 * math.sin(wave / 6.7))
        nearer = 1 + 0.012 * math.sin(wave / 7.9 + 2)
        cos, sin = math.cos(angle) / nearer, math.sin(angle) / nearer
        own_x, own_y = self._coarse_x, self._coarse_y
        dx, dy = own_x - np.float32(_NECK[0] + sway), own_y - np.float32(_NECK[1] + nod)
        turned_x = np.float32(cos) * dx + np.float32(sin) * dy + np.float32(_NECK[0])
        turned_y = np.float32(-sin) * dx + np.float32(cos) * dy + np.float32(_NECK[1])
        return own_x + self._moves * (turned_x - own_x), own_y + self._moves * (turned_y - own_y)


def _portrait_coordinates(width: int, height: int) -> tuple[Coordinates, Coordinates]:
    """Return the place in the portrait of each of ``width`` × ``height`` pixel centres of the picture."""
    columns = (np.arange(width) + 0.5) * (WIDTH / width) - 0.5
    rows = (np.arange(height) + 0.5) * (HEIGHT / height) - 0.5
    x, y = np.meshgrid(columns / _ZOOM + _LEFT, rows / _ZOOM + _TOP)
    return x.astype(np.float32), y.astype(np.float32)


def draw_slide(title: str, facts: Sequence[tuple[str, str]]) -> Frame:
    """Return (480, 640, 3) uint8 BGR: a title, and one beam of light to the Earth for each (from, time)."""
    import cv2

    slide: Frame = np.full((HEIGHT, WIDTH, 3), (247, 244, 240), np.uint8)
    slide[:76] = (92, 48, 24)
    _text(slide, title, (32, 50), 1.1, (255, 255, 255), 2)
    earth, accent, ink = (WIDTH - 90, 270), (24, 140, 235), (60, 44, 36)
    for i, (origin, duration) in enumerate(facts):
        y = 180 + 180 * i
        start = (80, y)
        cv2.arrowedLine(slide, (start[0] + 30, y), (earth[0] - 42, earth[1] + (y - earth[1]) // 6), accent, 3,
                        cv2.LINE_AA, tipLength=0.04)  # fmt: skip
        cv2.circle(slide, start, 22 - 8 * i, accent, -1, cv2.LINE_AA)
        _text(slide, origin, (40, y + 52), 0.7, ink, 1)
        _text(slide, duration, (210, y - 16 if i == 0 else y + 24), 0.9, ink, 2)
    cv2.circle(slide, earth, 34, (180, 110, 40), -1, cv2.LINE_AA)
    cv2.ellipse(slide, earth, (14, 22), 20, 0, 360, (90, 150, 70), -1, cv2.LINE_AA)
    _text(slide, "the Earth", (earth[0] - 50, earth[1] + 64), 0.7, ink, 1)
    return slide


def _text(
    picture: Frame, text: str, place: tuple[int, int], size: float, colour: tuple[int, int, int], weight: int
) -> None:
    import cv2

    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_DUPLEX, size, colour, weight, cv2.LINE_AA)
