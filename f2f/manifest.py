"""The manifest, ``lecture.hi.json``: everything that was done to a video, for a program to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from f2f.engines.status import package_version
from f2f.languages import parse_language
from f2f.licences_used import LicenceEntry, licences_used
from f2f.results import (
    EngineInfo,
    Evaluation,
    FaceStretch,
    FittedSpeech,
    LibraryVoice,
    LipRuntime,
    LipSyncResult,
    MuxResult,
    Placement,
    Result,
    Segment,
    SoundMix,
    SourceVideo,
    Speech,
    Transcript,
    TranslatedSegment,
    Translation,
)
from f2f.stretch_entry import VideoStretchEntry, stretch_entry
from f2f.time_map import StretchedSource

if TYPE_CHECKING:
    from f2f.workspace import Stored

FORMAT = "f2f-manifest/1"


class StageRecord(Result):
    """One stage of a run as it went."""

    stage: str
    seconds: float
    """Time of the work itself; for a reused result the time it once took."""
    reused: bool
    engine: EngineInfo | None = None
    peak_memory_mib: float | None = None
    """As ``f2f.peak_memory`` measures it, when the work was done; None where it was not measured."""
    real_time_factor: float | None = None
    """``seconds`` for each second of the source, in manifests; below 1 is faster than the video plays."""

    @classmethod
    def of(cls, stored: Stored[Any]) -> StageRecord:
        """Return the record of a stage's result."""
        return cls(
            stage=stored.stage,
            seconds=stored.seconds,
            reused=stored.reused,
            engine=stored.engine,
            peak_memory_mib=stored.peak_memory_mib,
        )

    def beside(self, duration_s: float) -> StageRecord:
        """Return the record with its real-time factor for a source of this length."""
        return self.model_copy(update={"real_time_factor": round(self.seconds / duration_s, 4)})


@dataclass(frozen=True)
class Job:
    """Everything known of one finished translation; what manifest and report are made of.

    Attributes:
        source: the input file.
        output_name: file name the finished video gets, beside which manifest and report will lie.
        lips_folder: where ``lips.patches`` lies.
        muxed_folder: where ``muxed.video`` and its subtitles lie.
        stretched: the source with slowed pictures on which the stages after synthesize worked; None where
            they worked on the source.
        stretched_folder: where ``stretched.file`` lies.
        stages: in the order in which they ran, without ``report`` itself.
        notices: what the run told a person, in order; repeated lines are shown once.
        command: shell line that repeats the run.
    """

    source: Path
    output_name: str
    video: SourceVideo
    transcript: Transcript
    translation: Translation
    speech: Speech
    fitted: FittedSpeech
    lips: LipSyncResult
    muxed: MuxResult
    evaluation: Evaluation
    lips_folder: Path
    muxed_folder: Path
    stages: tuple[StageRecord, ...] = ()
    notices: tuple[str, ...] = ()
    command: str = ""
    stretched: StretchedSource | None = None
    stretched_folder: Path | None = None

    @property
    def working_source(self) -> Path:
        """The file whose frames the output has."""
        if self.stretched is None or self.stretched.file is None or self.stretched_folder is None:
            return self.source
        return self.stretched_folder / self.stretched.file

    @property
    def working_video(self) -> SourceVideo:
        """What `working_source` holds."""
        return self.video if self.stretched is None else self.stretched.video


class SegmentEntry(Result):
    """One segment with all that happened to it."""

    id: int
    source_start_s: float
    source_end_s: float
    source_text: str
    target_text: str
    """What was said; where nothing was, the translation."""
    speaker: str | None
    voice: str | None
    """None when nothing was said for this segment."""
    fit: Placement | None
    alternatives: tuple[str, ...] = ()
    """Other translations, best first."""
    problems: tuple[str, ...] = ()
    """Of the translation, one phrase each."""
    by_context: bool = False
    """Without the sentences before it, the model's choice would have been another wording."""
    confidence: float | None = None
    """Of the recogniser, 0…1; None where captions gave the text."""
    edited: tuple[str, ...] = ()
    """What a person changed in it: ``text``, ``source``, ``times``, ``speaker``, ``voice`` …"""
    native_rate: float = 1.0
    """Rate at which the voice itself spoke, before any stretch; 1 is its usual one."""
    tries: int = 0
    """How often it was said until the take that is heard; 0 when it was not."""


class VoicesEntry(Result):
    """On whose word whose voices were cloned."""

    consent: bool
    """The user stated, by ``--i-have-consent`` or ``synthesize.consent``, that the speakers agree."""
    cloned: tuple[str, ...]
    """Speakers whose own voices are heard; all others have stock voices."""
    library: tuple[LibraryVoice, ...] = ()
    """Speakers who are known in the library."""


class SourceEntry(SourceVideo):
    """The input with its name."""

    name: str
    language: str


class LipsEntry(Result):
    """What happened to the faces."""

    engine: EngineInfo
    n_frames: int
    n_synced: int
    stretches: tuple[FaceStretch, ...]
    runtime: LipRuntime | None = None


class OutputEntry(Result):
    """The finished video."""

    name: str
    language: str
    duration_s: float
    n_frames: int
    size_bytes: int
    overflow_s: float
    sound: SoundMix | None = None


class Manifest(Result):
    """Content of the manifest file."""

    format: str
    f2f_version: str
    synthetic: bool
    statement: str
    source: SourceEntry
    output: OutputEntry
    command: str
    segments: tuple[SegmentEntry, ...]
    voices: VoicesEntry
    lips: LipsEntry
    metrics: Evaluation
    stages: tuple[StageRecord, ...]
    licences: tuple[LicenceEntry, ...]
    """Of everything that was used, in the order of the stages."""
    warnings: tuple[str, ...]
    notices: tuple[str, ...]
    video_stretch: VideoStretchEntry | None = None
    """Where the picture was slowed; not in the file where it was not."""

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if self.video_stretch is None:
            del values["video_stretch"]
        return values


def synthetic_statement(source_language: str, target_language: str, *, lips: bool) -> str:
    """Return the sentence that every output carries, in its metadata, manifest and report."""
    what = "voice and the lip movements in this video were" if lips else "voice in this video was"
    languages = f"from {parse_language(source_language).name} to {parse_language(target_language).name}"
    return (
        f"Synthetic media: the {what} made by AI, a translation {languages} by f2f {package_version('f2f')}. "
        "The speaker never said these words."
    )


def build_manifest(job: Job) -> Manifest:
    """Gather the results of all stages."""
    source_language, target_language = job.transcript.language, job.translation.target_language
    return Manifest(
        format=FORMAT,
        f2f_version=package_version("f2f"),
        synthetic=True,
        statement=synthetic_statement(source_language, target_language, lips=job.lips.patches is not None),
        source=SourceEntry(name=job.source.name, language=source_language, **job.video.model_dump()),
        output=OutputEntry(
            name=job.output_name,
            language=target_language,
            duration_s=job.muxed.duration_s,
            n_frames=job.muxed.n_frames,
            size_bytes=job.muxed.size_bytes,
            overflow_s=job.fitted.overflow_s,
            sound=job.muxed.sound,
        ),
        command=job.command,
        segments=tuple(segment_entries(job)),
        voices=VoicesEntry(consent=job.speech.consent, cloned=job.speech.cloned, library=job.speech.library),
        lips=LipsEntry(
            engine=job.lips.engine,
            n_frames=job.lips.n_frames,
            n_synced=job.lips.n_synced,
            stretches=job.lips.stretches,
            runtime=job.lips.runtime,
        ),
        metrics=job.evaluation,
        stages=tuple(record.beside(job.video.duration_s) for record in job.stages),
        licences=licences_used(job),
        warnings=all_warnings(job),
        notices=all_notices(job),
        video_stretch=None if job.stretched is None else stretch_entry(job.stretched),
    )


def segment_entries(job: Job) -> list[SegmentEntry]:
    """Join transcript, translation, takes and placements by segment id, in source order."""
    said = job.speech.as_said(job.translation)
    translated: dict[int, TranslatedSegment] = {entry.segment.id: entry for entry in said.segments}
    segments: dict[int, Segment] = {segment.id: segment for segment in job.transcript.segments}
    segments.update({entry.segment.id: entry.segment for entry in job.translation.segments})
    takes = {take.segment_id: take for take in job.speech.takes}
    placements = {placement.segment_id: placement for placement in job.fitted.placements}
    return [
        SegmentEntry(
            id=segment.id,
            source_start_s=segment.start_s,
            source_end_s=segment.end_s,
            source_text=segment.text,
            target_text=translated[segment.id].text if segment.id in translated else "",
            speaker=segment.speaker,
            voice=takes[segment.id].voice if segment.id in takes else None,
            fit=placements.get(segment.id),
            alternatives=translated[segment.id].alternatives if segment.id in translated else (),
            problems=translated[segment.id].problems if segment.id in translated else (),
            by_context=segment.id in translated and translated[segment.id].by_context,
            confidence=segment.confidence,
            edited=translated[segment.id].edited if segment.id in translated else (),
            native_rate=takes[segment.id].native_rate if segment.id in takes else 1.0,
            tries=takes[segment.id].tries if segment.id in takes else 0,
        )
        for segment in sorted(segments.values(), key=lambda segment: (segment.start_s, segment.id))
    ]


def all_warnings(job: Job) -> tuple[str, ...]:
    """Everything that did not go as well as it should, once each."""
    return tuple(dict.fromkeys((*job.speech.problems, *job.fitted.warnings, *job.lips.warnings)))


def all_notices(job: Job) -> tuple[str, ...]:
    """What a person must know of engines and choices, once each, without the warnings."""
    engines = (job.transcript, job.translation, job.speech, job.lips, job.muxed, job.evaluation)
    lines = [*job.notices, *(stage.engine.notice for stage in engines if stage.engine.notice)]
    warnings = set(all_warnings(job))
    said = [line for line in dict.fromkeys(lines) if line not in warnings]
    # A choice says more than its engine: "a robotic voice (coqui: not installed)", "a robotic voice".
    return tuple(line for line in said if not any(other != line and other.startswith(line) for other in said))
