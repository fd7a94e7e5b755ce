"""Encode a stream of frames with x264, and mux other streams in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media.ffmpeg import FfmpegFile
from lipsync_core.media.planar import PlanarLayout, colour_args, encoder_colours, setparams
from lipsync_core.pictures import Picture, Yuv420Frame

MAX_CRF = 18  # visually lossless for x264; a larger number would be worse


@dataclass(frozen=True)
class EncodeOptions:
    """How frames are encoded and what is muxed beside them.

    Attributes:
        crf: x264 constant rate factor, 0 (lossless) ... 18.
        preset: x264 preset, ``"ultrafast"`` ... ``"veryslow"``.
        sample_aspect_ratio: ``"num:den"`` written into the stream.
        layout: frames are `Yuv420Frame`s of this layout and reach the encoder bit for bit; None: BGR.
        video_filter: ffmpeg filters for the frames (a visible mark), before the colour conversion.
        extra_inputs: one argument list per further input, such as ``["-i", "speech.wav"]``; the frames
            are input 0, these are 1, 2, ...
        output_args: options of the output file: maps of the extra inputs, audio codec, metadata. Frames
            are mapped already.

    Raises:
        InvalidInputError: ``crf`` outside what is allowed.
    """

    crf: int = 18
    preset: str = "medium"
    sample_aspect_ratio: str = "1:1"
    layout: PlanarLayout | None = None
    video_filter: str = ""
    extra_inputs: Sequence[Sequence[str]] = ()
    output_args: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= MAX_CRF:
            raise InvalidInputError(f"crf is {self.crf}; allowed is 0...{MAX_CRF} (lower is better)")


def index_in_front(path: Path) -> list[str]:
    """Return the options that let a player begin before all of the file has come, where it needs any."""
    return ["-movflags", "+faststart"] if path.suffix.lower() in (".mp4", ".mov", ".m4v") else []


class VideoWriter:
    """Context manager that encodes frames into one file: x264, yuv420p, colour tags, index in front.

    The file appears under its name only when everything has succeeded; until then it lies beside it as a
    hidden ``.part`` file, which is removed on failure. Odd widths and heights, which yuv420p cannot hold,
    get one replicated column or row at the right or bottom.

    Args:
        path: output file; its suffix chooses the container (mp4, mkv, mov).
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        fps: exact constant rate.
        options: see `EncodeOptions`.

    Raises:
        InvalidInputError: size or rate outside what is allowed.
        MediaError: ffmpeg fails (here, in `write` or when leaving the context).

    Example:
        >>> with VideoWriter("out.mp4", 640, 360, Fraction(25)) as writer:  # doctest: +SKIP
        ...     writer.write(frame_bgr)
    """

    def __init__(
        self, path: Path | str, width: int, height: int, fps: Fraction, options: EncodeOptions | None = None
    ) -> None:
        self.path = Path(path)
        self.width, self.height, self.fps = width, height, Fraction(fps)
        self.options = options or EncodeOptions()
        self.n_frames = 0
        if min(width, height) < 2 or self.fps <= 0:
            raise InvalidInputError(
                f"cannot encode {width}x{height} at {fps} fps; sizes from 2, rates above 0"
            )
        if not self.path.parent.is_dir():
            raise MediaError(f"cannot write {self.path}: the folder {self.path.parent} does not exist")
        self._file: FfmpegFile | None = None

    def _arguments(self) -> list[str]:
        o = self.options
        width, height = self.width + self.width % 2, self.height + self.height % 2
        pixels, conversion, tags = encoder_colours(o.layout, width, height)
        filters = [o.video_filter] if o.video_filter else []
        filters += [*conversion, f"setsar={o.sample_aspect_ratio.replace(':', '/')}", setparams(tags)]
        return [
            "-f", "rawvideo", "-pix_fmt", pixels, "-video_size", f"{width}x{height}",
            "-framerate", f"{self.fps.numerator}/{self.fps.denominator}", "-thread_queue_size", "2",
            "-i", "pipe:0",
            *[argument for extra in o.extra_inputs for argument in extra],
            "-map", "0:v:0", "-vf", ",".join(filters),
            "-c:v", "libx264", "-preset", o.preset, "-crf", str(o.crf),
            "-pix_fmt", "yuv420p" if pixels == "bgr24" else pixels, *colour_args(tags),
            *index_in_front(self.path), *o.output_args,
        ]  # fmt: skip

    def __enter__(self) -> VideoWriter:
        self._file = FfmpegFile(self.path, self._arguments(), f"encoding {self.path}")
        return self

    def write(self, picture: Picture) -> None:
        """Append one frame: (height, width, 3) uint8 BGR or, with `EncodeOptions.layout`, a `Yuv420Frame`.

        Raises:
            InvalidInputError: another shape or type.
            MediaError: ffmpeg has ended early.
        """
        planes = self._planes(picture)
        if self._file is None:
            raise InvalidInputError("write() outside the writer's with-block")
        for plane in planes:
            self._file.write(np.ascontiguousarray(plane).data.cast("B"))
        self.n_frames += 1

    def _planes(self, picture: Picture) -> tuple[npt.NDArray[np.uint8], ...]:
        """Return the arrays to be written for a frame, of even size."""
        expected = (self.height, self.width, 3)
        layout = self.options.layout
        if isinstance(picture, Yuv420Frame):
            if layout is None or picture.shape != expected or picture.colour != layout.colour:
                raise InvalidInputError(
                    f"frame is 4:2:0 {picture.shape} in {picture.colour}; this file takes {expected} in "
                    f"{'BGR' if layout is None else layout.colour}"
                )
            return picture.padded_to_even().planes()
        if picture.shape != expected or picture.dtype != np.uint8 or layout is not None:
            raise InvalidInputError(
                f"frame has shape {picture.shape} and type {picture.dtype}; "
                f"this file takes {expected} uint8 {'BGR' if layout is None else '4:2:0'}"
            )
        if self.width % 2 or self.height % 2:
            picture = np.pad(picture, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        return (picture,)

    def kill(self) -> None:
        """End ffmpeg at once; a `write` in another thread then fails."""
        if self._file is not None:
            self._file.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        try:
            if kind is None:
                if self.n_frames == 0:
                    raise MediaError(f"not one frame was given for {self.path}; nothing is written")
                self._file.finish()
        finally:
            self._file.stop()
            self._file = None
