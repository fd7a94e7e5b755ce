"""Pictures for the report: the same moments of source and output side by side, as inline JPEG."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]  # (H, W, 3), BGR
Box = tuple[int, int, int, int]  # x1, y1, x2, y2, pixels, ends exclusive

_MAX_WIDTH_PX = 480
_JPEG_QUALITY = 86
_SHOWN_FACE_HEIGHTS = 3.0  # a picture is so many face heights tall
_ZOOMED_FACE_HEIGHTS = 1.35
_ASPECT = 4 / 3


@dataclass(frozen=True)
class Moment:
    """A frame worth showing and where its face is (None: show the whole picture)."""

    index: int
    face: Box | None


@dataclass(frozen=True)
class PicturePair:
    """One moment before and after; the pictures are ``data:`` addresses of JPEGs of the same size."""

    time_s: float
    source: str
    output: str
    width: int
    height: int
    is_zoomed: bool = False


def choose_moments(faces: Iterable[tuple[int, Box]], n: int) -> list[Moment]:
    """Pick ``n`` frames spread over all frames with a generated face.

    Args:
        faces: (frame number, face) in ascending order; read once, a few are kept.
        n: how many to choose; fewer come back where there are fewer frames.
    """
    kept: list[tuple[int, Box]] = []
    stride, room = 1, 64 * n
    for count, item in enumerate(faces):
        if count % stride == 0:
            kept.append(item)
            if len(kept) >= room:  # thin out, so that memory does not grow with the video
                kept, stride = kept[::2], stride * 2
    picks = sorted({round((k + 0.5) / n * len(kept) - 0.5) for k in range(n)} if kept else set())
    return [Moment(*kept[pick]) for pick in picks]


def picture_pairs(
    source: Path, output: Path, moments: Sequence[Moment], fps: Fraction, sample_aspect_ratio: Fraction
) -> Iterator[PicturePair]:
    """Yield before and after of every moment, then the face of the middle one enlarged.

    Raises:
        MediaError: a frame cannot be decoded.
    """
    for number, moment in enumerate(moments):
        before, after = read_frame(source, moment.index, fps), read_frame(output, moment.index, fps)
        after = after[: before.shape[0], : before.shape[1]]  # odd sizes were padded by a row or column
        yield _pair(before, after, moment, fps, sample_aspect_ratio, zoomed=False)
        if number == len(moments) // 2 and moment.face is not None:
            middle = _pair(before, after, moment, fps, sample_aspect_ratio, zoomed=True)
    if moments and moments[len(moments) // 2].face is not None:
        yield middle


def read_frame(path: Path, index: int, fps: Fraction) -> Frame:
    """Return the frame that is shown at ``index / fps``, (H, W, 3) BGR, by seeking to it.

    Raises:
        MediaError: nothing can be decoded there.
    """
    import cv2

    from lipsync_core.errors import MediaError
    from lipsync_core.media import run_ffmpeg

    # From just before the frame, so that rounding of timestamps never skips to the next one.
    start_s = max(0.0, float((index - Fraction(1, 4)) / fps))
    for seek_s in (start_s, max(0.0, start_s - 1.0)):  # sparse frames: the one shown may have begun earlier
        args = ["-ss", f"{seek_s:.6f}", "-i", f"file:{path}", "-map", "0:v:0", "-frames:v", "1"]
        png = run_ffmpeg(
            [*args, "-f", "image2pipe", "-c:v", "png", "pipe:1"], what=f"reading a frame of {path}"
        )
        frame = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) if png else None
        if frame is not None:
            return np.asarray(frame, np.uint8)
    raise MediaError(f"{path} has no frame {index} ({float(index / fps):.2f} s)")


def crop_around(face: Box, width: int, height: int, face_heights: float, aspect: float) -> Box:
    """Return a window of ``aspect`` around the face, as tall as ``face_heights`` faces, inside the frame."""
    x1, y1, x2, y2 = face
    tall = min(float(height), face_heights * max(1, y2 - y1))
    wide = min(float(width), tall * aspect)
    tall = min(tall, wide / aspect)
    left = min(max(0.0, (x1 + x2 - wide) / 2), width - wide)
    top = min(max(0.0, (y1 + y2 - tall) / 2), height - tall)
    right, bottom = math.ceil(left + wide - 0.5), math.ceil(top + tall - 0.5)
    return round(left), round(top), max(round(left) + 1, right), max(round(top) + 1, bottom)


def _pair(
    before: Frame, after: Frame, moment: Moment, fps: Fraction, sample_aspect_ratio: Fraction, *, zoomed: bool
) -> PicturePair:
    height, width = before.shape[:2]
    window = (0, 0, width, height)
    if moment.face is not None:
        heights, aspect = (_ZOOMED_FACE_HEIGHTS, 1.0) if zoomed else (_SHOWN_FACE_HEIGHTS, _ASPECT)
        window = crop_around(moment.face, width, height, heights, aspect / float(sample_aspect_ratio))
    shown_width = (window[2] - window[0]) * float(sample_aspect_ratio)
    scale = _MAX_WIDTH_PX / shown_width if zoomed else min(1.0, _MAX_WIDTH_PX / shown_width)
    size = (max(1, round(shown_width * scale)), max(1, round((window[3] - window[1]) * scale)))
    return PicturePair(
        time_s=float(moment.index / fps),
        source=_jpeg(before, window, size),
        output=_jpeg(after, window, size),
        width=size[0],
        height=size[1],
        is_zoomed=zoomed,
    )


def _jpeg(frame: Frame, window: Box, size: tuple[int, int]) -> str:
    import cv2

    x1, y1, x2, y2 = window
    shrinks = size[0] < x2 - x1
    picture = cv2.resize(
        frame[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
