"""Each stage bound to its inputs: what its result depends on, and how its function is called.

``f2f.pipeline`` knows the order; ``f2f.choices`` the engines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from f2f import choices
from f2f.config import EvaluateConfig, TranslateConfig
from f2f.hashes import FileHashes
from f2f.length_control import Pace
from f2f.manifest import Job
from f2f.options import repeat_command
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
from f2f.run_results import Shared, TargetResults
from f2f.speaking_rate import RATES_FILE, learn_takes, read_rates
from f2f.stage_call import StageCall, config_values, stage_version
from f2f.stretch_runner import StretchRunner
from f2f.takes import TakeMemory
from f2f.workspace import Stored, make_key

if TYPE_CHECKING:
    from f2f.library.voices import Person


@dataclass
class Run(StretchRunner):
    """One run over one source."""

    _translators: dict[tuple[str, str], choices.Pinned[TranslateConfig]] = field(
        default_factory=dict, init=False, repr=False
    )

    def probe(self) -> Stored[SourceVideo]:
        """Look into the source; its content is the key."""
        from f2f.stages.probe import probe

        source = self.request.source
        inputs = {"source": FileHashes(self.workspace.root).sha256(source)}
        stored = self._run("probe", None, SourceVideo, inputs, lambda context: probe(source, context))
        self.duration_s = stored.result.duration_s
        return stored

    def transcribe(self, video: Stored[SourceVideo]) -> Stored[Transcript]:
        """Write down what is said."""
        from f2f.stages.transcribe import transcribe

        source, language = self.request.source, self.request.source_language
        pinned = choices.pin_transcribe(self.request)
        self._tell(None, pinned)
        inputs = {"video": video.digest, "language": language, **pinned.key}
        return self._run(
            "transcribe", None, Transcript, inputs,
            lambda context: transcribe(source, video.result, language, pinned.config, context),
        )  # fmt: skip

    def translate(self, target: str, transcript: Stored[Transcript]) -> Stored[Translation]:
        """Say it in another language."""
        return self._execute(self._translation_call(target, transcript))

    def has_translation(self, target: str, transcript: Stored[Transcript]) -> bool:
        """Whether ``translate`` would find its result."""
        return self._translation_call(target, transcript).find() is not None

    def translation_scope(self, target: str, transcript: Stored[Transcript]) -> str:
        """Return a name for everything, beside the text, that a translation depends on."""
        pinned = self._pin_translate(transcript.result.language, target)
        return make_key("translate", stage_version("f2f.stages.translate"), {"target": target, **pinned.key})

    def _translation_call(self, target: str, transcript: Stored[Transcript]) -> StageCall[Translation]:
        from f2f.stages.translate import translate

        config = self.request.config
        pinned = self._pin_translate(transcript.result.language, target)
        # What was learnt of voices so far is no part of the key: a run stays what it was.
        limits = {"guard_s": config.fit.guard_s, "silent_tempo": config.fit.silent_tempo}
        rates = read_rates(self.workspace.root / RATES_FILE)
        pace = Pace(rates=rates, voice=config.synthesize.voice, **limits)
        inputs = {"transcript": transcript.digest, "target": target, "limits": limits, **pinned.key}
        return self._call(
            "translate", target, Translation, inputs,
            lambda context: translate(transcript.result, target, pinned.config, context, pace),
        )  # fmt: skip

    def _pin_translate(self, language: str, target: str) -> choices.Pinned[TranslateConfig]:
        """Choose once for each pair, when it is first wanted.

        Asking again might ask the hub again; asking for all languages at the start would not see the weights
        that the first of them fetches for all.
        """
        if (language, target) not in self._translators:
            pinned = choices.pin_translate(self.request, language, target)
            self._tell(target, pinned)
            self._translators[language, target] = pinned
        return self._translators[language, target]

    def synthesize(self, target: str, shared: Shared, translation: Stored[Translation]) -> Stored[Speech]:
        """Speak it. The source counts: its sound chooses the voice, or is the voice."""
        from f2f.library.casting import note_voices, voice_inputs
        from f2f.stages.synthesize import synthesize
        from f2f.take_making import SpeechLimits

        pinned = choices.pin_synthesize(self.request, target)
        self._tell(target, pinned)
        fit, path = self.request.config.fit, self.workspace.root / RATES_FILE
        room = {
            "guard_s": fit.guard_s,
            "silent_tempo": fit.silent_tempo,
            "min_tempo": fit.min_tempo,
            "video_duration_s": shared.video.result.duration_s,
        }
        limits = SpeechLimits(**room, rates=read_rates(path))
        people = self._find_people(target, shared, translation)
        inputs = {
            "video": shared.video.digest, "translation": translation.digest, "room": room, **pinned.key,
            **voice_inputs(people),
        }  # fmt: skip
        # Speakers are named by what was heard; a person's edits of it have takes of their own.
        heard = {"video": shared.video.digest, "heard": shared.transcript.key, "target": target, "room": room}
        version = stage_version("f2f.stages.synthesize")
        memory = TakeMemory(self.workspace.root, make_key("synthesize", version, {**heard, **pinned.key}))
        stored = self._run(
            "synthesize", target, Speech, inputs,
            lambda context: synthesize(
                translation.result, self.request.source, pinned.config, context, memory, limits, people
            ),
        )  # fmt: skip
        if not stored.reused:
            learn_takes(path, target, stored.result.takes)
        note_voices(self.request.config.synthesize.library_voices, target, stored.result)
        return stored

    def _find_people(
        self, target: str, shared: Shared, translation: Stored[Translation]
    ) -> dict[str | None, Person]:
        """Return who the speakers are in the library, where there is one."""
        from f2f.library.casting import SpokenSource, find_people

        path = self.request.config.synthesize.library_voices
        if path is None:
            return {}
        lecture = SpokenSource(
            self.request.source,
            [one.segment for one in translation.result.segments],
            shared.transcript.key,
            self.workspace.root,
            self.device,
        )
        return find_people(path, lecture, lambda line: self.tell(target, line))

    def fit(
        self, target: str, shared: Shared, translation: Stored[Translation], speech: Stored[Speech]
    ) -> Stored[FittedSpeech]:
        """Place it in time."""
        from f2f.stages.fit import fit

        config, duration_s = self.request.config.fit, shared.video.result.duration_s
        inputs = {
            "translation": translation.digest,
            "speech": speech.digest,
            "duration_s": duration_s,
            "config": config_values(config, without=("video_stretch", "max_video_stretch")),
        }
        return self._run(
            "fit", target, FittedSpeech, inputs,
            lambda context: fit(
                translation.result, speech.result, speech.folder, duration_s, config, context
            ),
        )  # fmt: skip

    def lipsync(self, target: str, shared: Shared, fitted: Stored[FittedSpeech]) -> Stored[LipSyncResult]:
        """Make the lips."""
        from f2f.stages.lipsync import lipsync

        pinned = choices.pin_lipsync(self.request, self.device)
        self._tell(target, pinned)
        video, transcript = shared.video, shared.transcript
        inputs = {
            "video": video.digest,
            "transcript": transcript.digest,
            "fitted": fitted.digest,
            **pinned.key,
        }
        return self._run(
            "lipsync", target, LipSyncResult, inputs,
            lambda context: lipsync(
                self.request.source, video.result, transcript.result,
                fitted.result, fitted.folder, pinned.config, context,
            ),
        )  # fmt: skip

    def mux(
        self,
        target: str,
        shared: Shared,
        said: Translation,
        fitted: Stored[FittedSpeech],
        lips: Stored[LipSyncResult],
    ) -> Stored[MuxResult]:
        """Write the video; its subtitles are what was said."""
        from f2f.stages.mux import MuxInputs, mux

        pinned = choices.pin_mux(self.request)
        self._tell(target, pinned)
        inputs = {
            "video": shared.video.digest,
            "transcript": shared.transcript.digest,
            "said": [(one.segment.id, one.text) for one in said.segments],
            "fitted": fitted.digest,
            "lips": lips.digest,
            **pinned.key,
        }
        material = MuxInputs(
            source=self.request.source,
            video=shared.video.result,
            transcript=shared.transcript.result,
            translation=said,
            fitted=fitted.result,
            fitted_folder=fitted.folder,
            lips=lips.result,
            lips_folder=lips.folder,
        )
        return self._run(
            "mux", target, MuxResult, inputs, lambda context: mux(material, pinned.config, context)
        )

    def evaluate_source(self, video: Stored[SourceVideo]) -> Stored[SourceScore]:
        """Measure the source."""
        from f2f.stages.evaluate import evaluate_source

        pinned = self._pin_evaluate()
        inputs = {"video": video.digest, **pinned.key}
        return self._run(
            "evaluate_source", None, SourceScore, inputs,
            lambda context: evaluate_source(self.request.source, pinned.config, context),
        )  # fmt: skip

    def evaluate(
        self, target: str, source: Stored[SourceScore], muxed: Stored[MuxResult]
    ) -> Stored[Evaluation]:
        """Measure the output."""
        from f2f.stages.evaluate import evaluate

        pinned, output = self._pin_evaluate(), muxed.path(muxed.result.video)
        inputs = {"source": source.digest, "output": muxed.digest, **pinned.key}
        return self._run(
            "evaluate", target, Evaluation, inputs,
            lambda context: evaluate(output, source.result, pinned.config, context),
        )  # fmt: skip

    def _pin_evaluate(self) -> choices.Pinned[EvaluateConfig]:
        pinned = choices.pin_evaluate(self.request, self.device)
        self._tell(None, pinned)
        return pinned

    def report(self, shared: Shared, results: TargetResults) -> Stored[ReportResult]:
        """Tell a person and a program."""
        from f2f.stages.report import report

        target, stored = results.target, [*vars(shared).values(), *vars(results).values()]
        command = repeat_command(self.request, target)
        inputs = {
            "results": [each.digest for each in stored if isinstance(each, Stored)],
            "name": self.request.source.name,
            "command": command,
        }
        job = self._job(shared, results, command)
        return self._run("report", target, ReportResult, inputs, lambda context: report(job, context))

    def _job(self, shared: Shared, results: TargetResults, command: str) -> Job:
        concerned = (None, results.target)
        return Job(
            source=self.request.source,
            output_name=self.request.output_path(results.target, ".mp4").name,
            video=shared.video.result,
            transcript=shared.transcript.result,
            translation=results.translation.result,
            speech=results.speech.result,
            fitted=results.fitted.result,
            lips=results.lips.result,
            lips_folder=results.lips.folder,
            muxed=results.muxed.result,
            muxed_folder=results.muxed.folder,
            evaluation=results.evaluation.result,
            stages=tuple(record for (_, target), record in self.records.items() if target in concerned),
            notices=tuple(dict.fromkeys(text for target, text in self.notices if target in concerned)),
            command=command,
            stretched=None if results.stretched is None else results.stretched.result,
            stretched_folder=None if results.stretched is None else results.stretched.folder,
        )
