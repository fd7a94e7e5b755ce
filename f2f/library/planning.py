"""What is to be done for a lecture: its status beside what it should be made of. Reads no video."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from f2f.config import Config
from f2f.errors import F2FError
from f2f.library.lecture import MAX_BACKOFF_S, Lecture, LibraryOptions, request_for, workspace_of
from f2f.library.status import LanguageStatus, LectureStatus, SourceFingerprint, read_status
from f2f.library.store import stat_file
from f2f.stage_call import stage_version
from f2f.stage_order import STAGES

Todo = Literal["new", "changed", "retry", "waiting", "quarantined", "done"]

# Where it runs, and what the library itself keeps, do not shape an output.
_SHAPELESS_KEYS = ("device", "synthesize.library_voices", "lipsync.dask", "slots.", "deadlines.")


@dataclass(frozen=True)
class Plan:
    """What is to be done for a lecture.

    Attributes:
        lecture: the lecture.
        workspace_root: folder of everything about it.
        todo: for each wanted language what is to be done.
        settings: for each wanted language the hash of what shapes it, "" where that is not allowed.
        status: what is known of the lecture so far.
        size: bytes of the video; -1 if it cannot be read.
        mtime_ns: time stamp of the video.
        due: when the next ``waiting`` language may be tried.
    """

    lecture: Lecture
    workspace_root: Path
    todo: Mapping[str, Todo]
    settings: Mapping[str, str]
    status: LectureStatus | None
    size: int
    mtime_ns: int
    due: datetime | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Languages to make now."""
        return tuple(target for target, todo in self.todo.items() if todo in ("new", "changed", "retry"))


def plan_lecture(lecture: Lecture, options: LibraryOptions, now: datetime) -> Plan:
    """Say what is to be done for a lecture.

    Args:
        lecture: the lecture.
        options: of the library.
        now: with a time zone.
    """
    root = workspace_of(lecture, options)
    status = read_status(root)
    size, mtime_ns = stat_file(lecture.source)
    settings = _hash_all(lecture, options, tuple(own_subtitles(status)))
    todo: dict[str, Todo] = {}
    dues: list[datetime] = []
    for target in lecture.targets:
        language = status.languages.get(target) if status else None
        if status is None or language is None:
            todo[target] = "new"
        elif language.settings != settings[target] or not _is_source(status, language, size, mtime_ns):
            todo[target] = "changed"
        else:
            todo[target] = _unchanged(lecture, options, target, language, now)
            if todo[target] == "waiting":
                dues.append(_due(language, options))
    return Plan(lecture, root, todo, settings, status, size, mtime_ns, min(dues, default=None))


def look_at_files(lecture: Lecture, options: LibraryOptions, target: str) -> list[list[Any]]:
    """Return by what the files that a lecture's settings name are known to be the same, as they are now."""
    try:
        request = request_for(lecture, options, (target,))
    except F2FError:
        return []
    return _look_at(request.config, options)


def _look_at(config: Config, options: LibraryOptions) -> list[list[Any]]:
    return [options.store.file_part(path) for path in config_files(config)]


def hash_settings(
    lecture: Lecture,
    options: LibraryOptions,
    target: str,
    own: Iterable[tuple[str, int, int]] = (),
    files: list[list[Any]] | None = None,
) -> str:
    """Return a hash of everything beside the video that shapes the output in one language.

    Files (captions beside the video, glossary, weights …) count by name, size and time stamp.

    Args:
        lecture: the lecture.
        options: of the library.
        target: the language.
        own: subtitles that earlier runs wrote beside it.
        files: what ``look_at_files`` returned before a run; None to look now.
    """
    try:
        request = request_for(lecture, options, (target,))
    except F2FError:
        return ""
    mine = set(own)
    parts = {
        "config": _config_part(request.config),
        "files": _look_at(request.config, options) if files is None else files,
        "sidecars": [one for one in lecture.sidecars if one not in mine],
        "source_language": request.source_language,
        "lipsync": request.lipsync,
        "versions": _versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _hash_all(
    lecture: Lecture, options: LibraryOptions, own: tuple[tuple[str, int, int], ...]
) -> dict[str, str]:
    if lecture.language_settings or not lecture.targets:
        return {target: hash_settings(lecture, options, target, own) for target in lecture.targets}
    # The language itself is no part of it, and a library of 100,000 lectures is planned at every start.
    return dict.fromkeys(lecture.targets, hash_settings(lecture, options, lecture.targets[0], own))


def own_subtitles(status: LectureStatus | None) -> Iterator[tuple[str, int, int]]:
    """Give the subtitles that earlier runs wrote for a lecture."""
    for language in status.languages.values() if status else ():
        if language.subtitles is not None:
            yield language.subtitles


def fingerprint(plan: Plan, sha256: str, duration_s: float | None = None) -> SourceFingerprint:
    """Return how the video of a plan was when it was planned."""
    known = plan.status.source if plan.status else None
    if duration_s is None and known is not None and known.sha256 == sha256:
        duration_s = known.duration_s
    return SourceFingerprint(size=plan.size, mtime_ns=plan.mtime_ns, sha256=sha256, duration_s=duration_s)


def _unchanged(
    lecture: Lecture, options: LibraryOptions, target: str, language: LanguageStatus, now: datetime
) -> Todo:
    if language.state == "done":
        made = f"{options.output_dir / lecture.name.removesuffix(lecture.source.suffix)}.{target}"
        return (
            "done" if all(map(os.path.isfile, (f"{made}.mp4", f"{made}.json", f"{made}.html"))) else "changed"
        )
    if language.state == "quarantined":
        return "retry" if options.retry_quarantined else "quarantined"
    left_s = (_due(language, options) - now).total_seconds()
    # Further away than any wait there is: the clock was put back since.
    return "waiting" if 0 < left_s <= MAX_BACKOFF_S else "retry"


def _due(language: LanguageStatus, options: LibraryOptions) -> datetime:
    """Return when a language that failed may be tried again."""
    if language.not_before is not None:
        return datetime.fromisoformat(language.not_before)
    rest_s = options.rest_s if language.is_passing else 0.0
    return datetime.fromisoformat(language.finished) + timedelta(seconds=rest_s)


def _is_source(status: LectureStatus, language: LanguageStatus, size: int, mtime_ns: int) -> bool:
    known = status.source
    return (known.size, known.mtime_ns) == (size, mtime_ns) and language.source_sha256 == known.sha256


@functools.lru_cache(maxsize=256)
def config_files(config: Config) -> tuple[Path, ...]:
    """Return the files that a configuration names and that shape an output."""
    return tuple(
        value
        for key, value in _dotted(config)
        if isinstance(value, Path) and not key.startswith(_SHAPELESS_KEYS)
    )


@functools.lru_cache(maxsize=256)
def _config_part(config: Config) -> str:
    values = {
        key: value
        for key, value in _dotted(config)
        if not isinstance(value, Path) and not key.startswith(_SHAPELESS_KEYS)
    }
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def _dotted(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@functools.lru_cache(maxsize=1)
def _versions() -> dict[str, int]:
    return {stage: stage_version(f"f2f.stages.{stage}") for stage in STAGES}


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(timezone.utc)
