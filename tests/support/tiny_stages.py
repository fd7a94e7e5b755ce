"""Stages that take no time, to test order and reuse; each run of one is written down in ``ran``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.engines.speech import SpeakerProfile
from f2f.engines.status import Choice, EngineStatus
from f2f.errors import UsageError
from f2f.length_control import Pace
from f2f.manifest import Job, build_manifest
from f2f.request import Request
from f2f.results import (
    EngineInfo,
    Evaluation,
    FittedSpeech,
    LipSyncResult,
    MuxResult,
    Placement,
    ReportResult,
    Segment,
    SourceScore,
    SourceVideo,
    Speech,
    Take,
    Transcript,
    TranslatedSegment,
    Translation,
    VideoScore,
)
from f2f.stage import StageContext
from f2f.take_making import MadeTake
from f2f.takes import TakeMemory

if TYPE_CHECKING:
    import pytest

SCORE = VideoScore(whole=None, reason="tiny")


def engine(name: str) -> EngineInfo:
    return EngineInfo(name=name, version="1", licence="MIT")


@dataclass
class TinyStages:
    """The stages and their memory.

    Attributes:
        ran: stages in the order they worked.
        chosen: stages whose engine was chosen, each time.
        identity: what each stage's weights are called.
        jobs: what reports were made of.
        lines: what is heard, as (start_s, end_s, text).
        translated: texts that were translated.
        said: texts that were spoken.
        voice_engine: what speaks.
        paces: what was known of the dub's pace at each translation.
    """

    ran: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    lines: list[tuple[float, float, str]] = field(default_factory=lambda: [(0.0, 1.0, "hello")])
    translated: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    voice_engine: str = "espeak"

    def clear(self) -> None:
        """Forget what ran."""
        for memory in (self.ran, self.chosen, self.translated, self.said):
            memory.clear()

    def plan(self, stage: str) -> Any:
        def plan(*args: Any) -> Choice:
            self.chosen.append(stage)
            names = {"lipsync": "embedded", "evaluate": "embedded", "synthesize": "espeak", "mux": "duck"}
            name = names.get(stage, "captions")
            if stage == "lipsync" and args[0].engine == "none":
                name = "none"
            status = EngineStatus(name, ready=True, reason="tiny")
            return Choice(name, self.identity.get(stage, "weights 1"), (status,), f"{stage} is tiny")

        return plan

    def probe(self, source: Path, context: StageContext) -> SourceVideo:
        self.ran.append("probe")
        return SourceVideo(
            sha256="0", duration_s=max(2, self.lines[-1][1]), width=64, height=48, sample_aspect_ratio="1:1",
            fps="25/1", n_frames=50, audio_codec="aac", audio_sample_rate_hz=16000, audio_channels=1,
        )  # fmt: skip

    def transcribe(self, source: Path, video: SourceVideo, language: str | None, *rest: Any) -> Transcript:
        self.ran.append("transcribe")
        segments = [
            Segment(id=number, start_s=start_s, end_s=end_s, text=text)
            for number, (start_s, end_s, text) in enumerate(self.lines, start=1)
        ]
        return Transcript(language=language or "en", segments=tuple(segments), engine=engine("captions"))

    def translate(
        self, transcript: Transcript, target: str, config: Any, context: StageContext, pace: Pace
    ) -> Translation:
        self.ran.append(f"translate {target}")
        self.paces.append(pace)
        context.notice("one segment has no translation")
        wanted = [one for one in transcript.segments if one.keep_original is None]
        self.translated += [one.text for one in wanted]
        segments = [
            TranslatedSegment(segment=one, text=f"{one.text} in {target}" if one in wanted else "")
            for one in transcript.segments
        ]
        return Translation(
            source_language="en", target_language=target, segments=tuple(segments), engine=engine("captions")
        )

    def synthesize(
        self,
        translation: Translation,
        source: Path,
        config: Any,
        context: StageContext,
        memory: TakeMemory,
        *rest: Any,
    ) -> Speech:
        self.ran.append(f"synthesize {translation.target_language}")
        if config.voice == "nobody" or any(one.voice == "nobody" for one in translation.segments):
            raise UsageError("no voice 'nobody'; allowed: tiny, other")
        takes = []
        for number, one in enumerate(translation.segments, start=1):
            if one.text:
                takes.append(self._say(one, context.folder / f"{number:04d}.wav", memory))
        return Speech(takes=tuple(takes), engine=engine(self.voice_engine))

    def _say(self, one: TranslatedSegment, wav: Path, memory: TakeMemory) -> Take:
        voice = one.voice or "tiny"
        key = memory.key(one, voice, SpeakerProfile(voice=one.voice, take=one.take), 1.0)
        made = memory.find(key, wav, one.segment.id)
        if made is None:
            self.said.append(one.text)
            wav.write_text(one.text if one.voice is None else f"{one.text} by {one.voice}")
            take = Take(
                segment_id=one.segment.id, wav=wav.name, duration_s=1, sample_rate_hz=16000, voice=voice,
                text=one.text,
            )  # fmt: skip
            made = MadeTake(take, ())
            memory.keep(key, wav, made)
        return made.take

    def fit(
        self, translation: Translation, speech: Speech, folder: Path, duration_s: float, *rest: Any
    ) -> Any:
        self.ran.append(f"fit {translation.target_language}")
        said = " | ".join((folder / take.wav).read_text() for take in speech.takes)
        rest[-1].folder.joinpath("speech.wav").write_text(said)
        starts_s = {one.segment.id: one.segment.start_s for one in translation.segments}
        placements = [
            Placement(segment_id=id_, start_s=start_s, end_s=start_s + 1, slot_end_s=start_s + 1.9, tempo=1)
            for id_, start_s in starts_s.items()
            if id_ in {take.segment_id for take in speech.takes}
        ]
        return FittedSpeech(
            wav="speech.wav",
            sample_rate_hz=48000,
            duration_s=duration_s,
            overflow_s=0,
            placements=tuple(placements),
        )

    def lipsync(self, source: Path, video: SourceVideo, *rest: Any) -> LipSyncResult:
        config = rest[-2]
        self.ran.append(f"lipsync {config.engine}")
        return LipSyncResult(
            patches=None, n_frames=50, n_synced=0, stretches=(), engine=engine(config.engine)
        )

    def mux(self, inputs: Any, config: Any, context: StageContext) -> MuxResult:
        target = inputs.translation.target_language
        self.ran.append(f"mux {target}")
        content = (inputs.fitted_folder / inputs.fitted.wav).read_text()
        (context.folder / "video.mp4").write_text(f"{content} crf {config.crf}")
        return MuxResult(video="video.mp4", n_frames=50, duration_s=2, size_bytes=1, engine=engine("ffmpeg"))

    def evaluate_source(self, source: Path, config: Any, context: StageContext) -> SourceScore:
        self.ran.append("evaluate_source")
        return SourceScore(score=SCORE, engine=engine("embedded"))

    def evaluate(self, output: Path, source: SourceScore, config: Any, context: StageContext) -> Evaluation:
        self.ran.append("evaluate")
        assert output.is_file()
        return Evaluation(source=source.score, output=SCORE, engine=engine("embedded"))

    def report(self, job: Job, context: StageContext) -> ReportResult:
        self.ran.append("report")
        self.jobs.append(job)
        for suffix in ("html", "srt"):
            (context.folder / f"page.{suffix}").write_text(f"{suffix} of {job.output_name}")
        (context.folder / "page.json").write_text(build_manifest(job).model_dump_json())
        return ReportResult(html="page.html", manifest="page.json", subtitles="page.srt")


def install(monkeypatch: pytest.MonkeyPatch) -> TinyStages:
    """Replace every stage and its plan; the checks before the work find nothing wrong."""
    tiny = TinyStages()
    names = ("probe", "transcribe", "translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
    for name in names:
        monkeypatch.setattr(f"f2f.stages.{name}.{name}", getattr(tiny, name))
    monkeypatch.setattr("f2f.stages.evaluate.evaluate_source", tiny.evaluate_source)
    for name in ("transcribe", "translate", "synthesize", "lipsync", "mux", "evaluate"):
        monkeypatch.setattr(f"f2f.stages.{name}.plan", tiny.plan(name))
    monkeypatch.setattr("f2f.preflight.check", lambda request: "cpu")
    return tiny


def request_for(folder: Path, *targets: str, **fields: Any) -> Request:
    source = folder / "lecture.mp4"
    if not source.exists():
        source.write_bytes(b"a film")
    return Request(source, targets or ("hi",), output_dir=folder, **fields)
