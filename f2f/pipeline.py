"""The stages one after another; no other file runs them, and `stage_order` has their names.

probe → transcribe → (for each target language) translate → synthesize → fit → lipsync → mux
→ evaluate → report → publish; with ``--video-stretch`` stills and stretch come before fit where they help
"""

from __future__ import annotations

from dataclasses import replace

from f2f.checked import checked
from f2f.errors import F2FError, StageError, WorkersAwayError
from f2f.options import resume_command
from f2f.outputs import publish
from f2f.record import write_record
from f2f.request import Outcome, Outputs, Request, Stopped
from f2f.results import ReportResult, Translation
from f2f.review.files import review_paths
from f2f.review.reviewed import edit_transcript, refresh_tables, translate_reviewed
from f2f.run import Run
from f2f.run_results import Shared, StopRun, TargetResults
from f2f.stage import MapParts, Observer, SilentObserver
from f2f.stage_call import Execute, call_inline
from f2f.video_stretch import working_source
from f2f.workspace import Stored, Workspace


def translate_video(
    request: Request,
    observer: Observer | None = None,
    execute: Execute = call_inline,
    map_parts: MapParts | None = None,
) -> list[Outcome]:
    """Translate a video into every language of the request.

    Stored results are used wherever their inputs are unchanged. A language that fails does not stop the
    others; its error is raised when they are done. What a person edited (``f2f.review``) takes the place of
    what the stages made.

    Args:
        request: what to do; a ``CheckedRequest`` is not checked again.
        observer: told of everything that happens.
        execute: carries out each stage; the hook by which ``flows`` makes tasks of them.
        map_parts: makes the parts of the lips elsewhere, likewise.

    Returns:
        One ``Outputs`` for each target language, in the request's order; one ``Stopped`` where the request
        says to stop before the end.

    Raises:
        PreflightError: something is wrong that can be known before the work; nothing was done.
        WorkersAwayError: workers are to make the lips, and nobody here speaks with them; nothing was done.
        F2FError: a stage failed; what is finished is kept.
    """
    observer = observer or SilentObserver()
    workers = request.config.lipsync.workers
    if workers is not None and map_parts is None:
        raise WorkersAwayError(
            f"lipsync.dask {workers} needs a Prefect server, which shows the parts: "
            "start f2f ui, or leave --dask out"
        )
    ready = checked(request)
    workspace = Workspace(ready.workspace_root)
    with workspace.lock(observer):
        write_record(ready)
        run = Run(ready, workspace, observer, execute, ready.device, map_parts=map_parts)
        try:
            shared = run_shared(run)
        except StopRun as stop:
            return [_stopped(run, target, stop) for target in ready.targets]
        done: list[Outcome] = []
        failed: list[F2FError] = []
        for target in ready.targets:
            try:
                done.append(_translate_to(run, shared, target))
            except StopRun as stop:
                done.append(_stopped(run, target, stop))
            except F2FError as error:
                failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise StageError("translate", "\n".join(map(str, failed)))
    return done


def run_shared(run: Run) -> Shared:
    """Run the stages that all target languages share."""
    video = run.stop_after(run.probe())
    return Shared(video, run.stop_after(run.transcribe(video)))


def run_target(run: Run, shared: Shared, target: str) -> tuple[TargetResults, Stored[ReportResult]]:
    """Run the stages of one target language."""
    return _run_from_speech(run, target, *translate_reviewed(run, shared, target))


def _run_from_speech(
    run: Run, target: str, shared: Shared, translation: Stored[Translation]
) -> tuple[TargetResults, Stored[ReportResult]]:
    run.stop_after(translation)
    speech = run.stop_after(run.synthesize(target, shared, translation))
    work = working_source(run, target, shared, translation, speech)
    fitted = run.stop_after(run.fit(target, work.shared, work.translation, speech))
    lips = run.stop_after(work.run.lipsync(target, work.shared, fitted))
    said = speech.result.as_said(work.translation.result)
    muxed = run.stop_after(work.run.mux(target, work.shared, said, fitted, lips))
    score = work.score(run.evaluate_source(shared.video))
    evaluation = run.stop_after(run.evaluate(target, score, muxed))
    results = TargetResults(target, translation, speech, fitted, lips, muxed, evaluation, work.stretched)
    return results, run.report(shared, results)


def _translate_to(run: Run, shared: Shared, target: str) -> Outputs:
    shared, translation = translate_reviewed(run, shared, target)
    refresh_tables(run, target, shared.transcript, translation)
    results, report = _run_from_speech(run, target, shared, translation)
    files = {
        ".mp4": results.muxed.path(results.muxed.result.video),
        ".srt": report.path(report.result.subtitles),
        ".json": report.path(report.result.manifest),
        ".html": report.path(report.result.html),
    }
    outputs = publish(run.request, target, files)
    mine = [record for (_, of), record in run.records.items() if of in (None, target)]
    return replace(outputs, reused=all(record.reused for record in mine))


def _stopped(run: Run, target: str, stop: StopRun) -> Stopped:
    request, stage = run.request, stop.stored.stage
    if stage == "transcribe":
        refresh_tables(run, target, edit_transcript(run, stop.stored, target)[0], None)
    tables = () if stage == "probe" else review_paths(request, target)
    return Stopped(target, stage, tables, stop.stored.folder, resume_command(request, target))
