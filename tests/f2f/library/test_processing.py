"""What a failure means for the batches that follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from batch_listener import Told
from made_library import add_lecture

from f2f.errors import EXIT_ENGINE_MISSING, EXIT_STAGE_FAILED, EXIT_USAGE
from f2f.library import processing
from f2f.library.batch import run_batch
from f2f.library.child import LanguageResult
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.planning import plan_lecture
from f2f.library.processing import BatchRun, process_lecture
from f2f.library.summary import Summary

LACKING = "no engine speaks Hindi; run: pip install f2f[tts]"


def let_fail(
    monkeypatch: pytest.MonkeyPatch, code: int, *, is_final: bool = False, is_passing: bool = False
) -> list[str]:
    """Have every language fail from now on; return those that are tried."""
    tried: list[str] = []

    def run_child(order: Any, *args: object) -> Iterator[LanguageResult]:
        for target in order.requests:
            tried.append(target)
            yield LanguageResult(target, 1.0, LACKING, code, is_final, is_passing)

    monkeypatch.setattr(processing, "run_child", run_child)
    return tried


@pytest.mark.parametrize(
    ("code", "is_final", "is_passing", "states", "n_tried"),
    [
        (EXIT_ENGINE_MISSING, True, True, ["failed"] * 4, 4),
        (EXIT_ENGINE_MISSING, False, True, ["failed"] * 4, 2 + 3),  # one that is away for a while, perhaps
        (EXIT_STAGE_FAILED, False, True, ["failed"] * 4, 2 + 3),  # a disk that is full
        (EXIT_STAGE_FAILED, False, False, ["quarantined"] * 4, 2),
        (EXIT_USAGE, True, False, ["quarantined"] * 4, 1),
    ],
)
def test_what_this_machine_lacks_is_no_reason_to_give_a_lecture_up(
    code: int,
    is_final: bool,
    is_passing: bool,
    states: list[str],
    n_tried: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = let_fail(monkeypatch, code, is_final=is_final, is_passing=is_passing)
    options = LibraryOptions(tmp_path, tmp_path, ("hi",), max_attempts=2, backoff_s=0.01)
    lecture: Lecture = add_lecture(options, "a.mp4")
    found = []
    for _ in states:
        summary = Summary()
        run_batch(BatchRun(options, Told()), [lecture], summary)
        found += [row.state for row in summary.rows.values()]
        assert [row.reason for row in summary.rows.values()] == [LACKING]
    assert (found, len(tried)) == (states, n_tried)


def test_failures_of_the_machine_do_not_count_against_the_lecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_fail(monkeypatch, EXIT_STAGE_FAILED, is_passing=True)
    options = LibraryOptions(tmp_path, tmp_path, ("hi",), max_attempts=2, backoff_s=0)
    run, lecture = BatchRun(options, Told()), add_lecture(options, "a.mp4")
    run_batch(run, [lecture], Summary())
    let_fail(monkeypatch, EXIT_STAGE_FAILED)
    assert [process_lecture(lecture, run)[0][0].state for _ in range(2)] == ["failed", "quarantined"]


def test_ticks_let_a_lecture_rest_that_the_machine_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = let_fail(monkeypatch, EXIT_ENGINE_MISSING, is_final=True, is_passing=True)
    options = LibraryOptions(tmp_path, tmp_path, ("hi",), rest_s=3600)
    lecture = add_lecture(options, "a.mp4")
    for _ in range(3):
        summary = Summary()
        run_batch(BatchRun(options, Told()), [lecture], summary)
    assert (summary.rows["a.mp4", "hi"].state, len(tried)) == ("waiting", 1)
    later = datetime.now(timezone.utc) + timedelta(seconds=3601)
    assert plan_lecture(lecture, options, later).targets == ("hi",)
    assert plan_lecture(lecture, replace(options, rest_s=0), datetime.now(timezone.utc)).targets == ("hi",)
