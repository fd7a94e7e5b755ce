"""What became of a lecture: ``status.json`` in its workspace, written by whoever holds the lease."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from f2f.library.iso_time import IsoTime
from f2f.workspace import write_atomically

STATUS_NAME = "status.json"

MAX_FAILURES = 100

State = Literal["done", "failed", "quarantined"]


class _Record(BaseModel):
    # A later version may say more; what it says is not lost on this one's readers.
    model_config = ConfigDict(frozen=True, extra="allow")


class SourceFingerprint(_Record):
    """By which a changed video is known.

    Attributes:
        size: bytes.
        mtime_ns: time stamp.
        sha256: as of the last run; empty if it could not be read.
        duration_s: length, once a run has measured it.
    """

    size: int
    mtime_ns: int
    sha256: str
    duration_s: float | None = None


class LanguageStatus(_Record):
    """What became of one language.

    Attributes:
        state: ``failed`` is tried again, ``quarantined`` only when something changes.
        settings: hash of everything but the video that shapes the output.
        source_sha256: video that it was made of, or failed with; empty if it could not be read.
        attempts: how often it failed in a row.
        error: why, in one line.
        is_passing: the machine was at fault, and not the lecture.
        not_before: ISO time before which it is not tried again.
        finished: ISO time of the last run's end.
        seconds: wall time of that run.
        subtitles: ``[name, bytes, mtime_ns]`` of the subtitles that it wrote, which are no captions.
    """

    state: State
    settings: str
    source_sha256: str
    attempts: int = 0
    error: str | None = None
    is_passing: bool = False
    not_before: IsoTime | None = None
    finished: IsoTime
    seconds: float
    subtitles: tuple[str, int, int] | None = None


class LectureStatus(_Record):
    """What became of a lecture.

    Attributes:
        name: as in the library.
        source: the video as it was.
        languages: by code.
        failures: ISO times of the newest attempts that failed, whatever became of the lecture since.
    """

    name: str
    source: SourceFingerprint
    languages: dict[str, LanguageStatus] = {}
    failures: tuple[str, ...] = ()


def read_status(workspace_root: Path) -> LectureStatus | None:
    """Return what is known of a lecture; None if nothing, or nothing that can be read."""
    try:
        return LectureStatus.model_validate_json((workspace_root / STATUS_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def write_status(workspace_root: Path, status: LectureStatus) -> None:
    """Write what became of a lecture; it is replaced whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(workspace_root / STATUS_NAME, status.model_dump_json(indent=1, exclude_none=True))
