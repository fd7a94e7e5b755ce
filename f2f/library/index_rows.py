"""One lecture as a row of the index: state by language, figures, and links that any name survives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import quote

from f2f.errors import UsageError
from f2f.languages import parse_language
from f2f.library.lease import read_holder
from f2f.library.lecture import LIBRARY_FOLDER, Lecture, LibraryOptions, Refused
from f2f.library.metrics import OutputMetrics, current_metrics
from f2f.library.planning import Plan, Todo, plan_lecture
from f2f.library.status import LanguageStatus
from f2f.library.thumbnails import FOLDER_NAME as THUMBNAILS
from f2f.library.thumbnails import has_picture, refresh_thumbnail, thumbnail_path

State = Literal["done", "waiting", "changed", "failed", "quarantined", "refused"]
STATES: tuple[State, ...] = ("done", "changed", "waiting", "failed", "quarantined", "refused")
"""From best to worst."""
_STATE_OF: dict[Todo, State] = {
    "done": "done",
    "new": "waiting",
    "changed": "changed",
    "retry": "failed",
    "waiting": "failed",
    "quarantined": "quarantined",
}
_UNWANTED: dict[str, Todo] = {"done": "done", "failed": "retry", "quarantined": "quarantined"}


@dataclass(frozen=True)
class LanguageRow:
    """One language of a lecture.

    Attributes:
        code: BCP-47 code.
        name: in English.
        state: what became of it.
        note: why, and what happens next; empty where all is well.
        figures: of the output, if there is one.
        video, report, subtitles: addresses relative to the library's folder, None where there is no file.
    """

    code: str
    name: str
    state: State
    note: str
    figures: OutputMetrics | None
    video: str | None
    report: str | None
    subtitles: str | None


@dataclass(frozen=True)
class LectureRow:
    """One lecture.

    Attributes:
        name: file name as it can be shown.
        folder: folder in the library, with a slash at its end; empty for the library's own.
        state: the worst of its languages'.
        note: why it is refused, or who works on it.
        picture: address of its thumbnail relative to the library's folder, None if there is none.
        duration_s: of the source, None while that is not known.
        languages: as wanted.
    """

    name: str
    folder: str
    state: State
    note: str = ""
    picture: str | None = None
    duration_s: float | None = None
    languages: tuple[LanguageRow, ...] = ()


def lecture_row(lecture: Lecture, options: LibraryOptions, now: datetime) -> LectureRow:
    """Return a lecture's row; takes its picture if that is missing or of an earlier output."""
    plan = plan_lecture(lecture, options, now)
    # What an earlier batch made stays in sight, whatever languages this one wants.
    known = plan.status.languages if plan.status else {}
    targets = dict.fromkeys((*lecture.targets, *known))
    languages = tuple(_language_row(plan, target) for target in targets)
    durations = (each.figures.duration_s for each in languages if each.figures is not None)
    path = PurePosixPath(lecture.name)
    return LectureRow(
        name=visible(path.name),
        folder=_folder_words(path),
        state=max((each.state for each in languages), key=STATES.index, default="waiting"),
        note=_holder_words(plan),
        picture=_picture(plan, options, languages),
        duration_s=next(durations, plan.status.source.duration_s if plan.status else None),
        languages=languages,
    )


def refused_row(refused: Refused) -> LectureRow:
    """Return the row of something that is not translated."""
    path = PurePosixPath(refused.name)
    return LectureRow(visible(path.name), _folder_words(path), "refused", visible(refused.reason))


def visible(text: str) -> str:
    """Return ``text`` as a page can show it: whatever is no character to look at becomes ``�``."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "�" for char in text)


def address(path: str | PurePosixPath) -> str:
    """Return a relative path as a link holds it, byte for byte whatever the name."""
    return quote(str(path).encode("utf-8", "surrogateescape"), safe="/")


def _folder_words(path: PurePosixPath) -> str:
    return "" if path.parent == PurePosixPath(".") else f"{visible(str(path.parent))}/"


def _language_row(plan: Plan, target: str) -> LanguageRow:
    lecture, status = plan.lecture, plan.status.languages.get(target) if plan.status else None
    todo = plan.todo.get(target) or (_UNWANTED[status.state] if status else "new")
    folder, stem = PurePosixPath(lecture.name).parent, lecture.source.stem
    real = plan.workspace_root.parents[1]

    def link(*suffixes: str) -> str | None:
        names = (f"{stem}.{target}{suffix}" for suffix in suffixes)
        return next((address(folder / name) for name in names if (real / name).is_file()), None)

    return LanguageRow(
        code=target,
        name=language_name(target),
        state=_STATE_OF[todo],
        note=_note(todo, status),
        figures=current_metrics(lecture.name, target, real / f"{stem}.{target}.json"),
        video=link(".mp4"),
        report=link(".html"),
        # Where the plain name is a translation of the user's own, ours is called .dub.srt.
        subtitles=link(".dub.srt", ".srt"),
    )


def _note(todo: Todo, status: LanguageStatus | None) -> str:
    if todo == "changed":
        return (
            "the lecture or its settings changed since, or an output is gone: the next batch makes it again"
        )
    if todo in ("done", "new") or status is None:
        return ""
    times = "once" if status.attempts == 1 else f"{status.attempts} times"
    error = visible(" ".join((status.error or "no reason was kept").split()))
    if todo == "quarantined":
        return f"{error} (failed {times}; given up until something changes)"
    due = f"not before {_clock(status.not_before)}" if todo == "waiting" else "by the next batch"
    return f"{error} (failed {times}; tried again {due})"


def _clock(time: str | None) -> str:
    return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M UTC") if time else "later"


def _holder_words(plan: Plan) -> str:
    if not plan.targets:
        return ""
    holder = read_holder(plan.workspace_root)
    if holder is None or holder.is_gone():
        return ""
    return f"{visible(holder.host)} works on it since {_clock(holder.started)}"


def _picture(plan: Plan, options: LibraryOptions, languages: Iterable[LanguageRow]) -> str | None:
    lecture, real = plan.lecture, plan.workspace_root.parents[1]
    path = thumbnail_path(options.folder, lecture.name)
    # The same whichever languages a batch wants: two at once would else take each other's pictures anew.
    targets = sorted(each.code for each in languages if each.video is not None)
    for target in targets if options.store.has_videos else ():
        video = real / f"{lecture.source.stem}.{target}.mp4"
        if refresh_thumbnail(path, video, video.with_suffix(".json")):
            break
    if not has_picture(path):
        return None
    return (LIBRARY_FOLDER / THUMBNAILS / path.parent.name / path.name).as_posix()


@lru_cache(maxsize=256)
def language_name(code: str) -> str:
    """Return a language's English name, its code where it has none."""
    try:
        return parse_language(code).name
    except UsageError:
        return code
