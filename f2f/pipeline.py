"""The order of the stages, and what each one's result depends on. No other file knows either.

probe → transcribe → (for each target language) translate → synthesize → fit → lipsync → mux
→ evaluate → report → publish
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from f2f import choices
from f2f.config import EvaluateConfig
from f2f.errors import F2FError, StageError
from f2f.hashes import FileHashes
from f2f.manifest import Job, StageRecord
from f2f.options import repeat_command
from f2f.outputs import publish
from f2f.request import Outputs, Request
from f2f.results import (
    Evaluation,
    FittedSpeech,
    LipSyncResult,
    MuxResult,
    ReportResult,
    SourceScore,
    SourceVideo,
    Speech,
    Transcript,
    Translation,
)
from f2f.stage import Observer, SilentObserver, StageContext
from f2f.stage_call import Execute, R, StageCall, call_inline, config_values, stage_version
from f2f.workspace import Stored, Workspace

SHARED_STAGES = ("probe", "transcribe")
TARGET_STAGES = ("translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
_MODULES = {"evaluate_source": "evaluate"}


def translate_video(
    request: Request, observer: Observer | None = None, execute: Execute = call_inline
) -> list[Outputs]:
    """Translate a video into every language of the request.

    Stored results are used wherever their inputs are unchanged. A language that fails does not stop the
    others; its error is raised when they are done.

    Args:
        request: what to do.
        observer: told of everything that happens.
        execute: carries out each stage; the hook by which ``flows`` makes tasks of them.

    Returns:
        One ``Outputs`` for each target language, in the request's order.

    Raises:
        PreflightError: something is wrong that can be known before the work; nothing was done.
        F2FError: a stage failed; what is finished is kept.
    """
    from f2f.preflight import check

    observer = observer or SilentObserver()
    device = check(request)
    workspace = Workspace(request.workspace_root)
    with workspace.lock(observer):
        run = Run(request, workspace, observer, execute, device)
        run.prepare()
        done: list[Outputs] = []
        failed: list[F2FError] = []
        for target in request.targets:
            try:
                done.append(run.translate_to(target))
            except F2FError as error:
                failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise StageError("translate", "\n".join(map(str, failed)))
    return done


@dataclass
class Run:
    """One run over one source: binds each stage to its inputs and has it executed.

    Attributes:
        request: what was asked for.
        workspace: where results are kept; locked by the caller.
        observer: told of everything.
        execute: carries out a stage call.
        device: resolved device.
        notices: everything a person was told, for report and manifest.
    """

    request: Request
    workspace: Workspace
    observer: Observer
    execute: Execute
    device: str
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hashes = FileHashes(self.workspace.root)
        self.shared: list[Stored[Any]] = []
        self.records: dict[tuple[str, str | None], StageRecord] = {}

    def prepare(self) -> None:
        """Run the stages that all target languages share."""
        from f2f.stages.probe import probe
        from f2f.stages.transcribe import transcribe

        request, source = self.request, self.request.source
        inputs: dict[str, Any] = {"source": self.hashes.sha256(source)}
        self.video = self._run("probe", None, SourceVideo, inputs, lambda context: probe(source, context))
        pinned = choices.pin_transcribe(request)
        self._tell(pinned.notice)
        inputs = {"video": self.video.digest, "language": request.source_language, **pinned.key}
        self.transcript = self._run(
            "transcribe",
            None,
            Transcript,
            inputs,
            lambda context: transcribe(
                source, self.video.result, request.source_language, pinned.config, context
            ),
        )
        self.shared = [self.video, self.transcript]

    def translate_to(self, target: str) -> Outputs:
        """Run the stages of one target language and put the outputs in place."""
        results = self.results_for(target)
        muxed, report = results[-3], results[-1]
        files = {
            ".mp4": muxed.path(muxed.result.video),
            ".srt": report.path(report.result.subtitles),
            ".json": report.path(report.result.manifest),
            ".html": report.path(report.result.html),
        }
        outputs = publish(self.request, target, files)
        return replace(outputs, reused=all(each.reused for each in [*self.shared, *results]))

    def results_for(self, target: str) -> list[Stored[Any]]:
        """Run the stages of one target language and return their results in order."""
        translation = self._translate(target)
        speech = self._synthesize(target, translation)
        fitted = self._fit(target, translation, speech)
        lips = self._lipsync(target, fitted)
        muxed = self._mux(target, translation, fitted, lips)
        evaluation = self._evaluate(target, muxed)
        results: list[Stored[Any]] = [translation, speech, fitted, lips, muxed, evaluation]
        return [*results, self._report(target, results)]

    def _translate(self, target: str) -> Stored[Translation]:
        from f2f.stages.translate import translate

        transcript = self.transcript.result
        pinned = choices.pin_translate(self.request, transcript.language, target)
        self._tell(pinned.notice)
        inputs = {"transcript": self.transcript.digest, "target": target, **pinned.key}
        return self._run(
            "translate", target, Translation, inputs,
            lambda context: translate(transcript, target, pinned.config, context),
        )  # fmt: skip

    def _synthesize(self, target: str, translation: Stored[Translation]) -> Stored[Speech]:
        from f2f.stages.synthesize import synthesize

        pinned = choices.pin_synthesize(self.request, target)
        self._tell(pinned.notice)
        inputs = {"video": self.video.digest, "translation": translation.digest, **pinned.key}
        return self._run(
            "synthesize", target, Speech, inputs,
            lambda context: synthesize(translation.result, self.request.source, pinned.config, context),
        )  # fmt: skip

    def _fit(
        self, target: str, translation: Stored[Translation], speech: Stored[Speech]
    ) -> Stored[FittedSpeech]:
        from f2f.stages.fit import fit

        config, duration_s = self.request.config.fit, self.video.result.duration_s
        inputs = {
            "translation": translation.digest,
            "speech": speech.digest,
            "duration_s": duration_s,
            "config": config_values(config),
        }
        return self._run(
            "fit", target, FittedSpeech, inputs,
            lambda context: fit(
                translation.result, speech.result, speech.folder, duration_s, config, context
            ),
        )  # fmt: skip

    def _lipsync(self, target: str, fitted: Stored[FittedSpeech]) -> Stored[LipSyncResult]:
        from f2f.stages.lipsync import lipsync

        pinned = choices.pin_lipsync(self.request, self.device)
        self._tell(pinned.notice)
        inputs = {
            "video": self.video.digest,
            "transcript": self.transcript.digest,
            "fitted": fitted.digest,
            **pinned.key,
        }
        return self._run(
            "lipsync", target, LipSyncResult, inputs,
            lambda context: lipsync(
                self.request.source, self.video.result, self.transcript.result,
                fitted.result, fitted.folder, pinned.config, context,
            ),
        )  # fmt: skip

    def _mux(
        self,
        target: str,
        translation: Stored[Translation],
        fitted: Stored[FittedSpeech],
        lips: Stored[LipSyncResult],
    ) -> Stored[MuxResult]:
        from f2f.stages.mux import MuxInputs, mux

        config = self.request.config.mux
        inputs = {
            "video": self.video.digest,
            "transcript": self.transcript.digest,
            "translation": translation.digest,
            "fitted": fitted.digest,
            "lips": lips.digest,
            "config": config_values(config),
        }
        material = MuxInputs(
            source=self.request.source,
            video=self.video.result,
            transcript=self.transcript.result,
            translation=translation.result,
            fitted=fitted.result,
            fitted_folder=fitted.folder,
            lips=lips.result,
            lips_folder=lips.folder,
        )
        return self._run("mux", target, MuxResult, inputs, lambda context: mux(material, config, context))

    def evaluate_source(self) -> Stored[SourceScore]:
        """Measure the source; all target languages share the result."""
        from f2f.stages.evaluate import evaluate_source

        pinned = self._pin_evaluate()
        inputs = {"video": self.video.digest, **pinned.key}
        return self._run(
            "evaluate_source", None, SourceScore, inputs,
            lambda context: evaluate_source(self.request.source, pinned.config, context),
        )  # fmt: skip

    def _evaluate(self, target: str, muxed: Stored[MuxResult]) -> Stored[Evaluation]:
        from f2f.stages.evaluate import evaluate

        source, pinned = self.evaluate_source(), self._pin_evaluate()
        output = muxed.path(muxed.result.video)
        inputs = {"source": source.digest, "output": muxed.digest, **pinned.key}
        return self._run(
            "evaluate", target, Evaluation, inputs,
            lambda context: evaluate(output, source.result, pinned.config, context),
        )  # fmt: skip

    def _pin_evaluate(self) -> choices.Pinned[EvaluateConfig]:
        pinned = choices.pin_evaluate(self.request, self.device)
        self._tell(pinned.notice)
        return pinned

    def _report(self, target: str, results: Sequence[Stored[Any]]) -> Stored[ReportResult]:
        from f2f.stages.report import report

        digests = [each.digest for each in [*self.shared, *results]]
        inputs = {"results": digests, "name": self.request.source.name}
        job = self._job(target, results)
        return self._run("report", target, ReportResult, inputs, lambda context: report(job, context))

    def _job(self, target: str, results: Sequence[Stored[Any]]) -> Job:
        translation, speech, fitted, lips, muxed, evaluation = results
        return Job(
            source=self.request.source,
            output_name=self.request.output_path(target, ".mp4").name,
            video=self.video.result,
            transcript=self.transcript.result,
            translation=translation.result,
            speech=speech.result,
            fitted=fitted.result,
            lips=lips.result,
            lips_folder=lips.folder,
            muxed=muxed.result,
            muxed_folder=muxed.folder,
            evaluation=evaluation.result,
            stages=tuple(record for (_, of), record in self.records.items() if of in (None, target)),
            notices=tuple(dict.fromkeys(self.notices)),
            command=repeat_command(self.request, target),
        )

    def _run(
        self,
        stage: str,
        target: str | None,
        kind: type[R],
        inputs: Mapping[str, Any],
        work: Callable[[StageContext], R],
    ) -> Stored[R]:
        """Have one stage executed and remember what it told."""
        name = self.request.source.stem
        call = StageCall(
            stage=stage,
            target_language=target,
            description=f"{stage} {name}" + (f" to {target}" if target else ""),
            kind=kind,
            version=stage_version(f"f2f.stages.{_MODULES.get(stage, stage)}"),
            inputs=inputs,
            work=work,
            workspace=self.workspace,
            observer=self.observer,
            device=self.device,
        )
        stored = self.execute(call)
        self.notices += stored.notices
        self.records[stage, target] = StageRecord(
            stage=stage, seconds=stored.seconds, reused=stored.reused, engine=stored.engine
        )
        return stored

    def _tell(self, notice: str | None) -> None:
        if notice is not None:
            self.notices.append(notice)
            self.observer.notice(notice)
