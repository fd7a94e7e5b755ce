"""Encode only those parts of a video that changed, and join them with the packets of the rest.

The new parts carry parameter sets of their own under ids that the source does not use, and begin and end at
closed groups of pictures, so one decoder configuration holds both kinds and players need not start anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media.ffmpeg import FfmpegFile
from lipsync_core.media.gops import JoinPlan, PacketReader
from lipsync_core.media.h264 import NAL_IDR, Packet, flv_packet, flv_start
from lipsync_core.media.planar import planar_layout
from lipsync_core.media.probe import probe_media
from lipsync_core.media.streams import VideoStream
from lipsync_core.media.stretches import StretchEncoder
from lipsync_core.media.writer import EncodeOptions, index_in_front
from lipsync_core.pictures import Picture

X264_DELAY = 2  # frames by which x264 decodes ahead of display, with a pyramid of B-frames


def join_video(
    out: Path | str,
    plan: JoinPlan,
    pictures: Iterator[Picture],
    encode: EncodeOptions,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a video of copied and newly encoded stretches, and mux other streams with it.

    Args:
        out: output file; its suffix chooses the container. Appears when all has succeeded.
        plan: at least one stretch.
        pictures: the finished frames of `JoinPlan.encoded_stretches`, one after the other, taken in a thread;
            a generator is closed at the end.
        encode: as for `VideoWriter`; ``layout`` must be the source's as it is tagged, ``video_filter`` empty.
        progress: told how many frames are done.

    Raises:
        InvalidInputError: options that copying cannot honour.
        MediaError: ffmpeg fails, or the source is not what the plan was made of.
    """
    video = probe_media(plan.source).video
    if video is None or encode.layout != planar_layout(video, as_tagged=True) or encode.video_filter:
        raise InvalidInputError("joining takes the source's own layout and no video filter")
    with contextlib.ExitStack() as stack:
        copied = stack.enter_context(PacketReader(plan.source, video))
        encoder, config = None, plan.table.config
        if plan.n_copied < plan.n_frames:
            encoder = stack.enter_context(StretchEncoder(plan, video, encode, pictures))
            config = config.joined(encoder.config)
        muxer = stack.enter_context(_Muxer(Path(out), plan, video, encode))
        muxer.send(flv_start(replace(config, length_bytes=4)))
        for number, (frame, packet) in enumerate(_joined(plan, copied, encoder)):
            muxer.send_packet(number, frame, packet)
            if progress is not None:
                progress(number + 1)
        muxer.finish()


def _joined(
    plan: JoinPlan, copied: PacketReader, encoder: StretchEncoder | None
) -> Iterator[tuple[int, Packet]]:
    """Yield (frame of the result, packet) in decoding order; every stretch begins with its first frame."""
    source = iter(copied)
    for stretch in plan.stretches:
        first_ms: int | None = None
        n_source = min(stretch.stop, plan.table.n_frames) - stretch.first
        if not stretch.is_copied:
            for _ in range(n_source):
                _taken(source, plan)
        for _ in range(stretch.n_frames):
            packet = _taken(source, plan) if stretch.is_copied or encoder is None else encoder.take()
            first_ms = packet.pts_ms if first_ms is None else first_ms
            yield stretch.first + round((packet.pts_ms - first_ms) * plan.fps / 1000), packet


def _taken(source: Iterator[Packet], plan: JoinPlan) -> Packet:
    packet = next(source, None)
    if packet is None:
        raise MediaError(f"{plan.source} has fewer frames than before: was it changed?")
    return packet


class _Muxer:
    """Context manager: the ffmpeg run that takes the joined packets and writes the file."""

    def __init__(self, path: Path, plan: JoinPlan, video: VideoStream, encode: EncodeOptions) -> None:
        if not path.parent.is_dir():
            raise MediaError(f"cannot write {path}: the folder {path.parent} does not exist")
        self._path, self._plan = path, plan
        self._delay = max(plan.table.delay, X264_DELAY)
        # The milliseconds of FLV tell frames apart; the times themselves are counted anew, in whole frames.
        setts = (
            f"setts=time_base={plan.fps.denominator}/{plan.fps.numerator}:prescale=1"
            f":dts=N-{self._delay}:pts=N-{self._delay}+PTS-DTS:duration=1"
        )
        sar = [int(part) for part in encode.sample_aspect_ratio.split(":")]
        aspect = ["-aspect", f"{video.width * sar[0]}:{video.height * sar[1]}"] if sar[0] != sar[1] else []
        self._args = [
            "-f", "flv", "-i", "pipe:0",
            *[argument for extra in encode.extra_inputs for argument in extra],
            "-map", "0:v:0", "-c:v", "copy", "-bsf:v", setts, *aspect,
            "-r:v:0", f"{plan.fps.numerator}/{plan.fps.denominator}",  # stated in the header; changes no time
            *index_in_front(path), *encode.output_args,
        ]  # fmt: skip

    def __enter__(self) -> _Muxer:
        self._file = FfmpegFile(self._path, self._args, f"writing {self._path}")
        return self

    def send_packet(self, number: int, frame: int, packet: Packet) -> None:
        """Append the packet that is ``number``-th to be decoded and shows ``frame``."""
        ms_per_frame = 1000 / self._plan.fps
        dts_ms, pts_ms = round(number * ms_per_frame), round((frame + self._delay) * ms_per_frame)
        is_key = any(unit[0] & 31 == NAL_IDR for unit in packet.units())
        self.send(flv_packet(dts_ms, pts_ms, packet.data, is_key=is_key))

    def send(self, data: bytes) -> None:
        """Append bytes of an FLV stream."""
        self._file.write(data)

    def finish(self) -> None:
        """Wait for the file and give it its name."""
        self._file.finish()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.stop()
