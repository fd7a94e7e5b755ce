"""The visible mark: a small line in the lower right corner that says the video is AI-made."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lipsync_core.pictures import Picture, Yuv420Frame, halve_chroma

_LINE_FRACTION = 40  # the line is 1/40 of the picture's height …
_MIN_LINE_PX = 11  # … but never so small that its letters vanish
_MAX_WIDTH_FRACTION = 0.6
_TEXT_OPACITY = 0.65
_SHADOW_OPACITY = 0.5
_OVERSAMPLING = 8


@dataclass(frozen=True)
class Mark:
    """A mark rendered once for one picture size.

    Attributes:
        x, y: top left corner of the touched rectangle, pixels.
        keep: (h, w, 1) float32 in [0, 1], share of the picture that stays.
        add: (h, w, 1) float32 in [0, 255], light added on top, equal in all channels.
    """

    x: int
    y: int
    keep: NDArray[np.float32]
    add: NDArray[np.float32]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Touched rectangle as (x1, y1, x2, y2), ends exclusive."""
        height, width = self.keep.shape[:2]
        return self.x, self.y, self.x + width, self.y + height


def mark_words(target_language: str) -> tuple[str, str]:
    """Return the two halves of the mark, for instance ``("AI-dubbed", "HI")``; a dot is drawn between."""
    return "AI-dubbed", target_language.upper()


def make_mark(
    width: int, height: int, words: tuple[str, str], *, sample_aspect_ratio: Fraction = Fraction(1)
) -> Mark:
    """Render the mark for one picture size.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        words: ASCII text left and right of the dot.
        sample_aspect_ratio: pixel width over pixel height, so that letters look upright where pixels do not.
    """
    import cv2

    text = _render_text(words)
    line_px = min(max(_MIN_LINE_PX, round(height / _LINE_FRACTION)), height)
    text_width = line_px * text.shape[1] / text.shape[0] / float(sample_aspect_ratio)
    shrink = min(1.0, _MAX_WIDTH_FRACTION * width / text_width)
    size = (max(1, round(text_width * shrink)), max(1, round(line_px * shrink)))
    letters = cv2.resize(text, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    pad = max(1, size[1] // 4)
    letters = np.pad(letters, pad)[:height, :width]
    halo = cv2.GaussianBlur(cv2.dilate(letters, np.ones((3, 3), np.uint8)), (0, 0), max(0.8, size[1] / 14))
    light = _TEXT_OPACITY * letters
    keep = (1 - _SHADOW_OPACITY * np.clip(halo, 0, 1)) * (1 - light)
    margin = max(0, min(round(height / 60), width - letters.shape[1], height - letters.shape[0]))
    return Mark(
        x=width - margin - letters.shape[1],
        y=height - margin - letters.shape[0],
        keep=keep[:, :, None].astype(np.float32),
        add=(255 * light)[:, :, None].astype(np.float32),
    )


def apply_mark(picture: Picture, mark: Mark) -> Picture:
    """Return a copy of a frame with the mark; everything outside ``mark.box`` is untouched.

    Args:
        picture: (H, W, 3) uint8 BGR, or planar: then one chroma sample stands for four pixels, and those of
            the blocks that the box touches count as inside.
        mark: made for frames of this size.
    """
    if isinstance(picture, Yuv420Frame):
        return _apply_to_planes(picture, mark)
    marked = picture.copy()
    x1, y1, x2, y2 = mark.box
    region = marked[y1:y2, x1:x2]
    region[:] = np.rint(region * mark.keep + mark.add).astype(np.uint8)
    return marked


def _apply_to_planes(frame: Yuv420Frame, mark: Mark) -> Yuv420Frame:
    """Mark the planes themselves: light without colour adds to luma and draws chroma towards grey."""
    x1, y1, x2, y2 = mark.box
    keep, add = mark.keep[:, :, 0], mark.add[:, :, 0]
    black, scale = (0.0, 1.0) if frame.colour.is_full_range else (16.0, 219 / 255)
    y, u, v = (plane.copy() for plane in frame.planes())
    luma = y[y1:y2, x1:x2].astype(np.float32)
    y[y1:y2, x1:x2] = np.rint((luma - black) * keep + add * scale + black)
    left, top, right, bottom = x1 // 2, y1 // 2, (x2 + 1) // 2, (y2 + 1) // 2
    margins = (y1 - 2 * top, 2 * bottom - y2), (x1 - 2 * left, 2 * right - x2)
    share = halve_chroma(np.pad(keep, margins, constant_values=1.0))
    for plane in (u, v):
        region = plane[top:bottom, left:right].astype(np.float32)
        plane[top:bottom, left:right] = np.rint((region - 128) * share + 128)
    return Yuv420Frame(y, u, v, frame.colour)


def _render_text(words: tuple[str, str]) -> NDArray[np.uint8]:
    """Draw both words with a dot between them, white on black, eight times oversampled, cropped tight."""
    import cv2

    font, scale, thickness = cv2.FONT_HERSHEY_SIMPLEX, float(_OVERSAMPLING), 2 * _OVERSAMPLING
    sizes = [cv2.getTextSize(word, font, scale, thickness)[0] for word in words]
    gap = 12 * _OVERSAMPLING
    edge = 4 * _OVERSAMPLING
    cap_height = max(size[1] for size in sizes)
    canvas = np.zeros(
        (2 * cap_height + 2 * edge, sum(size[0] for size in sizes) + 2 * gap + 2 * edge), np.uint8
    )
    baseline = edge + cap_height
    x = edge
    cv2.putText(canvas, words[0], (x, baseline), font, scale, 255, thickness, cv2.LINE_AA)
    x += sizes[0][0] + gap
    cv2.circle(canvas, (x, baseline - round(0.38 * cap_height)), 3 * _OVERSAMPLING, 255, -1, cv2.LINE_AA)
    x += gap
    cv2.putText(canvas, words[1], (x, baseline), font, scale, 255, thickness, cv2.LINE_AA)
    rows, columns = np.nonzero(canvas.max(axis=1))[0], np.nonzero(canvas.max(axis=0))[0]
    return np.ascontiguousarray(canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
