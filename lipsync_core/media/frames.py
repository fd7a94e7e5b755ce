"""Decode video as a stream of upright frames, BGR or planar, at a constant rate."""

from __future__ import annotations

import itertools
import logging
import mmap
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import MediaError
from lipsync_core.media.ffmpeg import FfmpegProcess, input_argument
from lipsync_core.media.planar import PlanarLayout, planar_layout
from lipsync_core.media.probe import probe_media
from lipsync_core.media.streams import VideoStream
from lipsync_core.pictures import Picture, frame_bytes, frame_from_bytes

logger = logging.getLogger(__name__)

SEEK_MARGIN_FRAMES = 12
INDEXED_CONTAINERS = (
    "mov",
    "matroska",
    "webm",
)  # in which ffmpeg's seeking ends at or before what is asked for
BACKWARDS_BLOCK_FRAMES = 36

FrameArray = npt.NDArray[np.uint8]  # (H, W, 3), BGR


def read_frames(
    path: Path | str,
    *,
    fps: Fraction | None = None,
    size: tuple[int, int] | None = None,
    first_frame: int = 0,
) -> Generator[FrameArray, None, None]:
    """Yield the frames of a video as it is displayed, one at a time.

    Frame ``i`` is what a player shows ``i / fps`` seconds after the container's start, the same time zero
    as `read_audio`'s: a late video start repeats the first frame, variable rates are made constant, fields
    are deinterlaced, rotation is applied and the stream's colour matrix honoured. A damaged tail gives the
    frames before it and a logged warning.

    Args:
        path: video file.
        fps: frames a second; None takes the stream's own rate (`VideoStream.fps`).
        size: (width, height) to scale to; None keeps the displayed size. Sample aspect is not applied.
        first_frame: index of the first frame yielded; what lies before is skipped by seeking.

    Yields:
        (H, W, 3) uint8 BGR; each array is the caller's to keep and change.

    Raises:
        MediaError: no video in the file, or not one frame can be decoded.
    """
    yield from _read_bgr(_request(path, fps, size, first_frame))


def _read_bgr(request: _Request) -> Generator[FrameArray, None, None]:
    frames = _read_from(request, "bgr24", request.width * request.height * 3, None)
    try:
        for data in frames:
            yield data.reshape(request.height, request.width, 3)
    finally:
        frames.close()


def read_pictures(
    path: Path | str, *, fps: Fraction | None = None, first_frame: int = 0
) -> Generator[Picture, None, None]:
    """Yield the frames of a video as `read_frames` does, 8-bit 4:2:0 sources as `Yuv420Frame`.

    Those planes are the decoder's bit for bit (unless fields are deinterlaced); sources with other pixels
    give BGR, and so does every frame of theirs. `planar_layout` tells which it will be.

    Raises:
        MediaError: no video in the file, or not one frame can be decoded.
    """
    request = _request(path, fps, None, first_frame)
    layout, width, height = planar_layout(request.video), request.width, request.height
    if layout is None:
        yield from _read_bgr(request)
        return
    # The pixel format that is taken for full range keeps ffmpeg from narrowing it.
    pixels = "yuvj420p" if layout.colour.is_full_range else "yuv420p"
    frames = _read_from(request, pixels, frame_bytes(width, height), layout)
    try:
        for data in frames:
            yield frame_from_bytes(data, width, height, layout.colour)
    finally:
        frames.close()


@dataclass(frozen=True)
class _Request:
    """What is to be decoded."""

    path: Path | str
    video: VideoStream
    width: int
    height: int
    fps: Fraction
    first_frame: int
    has_index: bool


def _request(
    path: Path | str, fps: Fraction | None, size: tuple[int, int] | None, first_frame: int
) -> _Request:
    info = probe_media(path)
    if info.video is None:
        raise MediaError(f"{path} holds no video; give a file with moving pictures")
    width, height = size or (info.video.width, info.video.height)
    has_index = any(name in INDEXED_CONTAINERS for name in info.container.split(","))
    return _Request(path, info.video, width, height, fps or info.video.fps, first_frame, has_index)


def _read_from(
    request: _Request, pixels: str, n_bytes: int, layout: PlanarLayout | None
) -> Generator[npt.NDArray[np.uint8], None, None]:
    """Yield the raw bytes of the frames from ``first_frame`` on."""
    # Seeking ends a little early, for the frames that are still shown when the wanted one is due. Without an
    # index (transport streams) it may end too late: then everything before is decoded.
    start = max(0, request.first_frame - SEEK_MARGIN_FRAMES) if request.has_index else 0
    half_frame_s = 1 / (2 * request.fps)
    seek = ["-ss", f"{float(start / request.fps - half_frame_s):.6f}"] if start else []
    lead_s = float(half_frame_s) if start else 0.0
    size = (request.width, request.height)
    filters = decode_filters(request.video, request.fps, *size, lead_s, is_planar=layout is not None)
    args = [
        "-max_error_rate", "1", *seek, "-i", input_argument(request.path),
        "-map", f"0:{request.video.index}", "-vf", filters,
        "-f", "rawvideo", "-pix_fmt", pixels, "pipe:1",
    ]  # fmt: skip
    frames = pipe_blocks(args, n_bytes, f"decoding {request.path}")
    try:
        for number, data in enumerate(frames, start):
            if number >= request.first_frame:
                yield data
    finally:
        frames.close()


def read_frames_backwards(
    path: Path | str, n_frames: int, *, fps: Fraction | None = None
) -> Generator[FrameArray, None, None]:
    """Yield frames ``n_frames - 1`` ... 0 of a video, decoding and holding a few dozen at a time."""
    return _backwards(lambda first: read_frames(path, fps=fps, first_frame=first), n_frames)


def read_pictures_backwards(
    path: Path | str, n_frames: int, *, fps: Fraction | None = None
) -> Generator[Picture, None, None]:
    """Yield frames as `read_frames_backwards` does, in the layout of `read_pictures`."""
    return _backwards(lambda first: read_pictures(path, fps=fps, first_frame=first), n_frames)


T = TypeVar("T")


def _backwards(open_at: Callable[[int], Generator[T, None, None]], n_frames: int) -> Generator[T, None, None]:
    for stop in range(n_frames, 0, -BACKWARDS_BLOCK_FRAMES):
        first = max(0, stop - BACKWARDS_BLOCK_FRAMES)
        reader = open_at(first)
        block = list(itertools.islice(reader, stop - first))
        reader.close()
        while block:
            yield block.pop()


def decode_filters(
    video: VideoStream,
    fps: Fraction,
    width: int,
    height: int,
    seek_lead_s: float = 0.0,
    *,
    is_planar: bool = False,
) -> str:
    """Return the filter chain from a decoded stream to upright pictures of (width, height).

    Args:
        video: the stream.
        fps: constant rate of the result.
        width: of the result.
        height: of the result.
        seek_lead_s: by how much seeking ended before the time of the first frame.
        is_planar: planes stay as they are; otherwise the chain is one to RGB.
    """
    chain = ["bwdif=mode=send_frame:deint=interlaced"] if video.is_interlaced else []
    if seek_lead_s:
        chain.append(f"setpts=PTS-{seek_lead_s:.6f}/TB")
    chain.append(f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0")
    # The explicit size also catches streams that change resolution on the way.
    if is_planar:
        chain.append(f"scale={width}:{height}:flags=bicubic+accurate_rnd")
        return ",".join(chain)
    chain.append(
        f"scale={width}:{height}:in_color_matrix={video.colour_matrix}"
        ":flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    )
    return ",".join(chain)


def pipe_frames(args: list[str], width: int, height: int, what: str) -> Generator[FrameArray, None, None]:
    """Yield the (height, width, 3) BGR frames that ffmpeg with ``args`` writes raw to its stdout.

    Raises:
        MediaError: not one frame came; ``what`` was being done.
    """
    blocks = pipe_blocks(args, width * height * 3, what)
    try:
        for data in blocks:
            yield data.reshape(height, width, 3)
    finally:
        blocks.close()


def pipe_blocks(args: list[str], n_bytes: int, what: str) -> Generator[npt.NDArray[np.uint8], None, None]:
    """Yield what ffmpeg with ``args`` writes to its stdout, ``n_bytes`` at a time, each a new (n,) array.

    Raises:
        MediaError: not one block came; ``what`` was being done.
    """
    n_frames = 0
    with FfmpegProcess(args, what, is_read=True) as process:  # ended also when the caller stops early
        while True:
            # Pages of its own, so that a frame's memory goes back at once: malloc keeps it, in pieces.
            block = np.frombuffer(mmap.mmap(-1, n_bytes), np.uint8)
            if process.output.readinto(block.data) < n_bytes:
                break
            n_frames += 1
            yield block
        process.wait()
    if n_frames == 0:
        raise process.failure()
    if complaint := process.said():
        last_line = complaint.splitlines()[-1]
        logger.warning("%s: kept %d frames, then or in between ffmpeg said: %s", what, n_frames, last_line)
