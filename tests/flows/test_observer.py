from pathlib import Path
from uuid import UUID, uuid4

import pytest

from flows.names import lecture_key
from flows.observer import UPDATE_INTERVAL_S, PrefectObserver

SOURCE = Path("/data/lecture.mp4")
KEY = f"{lecture_key(SOURCE)}-hi-lipsync-progress"


class Bars:
    """Progress store that remembers."""

    def __init__(self, *, takes: bool = True) -> None:
        self.calls: list[tuple[str, float, str]] = []
        self.takes = takes

    def create(self, progress: float, key: str, description: str) -> UUID | None:
        self.calls.append((key, progress, description))
        return uuid4() if self.takes else None

    def update(self, artifact_id: UUID, progress: float, description: str) -> None:
        self.calls.append(("update", progress, description))


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run_stage(seconds: float, step_s: float, total: float | None = 100.0, takes: bool = True) -> Bars:
    bars, clock = Bars(takes=takes), Clock()
    observer = PrefectObserver(SOURCE, bars, clock)
    observer.stage_started("lipsync", "hi")
    for i in range(round(seconds / step_s)):
        clock.now_s += step_s
        observer.stage_progress("lipsync", (i + 1) * step_s / seconds * 100, total, "frames")
    observer.stage_finished("lipsync", seconds, reused=False)
    return bars


def test_quick_stages_show_no_bar() -> None:
    assert run_stage(UPDATE_INTERVAL_S - 0.5, 0.1).calls == []


def test_long_stages_move_one_bar_at_most_every_two_seconds() -> None:
    calls = run_stage(10.0, 0.125).calls
    assert [name for name, _, _ in calls] == [KEY] + ["update"] * 5
    assert [round(percent) for _, percent, _ in calls] == [20, 40, 60, 80, 100, 100]
    assert calls[0][2] == "lipsync → hi: 20 of 100 frames"
    assert calls[-1][2] == "lipsync → hi: done in 10.0 s"


def test_unknown_totals_show_no_bar() -> None:
    assert run_stage(10.0, 0.5, total=None).calls == []


def test_more_than_all_is_shown_as_all() -> None:
    assert max(percent for _, percent, _ in run_stage(10.0, 0.5, total=50.0).calls) == 100.0


def test_a_bar_that_could_not_be_made_is_not_moved() -> None:
    calls = run_stage(4.5, 0.5, takes=False).calls
    assert [name for name, _, _ in calls] == [KEY] * 2


def test_progress_of_a_stage_that_never_started_is_ignored() -> None:
    bars = Bars()
    PrefectObserver(Path("lecture.mp4"), bars).stage_progress("mux", 1, 2, "frames")
    assert bars.calls == []


def test_notices_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    observer = PrefectObserver(Path("lecture.mp4"), Bars())
    for text in ("a lesser engine", "a lesser engine", "overflow"):
        observer.notice(text)
    assert [record.message for record in caplog.records] == ["a lesser engine", "overflow"]
