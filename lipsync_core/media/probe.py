"""What a media file holds, read from ffmpeg's own listing (the bundled binary has no ffprobe)."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lipsync_core.errors import MediaError
from lipsync_core.media.ffmpeg import LIMITS, FfmpegProcess, failure, ffmpeg_path, input_argument
from lipsync_core.media.streams import AudioStream, SubtitleStream, VideoStream, parse_streams

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv")

MAX_PROBE_S = 300.0  # for a header; of a sound file it takes less than a second


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds.

    Attributes:
        duration_s: from the earliest start to the latest end of any stream.
        start_s: the container's first timestamp, to which all decoded times here are relative.
        video: first real video stream (cover art is none), or None.
    """

    path: Path
    container: str
    duration_s: float
    start_s: float
    video: VideoStream | None
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]


def probe_media(path: Path | str) -> MediaInfo:
    """Return what ``path`` holds.

    The duration is measured by a pass over the packets (no decoding) where the header gives none.

    Raises:
        MediaError: not a file, empty, damaged, or without any audio or video.
    """
    file = Path(path)
    source = input_argument(file)
    if file.stat().st_size == 0:
        raise MediaError(f"{file} is empty (0 bytes): copy or download it again")
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", *LIMITS, "-i", source]
    listing, code = _listing(file, command)
    header = re.search(r"^Input #0, (\S+), from ", listing, re.M)
    if header is None or code < 0:
        raise failure(f"reading {file}", command, listing, code)
    # What comes behind the name, which may look like anything.
    named = listing.find(f"from '{source}':", header.start())
    streams = listing[header.end() if named < 0 else named + len(source) :]
    videos, audio, subtitles = parse_streams(streams)
    if not videos and not audio:
        raise MediaError(f"{file} holds neither video nor audio that can be decoded")
    start = re.search(r"Duration: [^\n]*start: (-?[\d.]+)", streams)
    return MediaInfo(
        path=file,
        container=header[1],
        duration_s=_duration(file, streams),
        start_s=float(start[1]) if start else 0.0,
        video=videos[0] if videos else None,
        audio=audio,
        subtitles=subtitles,
    )


def _listing(file: Path, command: list[str]) -> tuple[str, int]:
    """Return what ffmpeg says of a file, and its exit code."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=MAX_PROBE_S
        )
    except subprocess.TimeoutExpired as error:
        raise MediaError(
            f"reading {file} failed: ffmpeg does not come to an end of its header in {MAX_PROBE_S:.0f} s; "
            "export the file again",
            command=command,
        ) from error
    return os.fsdecode(done.stderr), done.returncode  # as Python spells names that are not in UTF-8


def _duration(file: Path, listing: str) -> float:
    match = re.search(r"Duration: (\d+):(\d+):([\d.]+)", listing)
    stated = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0
    if stated <= 0 or "Estimating duration from bitrate" in listing or _is_implausible(file, stated):
        return measure_duration(file)
    return stated


def _is_implausible(file: Path, stated_s: float) -> bool:
    """Return whether the file is too small (under 1 kbit a second) for the length it states."""
    return file.stat().st_size * 8 / stated_s < 1_000


def measure_duration(path: Path | str, stream: str | None = None) -> float:
    """Return when the last packet has been shown, in seconds after the container's start.

    All packets are read, none is decoded.

    Args:
        path: media file.
        stream: ffmpeg stream specifier such as ``"v:0"`` or a stream's index; None takes audio and video.

    Raises:
        MediaError: nothing readable in the file.
    """
    maps = ["-map", f"0:{stream}"] if stream else ["-map", "0:v?", "-map", "0:a?"]
    args = ["-i", input_argument(path), *maps, "-c", "copy", "-f", "framecrc", "pipe:1"]
    end_s = 0.0
    timebases: dict[str, Fraction] = {}
    with FfmpegProcess(args, f"reading {path}", is_read=True) as process:
        for raw in process.output:  # "#tb 0: 1/12800", then "stream, dts, pts, duration, size, checksum"
            line = raw.decode("ascii", "replace")
            if line.startswith("#tb "):
                number, _, timebase = line[4:].partition(": ")
                timebases[number] = Fraction(timebase.strip())
            elif not line.startswith("#"):
                number, _, pts, duration, *_ = (part.strip() for part in line.split(","))
                end_s = max(end_s, float((int(pts) + int(duration)) * timebases[number]))
        process.wait()
    if end_s <= 0:
        reason = process.said().splitlines()[-1:] or ["no sound or picture comes behind its header"]
        raise MediaError(f"{path} holds nothing to play ({reason[0]}): record or export it again")
    return end_s
