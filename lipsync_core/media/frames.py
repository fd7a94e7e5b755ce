"""Decode video as a stream of upright BGR frames at a constant rate."""

from __future__ import annotations

import itertools
import logging
import subprocess
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import MediaError
from lipsync_core.media.ffmpeg import QUIET, StderrTail, failure, ffmpeg_path, input_argument, stop_process
from lipsync_core.media.probe import probe_media
from lipsync_core.media.streams import VideoStream

logger = logging.getLogger(__name__)

SEEK_MARGIN_FRAMES = 12
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
    info = probe_media(path)
    if info.video is None:
        raise MediaError(f"{path} holds no video; give a file with moving pictures")
    width, height = size or (info.video.width, info.video.height)
    rate = fps or info.video.fps
    # Seeking ends a little early, for the frames that are still shown when the wanted one is due.
    start = max(0, first_frame - SEEK_MARGIN_FRAMES)
    half_frame_s = 1 / (2 * rate)
    seek = ["-ss", f"{float(start / rate - half_frame_s):.6f}"] if start else []
    filters = decode_filters(info.video, rate, width, height, float(half_frame_s) if start else 0.0)
    command = [
        ffmpeg_path(), *QUIET, "-max_error_rate", "1", *seek, "-i", input_argument(path),
        "-map", f"0:{info.video.index}", "-vf", filters,
        "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1",
    ]  # fmt: skip
    frames = pipe_frames(command, width, height, f"decoding {path}")
    try:
        for number, frame in enumerate(frames, start):
            if number >= first_frame:
                yield frame
    finally:
        frames.close()


def read_frames_backwards(
    path: Path | str, n_frames: int, *, fps: Fraction | None = None
) -> Generator[FrameArray, None, None]:
    """Yield frames ``n_frames - 1`` ... 0 of a video, decoding and holding a few dozen at a time."""
    for stop in range(n_frames, 0, -BACKWARDS_BLOCK_FRAMES):
        first = max(0, stop - BACKWARDS_BLOCK_FRAMES)
        reader = read_frames(path, fps=fps, first_frame=first)
        block = list(itertools.islice(reader, stop - first))
        reader.close()
        while block:
            yield block.pop()


def decode_filters(
    video: VideoStream, fps: Fraction, width: int, height: int, seek_lead_s: float = 0.0
) -> str:
    """Return the filter chain from a decoded stream to upright RGB pictures of (width, height).

    Args:
        video: the stream.
        fps: constant rate of the result.
        width: of the result.
        height: of the result.
        seek_lead_s: by how much seeking ended before the time of the first frame.
    """
    chain = ["bwdif=mode=send_frame:deint=interlaced"] if video.is_interlaced else []
    if seek_lead_s:
        chain.append(f"setpts=PTS-{seek_lead_s:.6f}/TB")
    chain.append(f"fps=fps={fps.numerator}/{fps.denominator}:start_time=0")
    # The explicit size also catches streams that change resolution on the way.
    chain.append(
        f"scale={width}:{height}:in_color_matrix={video.colour_matrix}"
        ":flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    )
    return ",".join(chain)


def pipe_frames(command: list[str], width: int, height: int, what: str) -> Generator[FrameArray, None, None]:
    """Yield the (height, width, 3) BGR frames that an ffmpeg command writes raw to its stdout.

    Raises:
        MediaError: not one frame came; ``what`` was being done.
    """
    n_bytes = width * height * 3
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None and process.stderr is not None
    tail = StderrTail(process.stderr)
    n_frames = 0
    try:
        while True:
            frame = np.empty((height, width, 3), np.uint8)
            if _read_into(process.stdout, frame.data.cast("B")) < n_bytes:
                break
            n_frames += 1
            yield frame
        process.wait()
    finally:  # also when the caller stops early
        stop_process(process)
    if n_frames == 0:
        raise failure(what, command, tail.text())
    if complaint := tail.text():
        last_line = complaint.splitlines()[-1]
        logger.warning("%s: kept %d frames, then or in between ffmpeg said: %s", what, n_frames, last_line)


def _read_into(pipe: object, buffer: memoryview) -> int:
    """Fill ``buffer`` from a raw pipe and return how many bytes came before its end."""
    filled = 0
    while filled < len(buffer):
        count = pipe.readinto(buffer[filled:])  # type: ignore[attr-defined]
        if not count:
            break
        filled += count
    return filled
