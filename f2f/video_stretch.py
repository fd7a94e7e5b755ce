"""What the stages after synthesize take for the source: itself, or one whose still pictures were slowed.

Times are mapped here and nowhere else: those stages get a source, a transcript and a translation that agree
with each other, and need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from f2f.dubbed_lines import dubbed_lines
from f2f.fitting import plan_fit
from f2f.results import (
    LipSyncScore,
    ScoreCurve,
    SourceScore,
    Speech,
    Transcript,
    Translation,
    VideoScore,
)
from f2f.run import Run
from f2f.run_results import Shared
from f2f.stretch_planning import missing_s
from f2f.time_map import StretchedSource, TimeMap
from f2f.workspace import Stored


@dataclass(frozen=True)
class WorkingSource:
    """What stands for the source.

    Attributes:
        run: executes stages over it.
        shared: it and its transcript, in its times.
        translation: in its times.
        stretched: how it came about; None where it is the source itself.
    """

    run: Run
    shared: Shared
    translation: Stored[Translation]
    stretched: Stored[StretchedSource] | None = None

    def score(self, measured: Stored[SourceScore]) -> Stored[SourceScore]:
        """Return the source's own score at the times of this one."""
        if self.stretched is None:
            return measured
        time_map = self.stretched.result.time_map
        return measured.holding(
            measured.result.model_copy(update={"score": _moved_score(measured.result.score, time_map)})
        )


def working_source(
    run: Run, target: str, shared: Shared, translation: Stored[Translation], speech: Stored[Speech]
) -> WorkingSource:
    """Slow still pictures where the request allows it and lines would be hurried, else change nothing."""
    unchanged = WorkingSource(run, shared, translation)
    config, video = run.request.config.fit, shared.video
    if not config.video_stretch:
        return unchanged
    lines = dubbed_lines(translation.result, speech.result)
    if missing_s(plan_fit(lines, video.result.duration_s, config), config) <= 0:
        run.tell(
            target,
            f"--video-stretch: no line is hurried beyond {config.silent_tempo:g}×, all keeps its times",
        )
        return unchanged
    stretched = run.stretch(target, video, translation, speech, run.stills(video))
    if stretched.result.file is None:
        return unchanged
    request = replace(run.request, source=stretched.path(stretched.result.file))
    return WorkingSource(
        run=replace(run, request=request),
        shared=_moved(shared, stretched),
        translation=translation.holding(_moved_translation(translation.result, stretched.result.time_map)),
        stretched=stretched,
    )


def _moved(shared: Shared, stretched: Stored[StretchedSource]) -> Shared:
    video = replace(shared.video, result=stretched.result.video, digest=stretched.digest)
    transcript = shared.transcript.holding(
        _moved_transcript(shared.transcript.result, stretched.result.time_map)
    )
    return Shared(video, transcript)


def _moved_transcript(transcript: Transcript, time_map: TimeMap) -> Transcript:
    return transcript.model_copy(update={"segments": tuple(map(time_map.segment, transcript.segments))})


def _moved_translation(translation: Translation, time_map: TimeMap) -> Translation:
    segments = [
        one.model_copy(update={"segment": time_map.segment(one.segment)}) for one in translation.segments
    ]
    return translation.model_copy(update={"segments": tuple(segments)})


def _moved_score(score: VideoScore, time_map: TimeMap) -> VideoScore:
    curve = ScoreCurve(
        time_s=tuple(round(time_map.output_s(time_s), 3) for time_s in score.curve.time_s),
        lse_d=score.curve.lse_d,
        lse_c=score.curve.lse_c,
    )
    changes = {
        "whole": None if score.whole is None else _moved_stretch(score.whole, time_map),
        "stretches": tuple(_moved_stretch(one, time_map) for one in score.stretches),
        "curve": curve,
    }
    return score.model_copy(update=changes)


def _moved_stretch(score: LipSyncScore, time_map: TimeMap) -> LipSyncScore:
    times = {"start_s": time_map.output_s(score.start_s), "end_s": time_map.output_s(score.end_s)}
    return score.model_copy(update=times)
