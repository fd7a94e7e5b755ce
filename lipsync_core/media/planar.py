"""Which streams can pass from decoder to encoder as 8-bit 4:2:0 planes, and what describes their colours."""

from __future__ import annotations

from dataclasses import dataclass

from lipsync_core.media.streams import ColourTags, VideoStream, default_colour_matrix
from lipsync_core.pictures import LUMA_SHARES, ColourSpace

PLANAR_FORMATS = ("yuv420p", "yuvj420p", "nv12", "nv21")  # the last two hold the same samples, interleaved
# Tagged with any other matrix (ICtCp, YCgCo, constant luminance) planes are no weighted sums of RGB.
_LINEAR_MATRICES = ("unknown", "bt709", "smpte170m", "bt470bg", "fcc", "smpte240m", "bt2020nc")
# Matrix, primaries and transfer that go with each other.
TAGS_OF_MATRIX = {
    "bt709": ("bt709", "bt709", "bt709"),
    "bt601": ("smpte170m", "smpte170m", "smpte170m"),
    "smpte240m": ("smpte240m", "smpte240m", "smpte240m"),
    "bt2020": ("bt2020nc", "bt2020", "bt2020-10"),
}


@dataclass(frozen=True)
class PlanarLayout:
    """How planes of a stream are to be read and tagged.

    Attributes:
        colour: for conversion.
        tags: for the encoder; ``"unknown"`` writes no tag.
    """

    colour: ColourSpace
    tags: ColourTags


def planar_layout(video: VideoStream, *, as_tagged: bool = False) -> PlanarLayout | None:
    """Return the layout of a stream whose planes can pass as they are, None of any other.

    Args:
        video: the stream.
        as_tagged: keep ``"unknown"`` where the stream is not tagged; otherwise what players would assume,
            and what conversion here assumes, is stated.
    """
    if video.pixel_format not in PLANAR_FORMATS or video.colour_tags.matrix not in _LINEAR_MATRICES:
        return None
    if video.colour_matrix not in LUMA_SHARES:
        return None
    colour = ColourSpace(video.colour_matrix, video.colour_tags.range == "pc")
    return PlanarLayout(colour, video.colour_tags if as_tagged else _stated(video, colour))


def conversion_notice(video: VideoStream) -> str | None:
    """Return what a person should know if frames of a stream have to pass as BGR, None if they need not."""
    if planar_layout(video) is not None:
        return None
    pixels = video.pixel_format or "of an unknown kind"
    return f"the picture is {pixels}, not plain 8-bit 4:2:0: all of every frame is converted on the way"


def _stated(video: VideoStream, colour: ColourSpace) -> ColourTags:
    tags, assumed = video.colour_tags, TAGS_OF_MATRIX[video.colour_matrix]
    said = (tags.matrix, tags.primaries, tags.transfer)
    return ColourTags(
        "pc" if colour.is_full_range else "tv",
        *(guess if name == "unknown" else name for name, guess in zip(said, assumed, strict=True)),
    )


def encoder_colours(
    layout: PlanarLayout | None, width: int, height: int
) -> tuple[str, list[str], ColourTags]:
    """Return (pixel format piped to the encoder, filters that convert it, tags of the result).

    Args:
        layout: of the frames; None for BGR, which becomes the matrix usual for the size.
        width: of the result.
        height: of the result.
    """
    if layout is not None:
        return "yuvj420p" if layout.colour.is_full_range else "yuv420p", [], layout.tags
    matrix = default_colour_matrix(width, height)
    scale = f"scale=out_color_matrix={matrix}:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"
    return "bgr24", [scale, "format=yuv420p"], ColourTags("tv", *TAGS_OF_MATRIX[matrix])


def setparams(tags: ColourTags) -> str:
    """Return the filter that tags frames."""
    return (
        f"setparams=colorspace={tags.matrix}:color_primaries={tags.primaries}:color_trc={tags.transfer}"
        f":range={tags.range}"
    )


def colour_args(tags: ColourTags) -> list[str]:
    """Return the options that tag an encoded stream."""
    return [
        "-colorspace", tags.matrix, "-color_primaries", tags.primaries,
        "-color_trc", tags.transfer, "-color_range", tags.range,
    ]  # fmt: skip
