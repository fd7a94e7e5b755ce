"""One x264 for those stretches of a video that are encoded anew, each from an IDR picture on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from fractions import Fraction
from types import TracebackType

import numpy as np

from lipsync_core.errors import MediaError
from lipsync_core.media.ffmpeg import FfmpegProcess
from lipsync_core.media.gops import FLV_TO_PIPE, JoinPlan, NotCopyableError
from lipsync_core.media.h264 import AvcConfig, FlvReader, Packet
from lipsync_core.media.planar import colour_args, encoder_colours, setparams
from lipsync_core.media.streams import VideoStream
from lipsync_core.media.writer import EncodeOptions
from lipsync_core.pictures import Picture, Yuv420Frame

_PROFILES = {66: "baseline", 77: "main"}  # all others: high
_MAX_ID = 31


class StretchEncoder:
    """Context manager that encodes frames in a thread and gives their packets.

    Args:
        plan: whose encoded stretches these are.
        video: the source's stream, whose size, colours and profile are kept.
        encode: rate factor, preset, layout, aspect.
        pictures: all frames of the encoded stretches in order.

    Raises:
        MediaError: ffmpeg fails. Whatever ``pictures`` raises is raised by `take` or on entering.
    """

    def __init__(
        self, plan: JoinPlan, video: VideoStream, encode: EncodeOptions, pictures: Iterator[Picture]
    ) -> None:
        used = plan.table.config.ids()
        free = next((number for number in range(_MAX_ID + 1) if number not in used), None)
        if free is None:
            raise NotCopyableError("all ids of parameter sets are taken")
        self._args = _arguments(plan, video, encode, free)
        self._used, self._pictures = used, pictures
        self._error: BaseException | None = None

    def __enter__(self) -> StretchEncoder:
        self._process = FfmpegProcess(self._args, "encoding changed stretches", is_fed=True, is_read=True)
        self._packets = FlvReader(self._process.output)
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()
        try:
            self._first: Packet | None = None
            self._first = self.take()  # tells the configuration
            if self.config.ids() & self._used:
                raise MediaError("this x264 does not number its parameter sets as asked; encode all frames")
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    @property
    def config(self) -> AvcConfig:
        """Parameter sets of the packets."""
        assert self._packets.config is not None
        return self._packets.config

    def take(self) -> Packet:
        """Return the next packet in decoding order.

        Raises:
            MediaError: ffmpeg failed, or there are fewer frames than planned.
        """
        if self._first is not None:
            packet, self._first = self._first, None
            return packet
        taken = next(self._packets, None)
        if taken is not None:
            return taken
        self._thread.join()
        if self._error is not None and not isinstance(self._error, (BrokenPipeError, ValueError)):
            raise self._error
        raise self._process.failure()

    def _feed(self) -> None:
        try:
            for picture in self._pictures:
                assert isinstance(picture, Yuv420Frame)
                for plane in picture.padded_to_even().planes():
                    self._process.input.write(np.ascontiguousarray(plane).data.cast("B"))
            self._process.input.close()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
            self._process.kill()
        finally:
            if isinstance(self._pictures, Generator):
                self._pictures.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # the thread then fails at its next frame
        self._thread.join()
        self._process.stop()


def _arguments(plan: JoinPlan, video: VideoStream, encode: EncodeOptions, parameter_set_id: int) -> list[str]:
    width, height = video.width + video.width % 2, video.height + video.height % 2
    pixels, _, tags = encoder_colours(encode.layout, width, height)
    sar = encode.sample_aspect_ratio.replace(":", "/")
    return [
        "-f", "rawvideo", "-pix_fmt", pixels, "-video_size", f"{width}x{height}",
        "-framerate", f"{plan.fps.numerator}/{plan.fps.denominator}", "-thread_queue_size", "2",
        "-i", "pipe:0",
        "-vf", f"setsar={sar},{setparams(tags)}",
        "-c:v", "libx264", "-preset", encode.preset, "-crf", str(encode.crf), "-pix_fmt", pixels,
        "-profile:v", _PROFILES.get(plan.table.config.profile, "high"), *colour_args(tags),
        "-x264-params", f"sps-id={parameter_set_id}",
        "-force_key_frames", ",".join(_starts_s(plan)), "-forced-idr", "1",
        *FLV_TO_PIPE,
    ]  # fmt: skip


def _starts_s(plan: JoinPlan) -> list[str]:
    """Return when each encoded stretch begins in the encoder's own time, half a frame early."""
    starts, n_before = [], 0
    for stretch in plan.encoded_stretches():
        starts.append(f"{float(max(Fraction(0), (n_before - Fraction(1, 2)) / plan.fps)):.6f}")
        n_before += stretch.n_frames
    return starts
