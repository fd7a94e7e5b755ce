"""The subtitles of a finished video: the dub's words at the dub's times, the source's at the source's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.doubts import is_invented
from f2f.results import FittedSpeech, Placement, Segment, Transcript, Translation

_TARGET_NAME, _SOURCE_NAME = "target.srt", "source.srt"


@dataclass(frozen=True)
class Subtitles:
    """Both files; None where there would be no cue (an empty track is no valid file)."""

    target: Path | None
    source: Path | None


def write_subtitles(
    transcript: Transcript, translation: Translation, fitted: FittedSpeech, folder: Path, end_s: float
) -> Subtitles:
    """Write both SRT files into ``folder``; nothing is shown after ``end_s``."""
    said = {placement.segment_id: placement for placement in fitted.placements}
    target = [(said.get(e.segment.id, e.segment), e.text) for e in translation.segments]
    source = [(segment, segment.text) for segment in transcript.segments if not is_invented(segment)]
    return Subtitles(
        _write_track(folder / _TARGET_NAME, target, end_s), _write_track(folder / _SOURCE_NAME, source, end_s)
    )


def _write_track(path: Path, lines: Sequence[tuple[Segment | Placement, str]], end_s: float) -> Path | None:
    from f2f.captions import write_srt

    # A cue beyond the picture's end would make the file longer than the video.
    cues = [
        (span.start_s, min(span.end_s, end_s), text)
        for span, text in lines
        if text.strip() and span.start_s < end_s
    ]
    if not cues:
        return None
    write_srt(path, cues)
    return path
