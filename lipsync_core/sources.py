"""Inputs of a run: a video or picture, speech, and what decides rate and length."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipsync_core.errors import MediaError, NoFaceError
from lipsync_core.media import (
    MediaInfo,
    VideoStream,
    conversion_notice,
    measure_duration,
    planar_layout,
    probe_media,
    read_frames,
    read_pictures,
    read_pictures_backwards,
)
from lipsync_core.media.planar import PlanarLayout
from lipsync_core.pictures import Picture, Yuv420Frame

IMAGE_CONTAINERS = ("image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe")


@dataclass(frozen=True)
class Source:
    """Checked inputs of a run.

    Attributes:
        n_frames_expected: estimate of how many frames `pictures` yields.
        loops: whether frames go on, back and forth, until there are ``n_frames_expected``.
        is_image: ``path`` is one picture.
        n_source_frames: estimate of how many different ones ``path`` holds.
    """

    path: Path
    stream: VideoStream
    fps: Fraction
    n_frames_expected: int
    loops: bool
    is_image: bool
    notices: tuple[str, ...]
    n_source_frames: int

    @property
    def layout(self) -> PlanarLayout | None:
        """Layout of `pictures` if they are planar, None if they are BGR."""
        return None if self.is_image else planar_layout(self.stream)

    @property
    def conversion_notice(self) -> tuple[str, ...]:
        """What a person should know if frames of a video have to pass as BGR."""
        notice = None if self.is_image else conversion_notice(self.stream)
        return () if notice is None else (notice,)

    def pictures(self) -> Generator[Picture, None, None]:
        """Yield the frames of the result, before synchronisation; they must not be changed in place."""
        if self.is_image:
            return _still(self.path, self.n_frames_expected)
        if self.loops:
            return pictures_back_and_forth(self.path, self.fps, self.n_frames_expected)
        return read_pictures(self.path, fps=self.fps)


def open_source(face: Path | str, audio: Path | str, out: Path | str, length: str) -> Source:
    """Probe both inputs and decide rate and length.

    Raises:
        MediaError: ``face`` has no picture, ``audio`` no sound, or ``out`` is one of them.
    """
    picture, sound = probe_media(face), probe_media(audio)
    if picture.video is None:
        raise MediaError(f"{face} holds no picture; --face takes a video or an image with a face")
    if not sound.audio:
        raise MediaError(f"{audio} holds no sound; --audio takes a file with speech")
    for given in (face, audio):
        if Path(out).exists() and Path(out).samefile(given):
            raise MediaError(f"the output {out} is also an input; choose another name")
    fps = picture.video.fps
    is_image = _is_image(picture)
    loops = is_image or length == "audio"
    picture_s = measure_duration(face, str(picture.video.index))  # the container may end with its sound
    longer_s = sound.duration_s - picture_s
    notices = []
    if not loops and longer_s > 1 / fps:
        notices.append(f"speech is {longer_s:.2f} s longer than the video and is cut there")
    n_source_frames = 1 if is_image else max(1, round(picture_s * fps))
    n_frames = max(1, round(sound.duration_s * fps)) if loops else n_source_frames
    return Source(Path(face), picture.video, fps, n_frames, loops, is_image, tuple(notices), n_source_frames)


def no_face_error(path: Path, n_frames: int) -> NoFaceError:
    """Return the error for a video without a face."""
    return NoFaceError(
        f"no face in any of the {n_frames} frames of {path}; faces must be upright, at least 20 pixels and "
        "3 % of the picture high"
    )


def _is_image(info: MediaInfo) -> bool:
    return any(name in IMAGE_CONTAINERS for name in info.container.split(","))


def _still(path: Path, n_frames: int) -> Generator[Picture, None, None]:
    """Yield one picture again and again: BGR, as photos have a range that not all players expect of video."""
    frames = read_frames(path)
    picture = next(frames)
    frames.close()
    for _ in range(n_frames):
        yield picture


def pictures_back_and_forth(path: Path | str, fps: Fraction, n_needed: int) -> Generator[Picture, None, None]:
    """Yield ``n_needed`` frames: the video, then backwards, forwards, ... without a jump anywhere.

    Turning points are not repeated. Backwards runs are decoded in blocks, so memory stays flat.
    """
    n_yielded = n_frames = 0
    for frame in itertools.islice(read_pictures(path, fps=fps), n_needed):
        yield frame
        n_yielded += 1
    n_frames = n_yielded
    while n_yielded < n_needed:
        if n_frames == 1:
            yield frame if isinstance(frame, Yuv420Frame) else frame.copy()
            n_yielded += 1
            continue
        turns = (
            read_pictures_backwards(path, n_frames - 1, fps=fps),
            read_pictures(path, fps=fps, first_frame=1),
        )
        for turn in turns:
            for turned in itertools.islice(turn, n_needed - n_yielded):
                yield turned
                n_yielded += 1
            turn.close()
