"""report: the page for a person, the manifest for a program, the subtitles beside the video."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from f2f.manifest import Job, build_manifest
from f2f.report.page import render_page
from f2f.report.pictures import Moment, PicturePair, choose_moments, picture_pairs
from f2f.results import ReportResult
from f2f.stage import StageContext
from lipsync_core.errors import MediaError

VERSION = 4
_N_MOMENTS = 3


def report(job: Job, context: StageContext) -> ReportResult:
    """Write ``lecture.hi.html``, ``lecture.hi.json`` and ``lecture.hi.srt``, named like the video.

    Pictures come from the encoded output, so they show what a viewer sees.
    """
    stem = Path(job.output_name).stem
    html, manifest, subtitles = (f"{stem}{suffix}" for suffix in (".html", ".json", ".srt"))
    pairs: list[PicturePair] = []
    try:
        for pair in _pictures(job):
            pairs.append(pair)
            context.progress(len(pairs), None, "pictures")
    except MediaError as error:
        context.notice(f"the report lacks pictures: {error}")
    text = build_manifest(job).model_dump_json(indent=2)
    (context.folder / manifest).write_text(text + "\n", encoding="utf-8")
    (context.folder / html).write_text(render_page(job, pairs), encoding="utf-8")
    if job.muxed.target_subtitles is not None:
        shutil.copyfile(job.muxed_folder / job.muxed.target_subtitles, context.folder / subtitles)
    else:
        (context.folder / subtitles).touch()
    return ReportResult(html=html, manifest=manifest, subtitles=subtitles)


def _pictures(job: Job) -> Iterator[PicturePair]:
    video = job.working_video
    sample_aspect_ratio = Fraction(video.sample_aspect_ratio.replace(":", "/"))
    output = job.muxed_folder / job.muxed.video
    return picture_pairs(job.working_source, output, _moments(job), Fraction(video.fps), sample_aspect_ratio)


def _moments(job: Job) -> list[Moment]:
    """Return three frames with a generated face, or the middles of three segments where there is none."""
    from lipsync_core.inference import read_patches

    if job.lips.patches is not None:
        patches = read_patches(job.lips_folder / job.lips.patches)
        return choose_moments(((index, patch.box) for index, patch in patches), _N_MOMENTS)
    fps, last = Fraction(job.working_video.fps), job.working_video.n_frames - 1
    spoken = job.fitted.placements
    picks = sorted(
        {(2 * k + 1) * len(spoken) // (2 * _N_MOMENTS) for k in range(_N_MOMENTS)} if spoken else ()
    )
    middles = [(spoken[pick].start_s + spoken[pick].end_s) / 2 for pick in picks]
    return [Moment(min(last, int(middle_s * fps)), None) for middle_s in middles]
