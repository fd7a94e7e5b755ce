"""The streams of a media file, parsed from ffmpeg's own listing of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

MAX_FRAME_RATE = 120  # a higher time base is no frame rate
STANDARD_RATES = (Fraction(25), Fraction(30), Fraction(50), Fraction(60))
NAMED_LAYOUTS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}
TEXT_SUBTITLES = ("subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text")


@dataclass(frozen=True)
class ColourTags:
    """What a stream says about its colours, in ffmpeg's names; ``"unknown"`` where it says nothing.

    Attributes:
        range: ``"tv"`` (16...235) or ``"pc"`` (0...255).
        matrix: ``"bt709"``, ``"smpte170m"``, ...
        primaries: likewise.
        transfer: likewise.
    """

    range: str = "unknown"
    matrix: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"


@dataclass(frozen=True)
class VideoStream:
    """One video stream as it is shown: after rotation.

    Attributes:
        index: number within the file's streams (``0:index``).
        width: pixels of a displayed row.
        height: displayed rows.
        fps: constant rate that fits the stream's timestamps.
        is_variable_rate: the stream's own frames do not come at a constant rate.
        rotation: degrees that a player turns the stored picture by, 0...359.
        sample_aspect_ratio: ``"num:den"`` of the displayed picture.
        colour_matrix: ``"bt709"``, ``"bt601"``, ``"bt2020"``, ... ; a guess from the size if the file
            says nothing (bt709 from 720 lines on).
        is_interlaced: fields, not frames; decoding deinterlaces.
        pixel_format: ffmpeg's name, such as ``"yuv420p"``.
        colour_tags: as stored, without guesses.
    """

    index: int
    codec: str
    width: int
    height: int
    fps: Fraction
    is_variable_rate: bool
    rotation: int
    sample_aspect_ratio: str
    colour_matrix: str
    is_interlaced: bool
    language: str | None
    pixel_format: str = ""
    colour_tags: ColourTags = ColourTags()


@dataclass(frozen=True)
class AudioStream:
    """One audio stream; ``language`` is the tag in the file, None if there is none."""

    index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str | None


@dataclass(frozen=True)
class SubtitleStream:
    """One subtitle stream; pictures of text (DVD, Blu-ray) are not ``is_text``."""

    index: int
    codec: str
    language: str | None
    is_text: bool


def parse_streams(
    listing: str,
) -> tuple[tuple[VideoStream, ...], tuple[AudioStream, ...], tuple[SubtitleStream, ...]]:
    """Return video, audio and subtitle streams of what ``ffmpeg -i`` prints about one file."""
    blocks = _stream_blocks(listing)
    videos = tuple(stream for stream in map(_parse_video, blocks) if stream is not None)
    audio = tuple(stream for stream in map(_parse_audio, blocks) if stream is not None)
    subtitles = tuple(stream for stream in map(_parse_subtitle, blocks) if stream is not None)
    return videos, audio, subtitles


@dataclass(frozen=True)
class _Block:
    """One stream's lines in the listing."""

    index: int
    language: str | None
    kind: str
    codec: str
    rest: str  # of the first line, after the codec's name
    details: str  # lines below it


def _stream_blocks(listing: str) -> list[_Block]:
    pattern = re.compile(
        r"^\s*Stream #0:(?P<index>\d+)(?:\[0x[0-9a-f]+\])?(?:\((?P<language>[^)]*)\))?: "
        r"(?P<kind>Video|Audio|Subtitle): (?P<codec>\w+)(?P<rest>[^\n]*)\n"
        r"(?P<details>(?:(?!^\s*Stream #)[^\n]*\n)*)",
        re.M,
    )
    return [
        _Block(
            index=int(m["index"]),
            language=None if m["language"] in (None, "und", "unk") else m["language"],
            kind=m["kind"],
            codec=m["codec"],
            rest=m["rest"],
            details=m["details"],
        )
        for m in pattern.finditer(listing + "\n")
    ]


def _parse_video(block: _Block) -> VideoStream | None:
    size = re.search(r", (\d+)x(\d+)\b", block.rest)
    if (
        block.kind != "Video"
        or size is None
        or re.search(r"\((attached pic|still image|timed thumb)", block.rest)
    ):
        return None
    width, height = int(size[1]), int(size[2])
    turn = re.search(r"rotation of (-?[\d.]+) degrees", block.details)
    rotation = round(-float(turn[1])) % 360 if turn else 0
    ratio = re.search(r"\bSAR (\d+):(\d+)", block.rest)
    sar = Fraction(int(ratio[1]), int(ratio[2])) if ratio and int(ratio[1]) and int(ratio[2]) else Fraction(1)
    pixel_format, tags = _pixels(block.rest)
    matrix = _MATRICES.get(tags.matrix) or default_colour_matrix(width, height)
    if rotation % 180 == 90:
        width, height, sar = height, width, 1 / sar
    is_interlaced = bool(re.search(r"\b(top|bottom) (coded )?first", block.rest))
    fps, is_variable = _constant_rate(_rate(block.rest, "fps"), _rate(block.rest, "tbr"), is_interlaced)
    return VideoStream(
        index=block.index,
        codec=block.codec,
        width=width,
        height=height,
        fps=fps,
        is_variable_rate=is_variable,
        rotation=rotation,
        sample_aspect_ratio=f"{sar.numerator}:{sar.denominator}",
        colour_matrix=matrix,
        is_interlaced=is_interlaced,
        language=block.language,
        pixel_format=pixel_format,
        colour_tags=tags,
    )


def _parse_audio(block: _Block) -> AudioStream | None:
    rate = re.search(r", (\d+) Hz", block.rest)
    if block.kind != "Audio" or rate is None:
        return None
    return AudioStream(block.index, block.codec, int(rate[1]), _channel_count(block.rest), block.language)


def _parse_subtitle(block: _Block) -> SubtitleStream | None:
    if block.kind != "Subtitle":
        return None
    return SubtitleStream(block.index, block.codec, block.language, block.codec in TEXT_SUBTITLES)


def _channel_count(rest: str) -> int:
    """Return the number of channels from a layout's name ("mono", "5.1(side)", "6 channels")."""
    layout = re.search(r" Hz, ([^,\n]+)", rest)
    name = layout[1].strip() if layout else "mono"
    counted = re.match(r"(\d+) channels", name)
    if counted:
        return int(counted[1])
    dotted = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", name)
    if dotted:
        return sum(int(n) for n in dotted.groups() if n)
    return NAMED_LAYOUTS.get(name.split("(")[0], 2)


# Constant luminance (bt2020c) is no matrix; it is read as the nearest that is one.
_MATRICES = {
    "smpte170m": "bt601", "bt470bg": "bt601", "fcc": "bt601", "bt709": "bt709", "smpte240m": "smpte240m",
    "bt2020nc": "bt2020", "bt2020c": "bt2020", "gbr": "bt709",
}  # fmt: skip


def _pixels(rest: str) -> tuple[str, ColourTags]:
    """Return pixel format and tags from ``yuv420p(tv, bt709/unknown/bt709, progressive), 1280x720``."""
    pixel = re.search(r", (\w+)(?:\(([^)]*)\))?, \d+x\d+", rest)
    if pixel is None:
        return "", ColourTags()
    items = (pixel[2] or "").split(", ")
    range_ = next((item for item in items if item in ("tv", "pc")), "unknown")
    if pixel[1].startswith("yuvj"):
        range_ = "pc"
    for item in items:
        names = item.split("/")
        if len(names) == 3:
            return pixel[1], ColourTags(range_, *names)
        if item in _MATRICES:
            return pixel[1], ColourTags(range_, item, item, item)
    return pixel[1], ColourTags(range_)


def default_colour_matrix(width: int, height: int) -> str:
    """Return what players assume of untagged video: ``"bt709"`` for HD sizes, else ``"bt601"``."""
    return "bt709" if height >= 720 or width >= 1280 else "bt601"


def _rate(rest: str, unit: str) -> Fraction | None:
    """Return the listed rate as the exact fraction that its two decimals stand for."""
    match = re.search(rf"([\d.]+)(k?) {unit}\b", rest)
    if match is None:
        return None
    value = Fraction(match[1]) * (1000 if match[2] else 1)
    ntsc = Fraction(round(value) * 1000, 1001)  # 24000/1001 is listed as 23.98, 30000/1001 as 29.97
    if value.denominator > 1 and abs(value - ntsc) < Fraction(1, 150):
        return ntsc
    return value if value > 0 else None


def _constant_rate(
    average: Fraction | None, timebase: Fraction | None, is_interlaced: bool
) -> tuple[Fraction, bool]:
    """Return the constant rate for a stream and whether its own rate varies.

    ffmpeg's "tbr" is the lowest rate that holds all timestamps; beyond 120 it is only a clock.
    """
    rates = [r for r in (timebase, average) if r is not None and 1 <= r <= MAX_FRAME_RATE]
    if not rates:
        return Fraction(25), True
    if average is None or timebase is None:
        return rates[0], False
    if is_interlaced and timebase == 2 * average:  # counts fields
        return average, False
    if timebase > MAX_FRAME_RATE:
        return _next_standard(average), True
    return rates[0], abs(timebase - average) > timebase / 50


def _next_standard(average: Fraction, rates: Sequence[Fraction] = STANDARD_RATES) -> Fraction:
    return next((r for r in rates if r >= average * Fraction(99, 100)), Fraction(60))
