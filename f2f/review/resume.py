"""``f2f resume`` and ``f2f redo``: what a person wants otherwise becomes edits in the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from f2f.errors import PreflightError, UsageError
from f2f.manifest import Manifest, SegmentEntry
from f2f.record import read_record
from f2f.request import Request
from f2f.review.files import edited_files, read_review, read_rows, table_path, write_review
from f2f.review.lines import Edit, Line, Review
from f2f.review.merging import Taken, edit_of, take_rows
from f2f.stage import Observer
from f2f.workspace import Workspace, hash_file

_SHOWN_CONFLICTS = 10


@dataclass(frozen=True)
class Redo:
    """What is to be done again.

    Attributes:
        segments: ids.
        text: what the segment says from now on; None keeps it.
        voice: who says it from now on; None keeps the voice.
    """

    segments: tuple[int, ...]
    text: str | None = None
    voice: str | None = None


@dataclass(frozen=True)
class Continuation:
    """A run that goes on with edits.

    Attributes:
        request: as it was made before.
        before: the edits as they were, to which an unusable edit falls back.
    """

    request: Request
    before: Review

    @property
    def target(self) -> str:
        """The one language."""
        return self.request.targets[0]

    def undo(self) -> None:
        """Take the edits back."""
        write_review(self.request.workspace_root, self.target, self.before)


def take_edits(asked: Request, observer: Observer) -> list[Continuation]:
    """Take the edits from the tables and subtitles of every language of a request.

    Args:
        asked: source, languages and folders; everything else is as in the earlier run.
        observer: told what was taken.

    Raises:
        PreflightError: with one line for everything that is wrong; nothing was taken.
        UsageError: there is no earlier run.
    """
    earlier = [_earlier(asked, target) for target in asked.targets]
    with Workspace(asked.workspace_root).lock(observer):
        problems: list[str] = []
        found: list[tuple[Continuation, Review, Sequence[str]]] = []
        for request in earlier:
            try:
                found.append(_take(request))
            except PreflightError as error:
                problems += error.problems
        if problems:
            raise PreflightError(problems)
        for going_on, review, told in found:
            for line in told:
                observer.notice(line)
            if review != going_on.before:
                write_review(asked.workspace_root, going_on.target, review)
    return [going_on for going_on, _, _ in found]


def take_redo(manifest: Path, redo: Redo, workdir: Path | None, observer: Observer) -> Continuation:
    """Store what is to be done again as edits.

    Args:
        manifest: of the finished translation, ``lecture.hi.json``.
        redo: what is wanted.
        workdir: folder of intermediate results where it is not beside the outputs.
        observer: told while another run works there.

    Raises:
        UsageError: no such manifest, segment or stored run.
    """
    if redo.text is not None and len(redo.segments) > 1:
        raise UsageError(f"--text is for one segment, not for {len(redo.segments)}; run f2f redo for each")
    content = _read_manifest(manifest)
    root = (workdir or manifest.parent / ".f2f") / Path(content.source.name).stem
    target = content.output.language
    request = read_record(root, target)
    if request is None:
        raise UsageError(
            f"no stored run of {manifest.name} in {root}: give the --workdir DIR of that run, or repeat it "
            f"with: {content.command}"
        )
    if not request.source.is_file():
        raise UsageError(f"{request.source}, from which {manifest.name} was made, is gone; put it back there")
    request = replace(request, output_dir=manifest.parent.resolve(), workdir=workdir)
    entries = {entry.id: entry for entry in content.segments}
    unknown = [str(one) for one in redo.segments if one not in entries]
    if unknown:
        raise UsageError(
            f"{manifest.name} has no segment {', '.join(unknown)}; its segments are {_ranges(list(entries))}"
        )
    with Workspace(root).lock(observer):
        before = read_review(root, target)
        edits = {edit.id: edit for edit in before.edits}
        for number in dict.fromkeys(redo.segments):
            edits[number] = _redone(edits.get(number) or edit_of(_line(entries[number])), redo)
        write_review(root, target, before.model_copy(update={"edits": _in_order(edits)}))
    return Continuation(request, before)


def _earlier(asked: Request, target: str) -> Request:
    request = read_record(asked.workspace_root, target)
    if request is None:
        raise UsageError(
            f"nothing to go on with: no run of {asked.source.name} to {target} is stored in "
            f"{asked.workspace_root}; give the -o and --workdir of that run, or start with: f2f translate"
        )
    return replace(
        request, source=asked.source, output_dir=asked.output_dir, workdir=asked.workdir,
        force=asked.force, until=asked.until,
    )  # fmt: skip


def _take(request: Request) -> tuple[Continuation, Review, list[str]]:
    """Return the edits that the files of one language hold."""
    [target] = request.targets
    review = read_review(request.workspace_root, target)
    going_on = Continuation(request, review)
    files = edited_files(request, target, review)
    if not files:
        return going_on, review, []
    if not review.files:
        raise PreflightError(
            [f"{path} was not made by f2f here: run f2f translate --until translate first" for path in files]
        )
    table = table_path(request, target)
    taken = {path: take_rows(review, read_rows(path, review), are_ids_kept=path == table) for path in files}
    # A file that was only saved again says nothing.
    telling = {path: one for path, one in taken.items() if one.changed or one.notes != review.notes} or taken
    if len(telling) > 1 and (problems := _conflicts(telling)):
        raise PreflightError(problems)
    first = next(iter(telling.values()))
    hashes = {
        path.name: tuple(dict.fromkeys((hash_file(path), *review.files.get(path.name, ())[:1])))
        for path in files
    }
    changes = {
        "edits": _in_order(first.edits),
        "notes": first.notes,
        "files": {**review.files, **hashes},
    }
    names = " and ".join(path.name for path in telling)
    count = len(set(first.changed))
    told = [f"{names}: {count} {'line' if count == 1 else 'lines'} changed", *first.told]
    return going_on, review.model_copy(update=changes), told


def _conflicts(taken: Mapping[Path, Taken]) -> list[str]:
    """Return one line for each line that the files do not change alike."""
    problems = []
    for line_id in sorted({line_id for one in taken.values() for line_id in one.changed}):
        wanted = {
            path.name: _shown(one.edits.get(line_id), line_id in one.changed) for path, one in taken.items()
        }
        if len(set(wanted.values())) > 1:
            says = ", ".join(f"{name} says {words}" for name, words in wanted.items())
            problems.append(f"line {line_id}: {says}; delete the file that is not to count")
    if len(problems) > _SHOWN_CONFLICTS:
        problems[_SHOWN_CONFLICTS:] = [f"… and {len(problems) - _SHOWN_CONFLICTS} more lines"]
    return problems


def _shown(edit: Edit | None, is_changed: bool) -> str:
    if not is_changed:
        return "nothing new"
    if edit is None or edit.is_removed:
        return "nothing (deleted)"
    text = edit.source if edit.target is None else edit.target
    return f"“{text}” at {edit.start_s:.2f}–{edit.end_s:.2f} s"


def _redone(edit: Edit, redo: Redo) -> Edit:
    words = [name for name in ("text", "voice") if getattr(redo, name) is not None] or ["take"]
    kept = [word for word in edit.edited if word != "removed"]
    changes: dict[str, object] = {"edited": tuple(dict.fromkeys((*kept, *words))), "take": edit.take + 1}
    if redo.text is not None:
        changes["target"] = " ".join(redo.text.split())
    if redo.voice is not None:
        changes["voice"] = redo.voice
    return edit.model_copy(update=changes)


def _line(entry: SegmentEntry) -> Line:
    return Line(
        id=entry.id,
        start_s=entry.source_start_s,
        end_s=entry.source_end_s,
        speaker=entry.speaker,
        source=" ".join(entry.source_text.split()),
    )


def _in_order(edits: dict[int, Edit]) -> tuple[Edit, ...]:
    return tuple(sorted(edits.values(), key=lambda edit: (edit.start_s, edit.id)))


def _ranges(ids: Sequence[int]) -> str:
    """Return ``1–40, 43``."""
    spans: list[list[int]] = []
    for number in sorted(ids):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in spans) or "none"


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); give the manifest, such as lecture.hi.json"
        ) from error
    except (ValueError, ValidationError) as error:
        raise UsageError(
            f"{path} is no manifest of this version of f2f; give lecture.hi.json as f2f translate wrote it"
        ) from error
