"""Where an H.264 video may be cut without decoding it, and which parts of it can stay as they are."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipsync_core.errors import MediaError
from lipsync_core.media.ffmpeg import FfmpegProcess, input_argument, run_ffmpeg
from lipsync_core.media.h264 import NAL_IDR, NAL_PPS, NAL_SPS, AvcConfig, FlvReader, Packet
from lipsync_core.media.planar import planar_layout
from lipsync_core.media.probe import probe_media
from lipsync_core.media.streams import VideoStream

LATE_FRAMES = Fraction(2, 5)  # nearly the half from which on a frame is shown in another's place
FLV_TO_PIPE = ("-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1")


class NotCopyableError(MediaError):
    """The packets of a video cannot be joined with newly encoded ones; holds the reason as a clause."""


@dataclass(frozen=True)
class GopTable:
    """How the frames of a video lie in its closed groups of pictures.

    Attributes:
        config: parameter sets.
        n_frames: frames, one packet each.
        starts: first frame of every closed group, rising, from 0.
        delay: by how many frames decoding runs ahead of display at most.
    """

    config: AvcConfig
    n_frames: int
    starts: tuple[int, ...]
    delay: int


@dataclass(frozen=True)
class Stretch:
    """Frames ``first`` ... ``stop - 1``, copied or encoded anew."""

    first: int
    stop: int
    is_copied: bool

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.stop - self.first


@dataclass(frozen=True)
class JoinPlan:
    """What is joined.

    Attributes:
        source: video whose packets are copied.
        table: where it may be cut.
        stretches: all frames of the result in order, from 0.
        fps: rate of source and result.
    """

    source: Path
    table: GopTable
    stretches: Sequence[Stretch]
    fps: Fraction

    @property
    def n_frames(self) -> int:
        """Frames of the result."""
        return self.stretches[-1].stop

    @property
    def n_copied(self) -> int:
        """Frames that are not encoded anew."""
        return sum(stretch.n_frames for stretch in self.stretches if stretch.is_copied)

    def encoded_stretches(self) -> list[Stretch]:
        """Return those whose frames are encoded."""
        return [stretch for stretch in self.stretches if not stretch.is_copied]


def read_gops(path: Path | str, fps: Fraction) -> GopTable:
    """Return where a video may be cut. All packets are read, none is decoded.

    Args:
        path: video file.
        fps: rate at which `lipsync_core.media.read_pictures` reads it; frame numbers are that function's.

    Raises:
        NotCopyableError: its packets cannot be copied, or not be told apart by frame.
        MediaError: the file cannot be read.
    """
    video = probe_media(path).video
    if video is None:
        raise NotCopyableError("it holds no video")
    _refuse_unfit(video)
    if abs(_first_pts_s(path, video) * fps) >= LATE_FRAMES:
        raise NotCopyableError("its picture does not begin with the file")
    try:
        with PacketReader(path, video) as reader:
            return _table(reader, fps)
    except NotCopyableError:
        raise
    except MediaError as exc:
        raise NotCopyableError(str(exc)) from exc


class PacketReader:
    """Context manager and iterator over the packets of a file's video, in decoding order."""

    def __init__(self, path: Path | str, video: VideoStream) -> None:
        self._what = f"reading the packets of {path}"
        self._args = [
            "-i", input_argument(path), "-map", f"0:{video.index}", "-c", "copy", *FLV_TO_PIPE,
        ]  # fmt: skip

    def __enter__(self) -> PacketReader:
        self._process = FfmpegProcess(self._args, self._what, is_read=True)
        self._reader = FlvReader(self._process.output)
        return self

    def __iter__(self) -> Iterator[Packet]:
        return self._reader

    @property
    def config(self) -> AvcConfig:
        """Configuration of the stream; known once a packet was read.

        Raises:
            MediaError: there is none.
        """
        if self._reader.config is None:
            raise self._process.failure()
        return self._reader.config

    def __exit__(self, *_: object) -> None:
        self._process.stop()


def plan_stretches(table: GopTable, changed: Sequence[int], n_frames: int) -> list[Stretch]:
    """Return which frames to copy: the closed groups in which nothing changes.

    Args:
        table: of the source.
        changed: for every frame of the result whether it changes; missing ones do not.
        n_frames: of the result; frames beyond the source's belong to its last group, which is then encoded.
    """
    ends = (*table.starts[1:], max(n_frames, table.n_frames))
    stretches: list[Stretch] = []
    for first, stop in zip(table.starts, ends, strict=True):
        stop = min(stop, n_frames)
        if first >= stop:
            break
        is_whole = stop in table.starts or stop == table.n_frames
        is_copied = is_whole and not any(changed[first:stop])
        if stretches and stretches[-1].is_copied == is_copied:
            stretches[-1] = Stretch(stretches[-1].first, stop, is_copied)
        else:
            stretches.append(Stretch(first, stop, is_copied))
    return stretches


def _refuse_unfit(video: VideoStream) -> None:
    if video.codec != "h264":
        raise NotCopyableError(f"it is {video.codec}, not H.264")
    if planar_layout(video) is None:
        raise NotCopyableError(f"its pixels are {video.pixel_format}, not 8-bit 4:2:0")
    if video.is_interlaced:
        raise NotCopyableError("it is interlaced")
    if video.rotation:
        raise NotCopyableError("its pictures are stored turned")


def _first_pts_s(path: Path | str, video: VideoStream) -> Fraction:
    """Return when the first frame in decoding order is shown, after the container's start."""
    listing = run_ffmpeg(
        ["-i", input_argument(path), "-map", f"0:{video.index}", "-c", "copy", "-frames:v", "1",
         "-f", "framecrc", "pipe:1"],
        what=f"reading the first packet of {path}",
    ).decode("ascii", "replace")  # fmt: skip
    timebase = re.search(r"^#tb 0: (\d+/\d+)", listing, re.M)
    packet = re.search(r"^0, +-?\d+, +(-?\d+),", listing, re.M)
    if timebase is None or packet is None:
        raise NotCopyableError("its packets have no times")
    return int(packet[1]) * Fraction(timebase[1])


def _table(reader: PacketReader, fps: Fraction) -> GopTable:
    shown = array("q")  # frame number of every packet, in decoding order
    starts: list[int] = []
    first_ms = last = 0
    for packet in reader:
        kinds = {unit[0] & 31 for unit in packet.units()}
        if kinds & {NAL_SPS, NAL_PPS}:
            _refuse_new_parameters(packet, reader.config)
        number = len(shown)
        first_ms = first_ms if number else packet.pts_ms
        shown.append(round((packet.pts_ms - first_ms) * fps / 1000))
        if NAL_IDR in kinds and (number == 0 or last == number - 1) and shown[number] == number:
            starts.append(number)
        last = max(last, shown[number])
    if not shown:
        reader.config  # noqa: B018 - raises with ffmpeg's reason
    if not starts or starts[0] != 0:
        raise NotCopyableError("it does not begin with a picture that stands alone")
    if sorted(shown) != list(range(len(shown))):
        raise NotCopyableError("its frames do not come at a constant rate")
    delay = max(number - frame for number, frame in enumerate(shown))
    return GopTable(reader.config, len(shown), tuple(starts), delay)


def _refuse_new_parameters(packet: Packet, config: AvcConfig) -> None:
    known = {*config.sps, *config.pps}
    for unit in packet.units():
        if unit[0] & 31 in (NAL_SPS, NAL_PPS) and bytes(unit) not in known:
            raise NotCopyableError("its parameter sets change on the way")
