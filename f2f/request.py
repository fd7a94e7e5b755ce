"""What a person asks for, and what they get: the two ends of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from f2f.config import Config


@dataclass(frozen=True)
class Request:
    """One run of ``f2f translate``: a video into one or more languages.

    Attributes:
        source: the input video.
        targets: BCP-47 codes of the languages to make, without duplicates.
        source_language: code of the spoken language, None lets the transcribing engine say.
        output_dir: existing or new folder for the outputs.
        workdir: folder for intermediate results; None takes ``.f2f`` inside ``output_dir``.
        config: everything that shapes the run.
        lipsync: False keeps the picture as it is and only dubs.
        force: overwrite outputs that f2f did not make, or that were edited since.
        until: stage after which to stop; None runs to the end.
        library: name of the library that the video belongs to, under which a runner files the run.
    """

    source: Path
    targets: tuple[str, ...]
    source_language: str | None = None
    output_dir: Path = Path()
    workdir: Path | None = None
    config: Config = field(default_factory=Config)
    lipsync: bool = True
    force: bool = False
    until: str | None = None
    library: str | None = None

    @property
    def workspace_root(self) -> Path:
        """Folder of everything stored for this source, ``<workdir>/<stem>``."""
        return (self.workdir or self.output_dir / ".f2f") / self.source.stem

    def output_path(self, target: str, suffix: str) -> Path:
        """Path of one output, for instance ``lecture.hi.mp4`` for ``("hi", ".mp4")``."""
        return self.output_dir / f"{self.source.stem}.{target}{suffix}"


@dataclass(frozen=True)
class Outputs:
    """The four files of one target language, all in place.

    Attributes:
        target_language: BCP-47 code.
        video: the translated video.
        subtitles: SRT in the target language.
        manifest: JSON that lists every segment, engine, licence and metric.
        report: HTML page for a person.
        reused: nothing had to be computed; every stage's result was stored already.
    """

    target_language: str
    video: Path
    subtitles: Path
    manifest: Path
    report: Path
    reused: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, the video first."""
        return (self.video, self.subtitles, self.manifest, self.report)

    @property
    def summary(self) -> str:
        """The outcome in a few words."""
        return self.video.name


@dataclass(frozen=True)
class Stopped:
    """A run of one target language that stopped where it was asked to; nothing is published.

    Attributes:
        target_language: BCP-47 code.
        stage: the last stage that ran.
        files: what a person may look at or edit, the table first.
        folder: where the stage's result lies.
        command: shell line that goes on.
    """

    target_language: str
    stage: str
    files: tuple[Path, ...]
    folder: Path
    command: str

    @property
    def summary(self) -> str:
        """The outcome in a few words."""
        return f"{self.target_language}: stopped after {self.stage}, as asked"


Outcome = Outputs | Stopped


OUTPUT_SUFFIXES = (".mp4", ".srt", ".json", ".html")
