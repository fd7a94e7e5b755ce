"""What lies beside the picture in the finished file: dub, original sound, subtitles, and what they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from f2f.languages import Language
from f2f.manifest import synthetic_statement

# Codecs that MP4 players expect; the original sound in any other is re-encoded.
_COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_ORIGINAL_BITRATE_KBPS = 192


@dataclass(frozen=True)
class Tracks:
    """Everything that is muxed with the frames, as options for ffmpeg.

    Input 0 of the ffmpeg run is the pipe of frames, 1 the dub, 2 the source, then the subtitles.

    Attributes:
        source: input video, whose first sound is kept and whose chapters are copied.
        dub: the finished sound, stereo.
        target_subtitles: SRT, None for no track.
        source_subtitles: SRT, None for no track.
        end_s: where the output ends; the dub is padded to here, everything is cut here.
        bitrate_kbps: of the dub.
        has_new_lips: whether any lips were generated, for the statement.
    """

    source: Path
    dub: Path
    source_language: Language
    target_language: Language
    target_subtitles: Path | None
    source_subtitles: Path | None
    end_s: Fraction
    bitrate_kbps: int
    has_new_lips: bool

    def inputs(self) -> list[list[str]]:
        """Return one argument list for each input after the frames."""
        subtitles = [path for path, _ in self._subtitles()]
        return [["-i", f"file:{path}"] for path in (self.dub, self.source, *subtitles)]

    def output_args(self) -> list[str]:
        """Return maps, codecs, tags and length for the output file."""
        return [
            *self._sound_args(),
            *self._subtitle_args(),
            *self._statement_args(),
            *("-map_chapters", "2", "-max_error_rate", "1", "-t", self._end),
        ]

    @property
    def _end(self) -> str:
        return f"{math.ceil(self.end_s * 1_000_000) / 1_000_000:.6f}"

    def _subtitles(self) -> list[tuple[Path, Language]]:
        tracks = (
            (self.target_subtitles, self.target_language),
            (self.source_subtitles, self.source_language),
        )
        return [(path, language) for path, language in tracks if path is not None]

    def _sound_args(self) -> list[str]:
        from lipsync_core.media import probe_media

        original = probe_media(self.source).audio[0]
        source, target = self.source_language, self.target_language
        return [
            "-map", "1:a:0", "-map", f"2:{original.index}",
            "-filter:a:0", f"apad=whole_dur={self._end}", "-ar:a:0", "48000",
            "-c:a:0", "aac", "-b:a:0", f"{self.bitrate_kbps}k", "-disposition:a:0", "default",
            *_tags("a:0", target, f"{target.name} (AI-dubbed)"),
            *_original_codec(original.codec), "-disposition:a:1", "0",
            *_tags("a:1", source, f"{source.name} (original)"),
        ]  # fmt: skip

    def _subtitle_args(self) -> list[str]:
        args = ["-c:s", "mov_text"]
        for number, (_, language) in enumerate(self._subtitles()):
            args += ["-map", f"{3 + number}:s:0", *_tags(f"s:{number}", language, language.name)]
        return args

    def _statement_args(self) -> list[str]:
        """Return the file's metadata; nothing turns off what says that the video is synthetic."""
        statement = synthetic_statement(
            self.source_language.code, self.target_language.code, lips=self.has_new_lips
        )
        return [
            "-map_metadata", "-1",
            "-metadata", f"title={self.source.stem} ({self.target_language.name}, AI-dubbed)",
            "-metadata", f"comment={statement}", "-metadata", f"synopsis={statement}",
        ]  # fmt: skip


def _original_codec(codec: str) -> list[str]:
    if codec in _COPIED_CODECS:
        return ["-c:a:1", "copy"]
    return [
        "-c:a:1", "aac", "-b:a:1", f"{_ORIGINAL_BITRATE_KBPS}k",
        "-filter:a:1", "aresample=async=1:first_pts=0",
    ]  # fmt: skip


def _tags(stream: str, language: Language, title: str) -> list[str]:
    """Return the tags of one output stream.

    The title goes into the handler's name: ffmpeg warns of the other place for it when it reads the file.
    """
    tags = (f"language={language.iso639_2}", f"handler_name={title}")
    return [argument for tag in tags for argument in (f"-metadata:s:{stream}", tag)]
