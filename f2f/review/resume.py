"""``f2f resume``: what a person changed in the files becomes edits in the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from f2f.errors import PreflightError, UsageError
from f2f.record import read_record
from f2f.request import Request
from f2f.review.files import edited_files, read_review, read_rows, table_path, write_review
from f2f.review.lines import Edit, Review
from f2f.review.merging import Taken, take_rows
from f2f.stage import Observer
from f2f.workspace import Workspace, hash_file

_SHOWN_CONFLICTS = 10


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
        """Take the edits back; the files are as the run left them, and put right by the next one."""
        root = self.request.workspace_root
        now = read_review(root, self.target)
        write_review(root, self.target, now.model_copy(update={"edits": self.before.edits}))


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
        "edits": in_order(first.edits),
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


def in_order(edits: dict[int, Edit]) -> tuple[Edit, ...]:
    """Return edits as they are stored."""
    return tuple(sorted(edits.values(), key=lambda edit: (edit.start_s, edit.id)))
