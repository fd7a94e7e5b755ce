"""The order of the stages; no other file knows it.

probe → transcribe → (for each target language) translate → synthesize → fit → lipsync → mux
→ evaluate → report → publish
"""

from __future__ import annotations

from dataclasses import replace

from f2f.checked import checked
from f2f.errors import F2FError, StageError
from f2f.outputs import publish
from f2f.request import Outputs, Request
from f2f.results import ReportResult
from f2f.run import Run, Shared, TargetResults
from f2f.stage import Observer, SilentObserver
from f2f.stage_call import Execute, call_inline
from f2f.workspace import Stored, Workspace

SHARED_STAGES = ("probe", "transcribe")
TARGET_STAGES = ("translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")


def translate_video(
    request: Request, observer: Observer | None = None, execute: Execute = call_inline
) -> list[Outputs]:
    """Translate a video into every language of the request.

    Stored results are used wherever their inputs are unchanged. A language that fails does not stop the
    others; its error is raised when they are done.

    Args:
        request: what to do; a ``CheckedRequest`` is not checked again.
        observer: told of everything that happens.
        execute: carries out each stage; the hook by which ``flows`` makes tasks of them.

    Returns:
        One ``Outputs`` for each target language, in the request's order.

    Raises:
        PreflightError: something is wrong that can be known before the work; nothing was done.
        F2FError: a stage failed; what is finished is kept.
    """
    observer = observer or SilentObserver()
    request = checked(request)
    workspace = Workspace(request.workspace_root)
    with workspace.lock(observer):
        run = Run(request, workspace, observer, execute, request.device)
        shared = run_shared(run)
        done: list[Outputs] = []
        failed: list[F2FError] = []
        for target in request.targets:
            try:
                done.append(_translate_to(run, shared, target))
            except F2FError as error:
                failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise StageError("translate", "\n".join(map(str, failed)))
    return done


def run_shared(run: Run) -> Shared:
    """Run the stages that all target languages share."""
    video = run.probe()
    return Shared(video, run.transcribe(video))


def run_target(run: Run, shared: Shared, target: str) -> tuple[TargetResults, Stored[ReportResult]]:
    """Run the stages of one target language."""
    translation = run.translate(target, shared.transcript)
    speech = run.synthesize(target, shared, translation)
    fitted = run.fit(target, shared, translation, speech)
    lips = run.lipsync(target, shared, fitted)
    muxed = run.mux(target, shared, speech.result.as_said(translation.result), fitted, lips)
    evaluation = run.evaluate(target, run.evaluate_source(shared.video), muxed)
    results = TargetResults(target, translation, speech, fitted, lips, muxed, evaluation)
    return results, run.report(shared, results)


def _translate_to(run: Run, shared: Shared, target: str) -> Outputs:
    results, report = run_target(run, shared, target)
    files = {
        ".mp4": results.muxed.path(results.muxed.result.video),
        ".srt": report.path(report.result.subtitles),
        ".json": report.path(report.result.manifest),
        ".html": report.path(report.result.html),
    }
    outputs = publish(run.request, target, files)
    mine = [record for (_, of), record in run.records.items() if of in (None, target)]
    return replace(outputs, reused=all(record.reused for record in mine))
