"""The loop over a library: every lecture once, then what waits for its next attempt or for somebody else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from f2f.library.lecture import Lecture, Refused
from f2f.library.planning import utc_now
from f2f.library.processing import LOOK_AGAIN_S, BatchRun, process_lecture
from f2f.library.store import StoreError
from f2f.library.summary import Row, Summary

MAX_WAIT_S = 900.0


def run_batch(
    run: BatchRun, lectures: Iterable[Lecture | Refused], summary: Summary, max_wait_s: float = MAX_WAIT_S
) -> None:
    """Bring every lecture up to date; what fails never stops the others.

    Args:
        run: options and listener.
        lectures: what was found, one at a time; nothing but what must be looked at again is kept.
        summary: filled as the batch goes on.
        max_wait_s: an attempt that is due later than this is left to the next batch.
    """
    for notice in run.options.store.notices:
        run.listener.note(notice)
    away = Counter[str]()
    left: list[tuple[Lecture, float]] = []  # with the time to look again, by a clock that nobody sets
    for found in lectures:
        if isinstance(found, Refused):
            _tell(run, summary, [Row(found.name, "", "refused", reason=found.reason)])
        else:
            left += _go_through(run, summary, found, away)
    # What was given up was tried again once; that is enough.
    run = replace(run, options=replace(run.options, retry_quarantined=False))
    if left:
        run.listener.note(f"{len(left)} lectures are held by others or wait for another attempt")
    while left:
        now_s = time.monotonic()
        ready = [lecture for lecture, due_s in left if due_s <= now_s]
        left = [(lecture, due_s) for lecture, due_s in left if due_s > now_s]
        if not ready:
            wait_s = min(due_s - now_s for _, due_s in left)
            if wait_s > max_wait_s:
                return
            time.sleep(min(wait_s, LOOK_AGAIN_S))
        for lecture in ready:
            left += _go_through(run, summary, lecture, away)


def _go_through(
    run: BatchRun, summary: Summary, lecture: Lecture, away: Counter[str]
) -> list[tuple[Lecture, float]]:
    """Bring one lecture up to date; return it with the time at which to look again, if there is one.

    A store that went away says nothing of the lecture, and could not keep that anyway: ``away`` counts, by
    lecture, how often it did.
    """
    try:
        rows, due = process_lecture(lecture, run)
    except Exception as error:  # noqa: BLE001 - one bad lecture must not stop the rest
        from f2f.session import RESUME, explain

        reason = run.options.store.words("; ".join(line for line in explain(error)[0] if line != RESUME))
        rows, due = [Row(lecture.name, target, "failed", reason=reason) for target in lecture.targets], None
        if isinstance(error, StoreError):
            away[lecture.name] += 1
            if away[lecture.name] < run.options.max_attempts:
                due = utc_now() + timedelta(seconds=run.options.wait_s(away[lecture.name]))
    _tell(run, summary, rows, comes_again=due is not None)
    return [] if due is None else [(lecture, time.monotonic() + (due - utc_now()).total_seconds())]


def _tell(run: BatchRun, summary: Summary, rows: Iterable[Row], *, comes_again: bool = False) -> None:
    for row in rows:
        if summary.add(row, comes_again=comes_again):  # what is held is looked at every few seconds
            run.listener.row(row)
