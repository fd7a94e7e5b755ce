"""stretch: still pictures last longer where lines would be hurried; what comes after works on the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from f2f.config import FitConfig
from f2f.dubbed_lines import dubbed_lines, keeps_sound
from f2f.results import EngineInfo, SourceVideo, Speech, Stills, Translation
from f2f.slowed_video import CRF, write_slowed_video
from f2f.stage import StageContext
from f2f.stretch_planning import Span, StretchPlan, missing_s, plan_stretch
from f2f.time_map import StretchedSource, TimeMap
from f2f.workspace import hash_file

VERSION = 1
_MOST_NAMED = 5


def stretch(
    source: Path,
    video: SourceVideo,
    translation: Translation,
    speech: Speech,
    still: Stills,
    config: FitConfig,
    context: StageContext,
) -> StretchedSource:
    """Plan by `f2f.stretch_planning` and write the stretched source, where anything is gained.

    Pictures during segments that keep their own sound are not slowed: that sound would be, too.

    Args:
        source: the input file.
        video: what it holds.
        translation: segments with their source times.
        speech: takes with their lengths.
        still: where the picture may be slowed.
        config: tempo limits and cap.
        context: folder and observer.

    Raises:
        MediaError: ffmpeg fails.
    """
    spoken = {take.segment_id for take in speech.takes}
    kept = [one.segment for one in translation.segments if keeps_sound(one, spoken)]
    free = list(without(still.spans, [(one.start_s, one.end_s) for one in kept]))
    fps = Fraction(video.fps)
    plan = plan_stretch(dubbed_lines(translation, speech), free, fps, video.n_frames, config)
    if not plan.time_map.slowed:
        context.notice(_nothing_gained(free))
        engine = EngineInfo(name="none", version="", licence="", components=still.engine.components)
        return StretchedSource(file=None, video=video, time_map=plan.time_map, engine=engine)
    for line in _told(plan, config):
        context.notice(line)
    path = context.folder / f"{source.stem}.mkv"
    is_copied = write_slowed_video(source, video, plan.time_map, path, context)
    context.notice(_generation(is_copied))
    return StretchedSource(
        file=path.name,
        video=_stretched(video, plan.time_map, path),
        time_map=plan.time_map,
        engine=_engine(still, is_copied=is_copied),
    )


def without(spans: Iterable[Span], holes: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of spans outside of holes; both in order and apart."""
    cuts = sorted(holes)
    for start_s, end_s in spans:
        for hole_start_s, hole_end_s in cuts:
            if hole_end_s <= start_s or hole_start_s >= end_s:
                continue
            if hole_start_s > start_s:
                yield start_s, hole_start_s
            start_s = max(start_s, hole_end_s)
        if start_s < end_s:
            yield start_s, end_s


def _stretched(video: SourceVideo, time_map: TimeMap, path: Path) -> SourceVideo:
    n_frames = video.n_frames + time_map.n_added
    changes = {
        "sha256": hash_file(path),
        "duration_s": float(n_frames / Fraction(video.fps)),
        "n_frames": n_frames,
        "audio_codec": "flac",
        "audio_sample_rate_hz": 48_000,
        "audio_channels": 2,
        "subtitle_languages": (),
    }
    return video.model_copy(update=changes)


def _nothing_gained(still: list[Span]) -> str:
    if not still:
        return "--video-stretch: the picture nowhere stands still without a face: it keeps its times"
    return "--video-stretch: where lines are hurried the picture shows a face or moves: it keeps its times"


def _told(plan: StretchPlan, config: FitConfig) -> Iterator[str]:
    """Say by how much and where the picture is slowed, and what for."""
    time_map = plan.time_map
    fps = Fraction(time_map.fps)
    places = [
        f"{_clock(one.first_frame / fps)}–{_clock(one.stop_frame / fps)} by {float(one.n_added / fps):.2f} s"
        for one in time_map.slowed
    ]
    more = len(places) - _MOST_NAMED
    named = ", ".join(places[:_MOST_NAMED]) + (f" and {more} more, see the manifest" if more > 0 else "")
    fastest = [max(one.tempo for one in timing.placements) for timing in (plan.before, plan.after)]
    yield (
        f"still pictures are slowed so that lines are not hurried (at most {fastest[1]:.2f}× instead of "
        f"{fastest[0]:.2f}×): the output is {time_map.added_s:.2f} s longer than the source; {named}"
    )
    left_s = missing_s(plan.after, config)
    if left_s > 0:
        yield (
            f"{left_s:.2f} s would still be needed where the picture shows a face, moves, or lasts "
            f"{config.max_video_stretch:g} times as long already: lines there stay hurried"
        )


def _generation(is_copied: bool) -> str:
    if is_copied:
        return (
            "the slowed picture is the source's own, frames are only shown longer; its sound is encoded again"
        )
    return (
        "the source's packets have no times that can be changed: the slowed picture is encoded once more "
        f"(x264 CRF {CRF}, no eye tells it from the source), and so is its sound"
    )


def _engine(still: Stills, *, is_copied: bool) -> EngineInfo:
    import imageio_ffmpeg

    return EngineInfo(
        name="ffmpeg",
        version=imageio_ffmpeg.get_ffmpeg_version(),
        licence="GPL-2.0-or-later (a program of its own)",
        detail="picture copied with new times" if is_copied else f"picture encoded with x264, CRF {CRF}",
        components=still.engine.components,
    )


def _clock(seconds: Fraction) -> str:
    minutes, rest = divmod(float(seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
