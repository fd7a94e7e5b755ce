"""One lecture of a batch: planned, leased, made by a child process, and its status kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from f2f.errors import F2FError
from f2f.hashes import FileHashes
from f2f.library.child import LanguageResult, LostError, run_child
from f2f.library.lease import TTL_S, Lease
from f2f.library.lecture import Lecture, LibraryOptions, request_for
from f2f.library.metrics import append_metrics
from f2f.library.planning import (
    Plan,
    fingerprint,
    hash_settings,
    look_at_files,
    own_subtitles,
    plan_lecture,
    utc_now,
)
from f2f.library.scanning import sidecars_of
from f2f.library.status import MAX_FAILURES, LanguageStatus, LectureStatus, write_status
from f2f.library.store import Desk, stat_file
from f2f.library.summary import Row
from f2f.library.worker import order_for
from f2f.request import Request
from f2f.stage import Observer

LOOK_AGAIN_S = 5.0


class _Begun(NamedTuple):
    """What lay there when the work on a lecture began; what was edited since is for the next look.

    Attributes:
        sha256: of the video, "" if it could not be read.
        files: by language those that its settings name.
    """

    sha256: str
    files: dict[str, list[list[Any]]]


class Listener(Protocol):
    """Hears what a batch does."""

    def working(self, lecture: Lecture, targets: tuple[str, ...]) -> AbstractContextManager[Observer]:
        """A child begins to work on a lecture; what is given is told of its stages."""

    def row(self, row: Row) -> None:
        """Something became of a language."""

    def note(self, text: str) -> None:
        """Something a person must know."""


@dataclass(frozen=True)
class BatchRun:
    """What every step of a batch needs.

    Attributes:
        options: of the library.
        listener: told of everything.
        runner: who carries runs out, None to choose.
        ttl_s: life of a lease that is not renewed.
    """

    options: LibraryOptions
    listener: Listener
    runner: str | None = None
    ttl_s: float = TTL_S


def process_lecture(lecture: Lecture, run: BatchRun) -> tuple[list[Row], datetime | None]:
    """Make what is to be made of a lecture, if nobody else does.

    Returns:
        (a row for each wanted language, when to look again or None if there is nothing to wait for).

    Raises:
        OSError: folders of the lecture's outputs cannot be written.
    """
    plan = plan_lecture(lecture, run.options, utc_now())
    if not plan.targets:
        return _rows(plan, {}), plan.due
    store = run.options.store
    lease = store.take_lease(plan.workspace_root, run.ttl_s)
    if lease is None:
        return _held_rows(plan, run), utc_now() + timedelta(seconds=min(LOOK_AGAIN_S, run.ttl_s))
    with lease:
        # Somebody may have done it between the look and the lease.
        store.look_at(lecture.source, plan.workspace_root)
        fresh = replace(lecture, sidecars=sidecars_of(lecture.source))
        plan = plan_lecture(fresh, run.options, utc_now())
        try:
            results = _work_at_desk(plan, run, lease) if plan.targets else {}
        except LostError:
            run.listener.note(f"{lecture.name}: the lease was lost, perhaps while this machine slept")
            return _held_rows(plan, run), utc_now() + timedelta(seconds=LOOK_AGAIN_S)
        if results:  # among them new subtitles
            fresh = replace(lecture, sidecars=sidecars_of(lecture.source))
        after = plan_lecture(fresh, run.options, utc_now()) if results else plan
    return _rows(after, results), utc_now() if _is_due(after) else after.due


def _is_due(plan: Plan) -> bool:
    """Whether a language is to be tried again now; what the machine lacks waits for the next batch."""
    languages = plan.status.languages if plan.status else {}
    for target in (target for target, todo in plan.todo.items() if todo == "retry"):
        if languages[target].state != "failed" or languages[target].not_before is not None:
            return True
    return False


def _work_at_desk(plan: Plan, run: BatchRun, lease: Lease) -> dict[str, LanguageResult]:
    with run.options.store.desk(plan, run.options, lease.is_held) as desk:
        return _work(plan, run, lease, desk)


def _work(plan: Plan, run: BatchRun, lease: Lease, desk: Desk) -> dict[str, LanguageResult]:
    """Have a child make the languages of a plan; the status is kept after each.

    Raises:
        LostError: the lease went to somebody else, whose the lecture is now.
    """
    lecture, options = plan.lecture, run.options
    results: dict[str, LanguageResult] = {}
    files = {target: look_at_files(lecture, options, target) for target in plan.targets}
    begun = _Begun(_hash_source(plan), files)
    status = plan.status or LectureStatus(name=lecture.name, source=fingerprint(plan, begun.sha256))

    def keep(result: LanguageResult) -> None:
        nonlocal status
        if not lease.is_held():
            raise LostError
        if result.error is not None:
            result = replace(result, error=options.store.words(result.error))
        results[result.target] = result
        desk.publish(result)
        status = _with_result(status, plan, options, result, begun)
        if result.manifest is not None:
            _keep_metrics(run, lecture, Path(result.manifest))
        write_status(plan.workspace_root, status)
        desk.keep_books(result)

    requests: list[Request] = []
    for target in plan.targets:
        try:
            requests.append(_absolute(request_for(lecture, options, (target,))))
        except F2FError as error:
            words = "; ".join(str(error).splitlines())
            keep(LanguageResult(target, 0.0, words, error.exit_code, is_final=True))
    with run.listener.working(lecture, plan.targets) as observer:
        order = order_for(requests, force=options.force, runner=run.runner)
        for result in run_child(order, desk.watch(observer), lease.may_go_on):
            keep(result)
    return results


def _with_result(
    status: LectureStatus, plan: Plan, options: LibraryOptions, result: LanguageResult, begun: _Begun
) -> LectureStatus:
    """Return the status with one language's result taken in."""
    now = utc_now()
    before = status.languages.get(result.target)
    subtitles = _subtitles(result, before)
    # The plan's captions are those that lay there then, ours that were made anew since among them.
    own = {*own_subtitles(plan.status), *own_subtitles(status), *([subtitles] if subtitles else [])}
    is_retry = (
        plan.todo[result.target] == "retry"
        and before is not None
        and (before.state, before.is_passing) == ("failed", result.is_passing)
    )
    attempts = 0 if result.error is None else 1 + (before.attempts if is_retry and before else 0)
    # What cannot be read now may be readable later: that is no reason to give a lecture up.
    is_unchanged = begun.sha256 != "" and stat_file(plan.lecture.source) == (plan.size, plan.mtime_ns)
    is_final = result.is_final and is_unchanged
    is_over = is_final or attempts >= options.max_attempts
    # What this machine lacks is no reason either: nothing of the lecture changes once it is there.
    is_given_up = is_over and not result.is_passing
    language = LanguageStatus(
        state="done" if result.error is None else "quarantined" if is_given_up else "failed",
        settings=hash_settings(plan.lecture, options, result.target, own, begun.files[result.target]),
        source_sha256=begun.sha256,
        attempts=attempts,
        error=result.error,
        is_passing=result.is_passing,
        not_before=None
        if result.error is None or is_over
        else (now + timedelta(seconds=options.wait_s(attempts))).isoformat(timespec="milliseconds"),
        finished=now.isoformat(timespec="seconds"),
        seconds=result.seconds,
        subtitles=subtitles,
    )
    failed = () if result.error is None else (language.finished,)
    return status.model_copy(
        update={
            "source": fingerprint(plan, begun.sha256, result.duration_s),
            "languages": {**status.languages, result.target: language},
            "failures": (*status.failures, *failed)[-MAX_FAILURES:],
        }
    )


def _subtitles(result: LanguageResult, before: LanguageStatus | None) -> tuple[str, int, int] | None:
    """Return the subtitles of a language that lie there now: after a failure, those of the run before."""
    if result.subtitles is None:
        return before.subtitles if before else None
    path = Path(result.subtitles)
    return path.name, *stat_file(path)


def _rows(plan: Plan, results: dict[str, LanguageResult]) -> list[Row]:
    """Say of each wanted language what became of it."""
    rows = []
    duration_s = plan.status.source.duration_s if plan.status else None
    for target, todo in plan.todo.items():
        language = plan.status.languages.get(target) if plan.status else None
        result, reason = results.get(target), (language.error or "") if language else ""
        if result is not None and result.error is None:
            row = Row(plan.lecture.name, target, "made", duration_s, result.seconds)
        elif language is not None and language.state == "quarantined":
            row = Row(plan.lecture.name, target, "quarantined", duration_s, reason=reason)
        elif result is not None:
            row = Row(plan.lecture.name, target, "failed", duration_s, result.seconds, reason)
        elif todo == "done":
            row = Row(plan.lecture.name, target, "unchanged", duration_s)
        else:
            row = Row(plan.lecture.name, target, "waiting", duration_s, reason=reason)
        rows.append(replace(row, seconds=result.seconds) if result is not None else row)
    return rows


def _held_rows(plan: Plan, run: BatchRun) -> list[Row]:
    holder = run.options.store.read_holder(plan.workspace_root)
    reason = f"{holder.host} works on it since {holder.started}" if holder else "somebody else works on it"
    unheld = {row.target: row for row in _rows(plan, {})}
    return [
        Row(plan.lecture.name, target, "held", reason=reason) if target in plan.targets else unheld[target]
        for target in plan.todo
    ]


def _hash_source(plan: Plan) -> str:
    try:
        return FileHashes(plan.workspace_root).sha256(plan.lecture.source)
    except OSError:
        return ""


def _keep_metrics(run: BatchRun, lecture: Lecture, manifest: Path) -> None:
    try:
        append_metrics(run.options.output_dir, lecture.name, manifest)
    except (OSError, F2FError) as error:
        run.listener.note(f"{lecture.name}: its figures are not in the library's metrics: {error}")


def _absolute(request: Request) -> Request:
    return replace(request, source=request.source.absolute(), output_dir=request.output_dir.absolute())
