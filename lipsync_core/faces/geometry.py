"""Where the networks' face crops lie relative to a detected box (pure NumPy).

Training and inference share these two rules, so a face is framed the same way in both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels; x to the right, y down
FrameArray = npt.NDArray[np.uint8]  # (H, W, 3), BGR

GENERATOR_FACE_SIZE_PX = 96
# Detector boxes end at the chin; an open mouth needs more. Wav2Lip's default is 10 px on faces of about
# 125 px, hence 8 % of the box height.
CHIN_MARGIN = 0.08

SYNCNET_FACE_SIZE_PX = 224
SYNCNET_BORDER_VALUE = 110  # grey that syncnet_python pads frames with
SYNCNET_ABOVE = 1.0  # the crop reaches from 1.0 half sizes above the centre ...
SYNCNET_BELOW = 1.8  # ... to 1.8 below it, and
SYNCNET_ASIDE = 1.4  # 1.4 to either side: a square of 2.8 half sizes


def generator_box(box: Box, frame_width: int, frame_height: int) -> Box:
    """Return the crop of generator and expert: the detected box, chin margin added, inside the frame."""
    x1, y1, x2, y2 = box
    y2 = y2 + CHIN_MARGIN * (y2 - y1)
    return max(0.0, x1), max(0.0, y1), min(float(frame_width), x2), min(float(frame_height), y2)


def syncnet_box(box: Box) -> Box:
    """Return the square that SyncNet sees around a detected box; it may leave the frame.

    Source: syncnet_python ``run_pipeline.py`` with ``crop_scale`` 0.4.
    """
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) / 2
    mid_x, mid_y = (x1 + x2) / 2, (y1 + y2) / 2
    return (
        mid_x - SYNCNET_ASIDE * half,
        mid_y - SYNCNET_ABOVE * half,
        mid_x + SYNCNET_ASIDE * half,
        mid_y + SYNCNET_BELOW * half,
    )


def expanded_box(box: Box, scale: float) -> Box:
    """Return the box scaled about its centre; it may leave the frame."""
    x1, y1, x2, y2 = box
    mid_x, mid_y = (x1 + x2) / 2, (y1 + y2) / 2
    half_width, half_height = scale * (x2 - x1) / 2, scale * (y2 - y1) / 2
    return mid_x - half_width, mid_y - half_height, mid_x + half_width, mid_y + half_height


def crop_resized(
    frame_bgr: FrameArray, box: Box, size_px: int, border_value: int | None = None
) -> FrameArray:
    """Return the box of a frame as a (size_px, size_px, 3) image, bilinear, aspect ratio not kept.

    Box edges are rounded to whole pixels. Shrinking uses plain bilinear interpolation, as the published
    recipes do.

    Args:
        frame_bgr: (H, W, 3) uint8.
        box: may leave the frame.
        size_px: side of the result.
        border_value: grey outside the frame; None repeats the frame's edge. A box wholly outside gives
            nothing but that.

    Raises:
        ValueError: the rounded box is empty.
    """
    import cv2

    x1, y1, x2, y2 = (round(v) for v in box)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"face box {box} is empty; x1 < x2 and y1 < y2 are needed")
    height, width = frame_bgr.shape[:2]
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        region = frame_bgr[y1:y2, x1:x2]
    else:
        columns, rows = np.arange(x1, x2), np.arange(y1, y2)
        region = frame_bgr[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        if border_value is not None:
            region[(rows < 0) | (rows >= height)] = border_value
            region[:, (columns < 0) | (columns >= width)] = border_value
    return np.asarray(cv2.resize(region, (size_px, size_px), interpolation=cv2.INTER_LINEAR), np.uint8)
