"""A source whose still pictures were slowed: its packets with other times, its sound slowed with them.

Slowing a still picture needs no new picture, only that each frame stays longer, and in a container that is
what packets' times say: the picture is copied bit for bit, whatever its codec. Sources whose packets have no
times of their own (B-frames in AVI) are encoded instead.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.results import SourceVideo
from f2f.slowed_sound import write_slowed_sound
from f2f.stage import StageContext
from f2f.time_map import SlowedStretch, TimeMap
from lipsync_core.errors import MediaError

if TYPE_CHECKING:
    from lipsync_core.pictures import Picture

CRF = 8
"""Of x264 where the picture has to be encoded: no eye tells it from the source."""
_MAX_WORDS = 120_000  # characters in one argument; Linux takes 131,072
_BESIDE = 0.07  # frames: a millisecond at 60 frames a second
_CLOCK_S = 0.0015  # Matroska counts in milliseconds


def write_slowed_video(
    source: Path, video: SourceVideo, time_map: TimeMap, path: Path, context: StageContext
) -> bool:
    """Write picture, sound and chapters of a source through a time map.

    Args:
        source: the input file.
        video: what it holds.
        time_map: where the picture is slowed.
        path: output file, ``.mkv``; scratch files lie beside it while this runs.
        context: told of the progress.

    Returns:
        Whether the picture's packets were copied; otherwise it was encoded.

    Raises:
        MediaError: ffmpeg fails.
    """
    sound, chapters = path.with_name("sound.flac"), path.with_name("chapters.txt")
    total_s = video.duration_s + time_map.added_s
    try:
        write_slowed_sound(source, time_map, sound, lambda done_s: context.progress(done_s, total_s, "s"))
        chapters.write_text(slowed_chapters(_read_chapters(source), time_map), encoding="utf-8")
        with contextlib.suppress(MediaError):  # its packets cannot lie in this container, or have no times
            _copy(source, time_map, sound, chapters, path)
            if _has_planned_times(source, path, time_map):
                return True
        _encode(source, video, time_map, sound, chapters, path, context)
        return False
    finally:
        sound.unlink(missing_ok=True)
        chapters.unlink(missing_ok=True)


def _copy(source: Path, time_map: TimeMap, sound: Path, chapters: Path, path: Path) -> None:
    from lipsync_core.media import probe_media, run_ffmpeg
    from lipsync_core.whole_files import whole_file

    picture = probe_media(source).video
    assert picture is not None
    pts, dts = (retiming(name, time_map) for name in ("PTS", "DTS"))
    if len(pts) + len(dts) > _MAX_WORDS:
        raise MediaError(f"{len(time_map.slowed)} slowed stretches are too many for one command line")
    with whole_file(path) as part:
        run_ffmpeg(
            [
                *("-i", f"file:{source}", "-i", f"file:{sound}"),
                *("-f", "ffmetadata", "-i", f"file:{chapters}"),
                *("-map", f"0:{picture.index}", "-map", "1:a:0", "-map_chapters", "2"),
                *("-c", "copy", "-bsf:v", f"setts=pts='{pts}':dts='{dts}'"),
                # Otherwise all times are moved until the first packet's, which is decoded early, is 0.
                *("-avoid_negative_ts", "disabled", "-f", "matroska", f"file:{part}"),
            ],
            what=f"slowing the picture of {source.name}",
        )


def retiming(name: str, time_map: TimeMap) -> str:
    """Return ffmpeg's expression for the output time of a packet, in the stream's clock.

    Args:
        name: of the time in the source, ``PTS`` or ``DTS``.
        time_map: where the picture is slowed, by whole frames.
    """
    fps = Fraction(time_map.fps)
    added = "+".join(map(_added, time_map.slowed)) or "0"
    number = f"{name}*TB*{fps.numerator}/{fps.denominator}"
    # Clocks of milliseconds lie a little beside the frames.
    frame = f"if(lt(abs(ld(1)-round(ld(1))),{_BESIDE}),round(ld(1)),ld(1))"
    setting = f"0*(st(1,{number})+st(0,{frame}))"
    return f"{setting}+round({name}+({added})*{fps.denominator}/{fps.numerator}/TB)"


def _added(one: SlowedStretch) -> str:
    """Frames that one stretch has added until frame number ld(0); as `TimeMap.output_frame` counts them."""
    into = f"clip(ld(0)-{one.first_frame},0,{one.n_frames})"
    return f"floor({into}*{one.n_added}/{one.n_frames}+.500001)"


def _has_planned_times(source: Path, path: Path, time_map: TimeMap) -> bool:
    """Whether the result has all packets of the source, each at its place."""
    fps = float(Fraction(time_map.fps))
    with (
        contextlib.closing(_packet_times_s(source)) as before,
        contextlib.closing(_packet_times_s(path)) as after,
    ):
        for before_s, after_s in itertools.zip_longest(before, after, fillvalue=math.nan):
            allowed_s = _CLOCK_S + (1 / fps if time_map.is_slowed_at(before_s * fps) else 0.0)
            if not abs(time_map.output_s(before_s) - after_s) <= allowed_s:  # nan is none
                return False
    return True


def _packet_times_s(path: Path) -> Generator[float, None, None]:
    """Yield when each packet of the picture is shown, in the order of decoding; nan without a time."""
    from lipsync_core.media import probe_media
    from lipsync_core.media.ffmpeg import FfmpegProcess, input_argument

    picture = probe_media(path).video
    assert picture is not None
    maps = ["-map", f"0:{picture.index}", "-c", "copy", "-f", "framecrc", "pipe:1"]
    time_base = 1.0
    with FfmpegProcess(
        ["-i", input_argument(path), *maps], f"reading the packets of {path}", is_read=True
    ) as process:
        for raw in process.output:
            line = raw.decode("ascii", "replace")
            if line.startswith("#tb 0:"):
                time_base = float(Fraction(line.split(":")[1].strip()))
            elif not line.startswith("#"):
                pts = line.split(",")[2].strip()
                yield int(pts) * time_base if abs(int(pts)) < 2**62 else math.nan


def _read_chapters(source: Path) -> str:
    from lipsync_core.media import run_ffmpeg
    from lipsync_core.media.ffmpeg import input_argument

    listing = run_ffmpeg(
        ["-i", input_argument(source), "-f", "ffmetadata", "pipe:1"],
        what=f"reading the chapters of {source.name}",
    )
    return listing.decode("utf-8", "replace")


def slowed_chapters(listing: str, time_map: TimeMap) -> str:
    """Return a listing of chapters (ffmpeg's ffmetadata) with their times mapped."""
    lines, clock = [], Fraction(1, 10**9)
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        if key == "TIMEBASE":
            clock = Fraction(value)
        elif key in ("START", "END") and value.lstrip("-").isdigit():
            line = f"{key}={round(time_map.output_s(float(int(value) * clock)) / clock)}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _encode(
    source: Path,
    video: SourceVideo,
    time_map: TimeMap,
    sound: Path,
    chapters: Path,
    path: Path,
    context: StageContext,
) -> None:
    from lipsync_core.media import (
        BackgroundWriter,
        EncodeOptions,
        VideoWriter,
        planar_layout,
        probe_media,
        queue_length,
    )

    stream, fps = probe_media(source).video, Fraction(video.fps)
    assert stream is not None
    options = EncodeOptions(
        crf=CRF,
        preset="veryfast",
        sample_aspect_ratio=video.sample_aspect_ratio,
        layout=planar_layout(stream),
        extra_inputs=[["-i", f"file:{sound}"], ["-f", "ffmetadata", "-i", f"file:{chapters}"]],
        output_args=["-map", "1:a:0", "-c:a", "copy", "-map_chapters", "2"],
    )
    size = (video.width, video.height)
    with (
        contextlib.closing(held_pictures(source, time_map)) as pictures,
        BackgroundWriter(VideoWriter(path, *size, fps, options), queue_length(*size)) as writer,
    ):
        for done, picture in enumerate(pictures, start=1):
            writer.write(picture)
            context.progress(done, time_map.n_frames + time_map.n_added, "frames")


def held_pictures(source: Path, time_map: TimeMap) -> Generator[Picture, None, None]:
    """Yield the frames of a source, each as often as a time map says."""
    from lipsync_core.media import queue_length, read_ahead, read_pictures

    pictures = read_pictures(source, fps=Fraction(time_map.fps))
    with contextlib.closing(read_ahead(pictures, queue_length(1920, 1080))) as frames:
        for picture, n_times in zip(frames, time_map.repetitions(), strict=False):
            yield from itertools.repeat(picture, n_times)
