"""The batch's side of a worker: lost leases, clean ends, and stages that hang."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from processes import group_is_gone

from f2f.config import Config, DeadlinesConfig
from f2f.library import child
from f2f.library.child import LostError, run_child
from f2f.library.worker import order_for
from f2f.request import Request
from f2f.stage import SilentObserver


def endless(folder: Path, config: Config | None = None) -> Request:
    """Return a run that sleeps where speech is heard."""
    source = folder / "a.mp4"
    source.write_text("endless")
    return Request(source, ("hi",), output_dir=folder, config=config or Config())


def test_a_child_whose_work_may_not_go_on_is_ended(
    tmp_path: Path, worker_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_CHECK_EVERY_S", 0.1)
    order = order_for([endless(tmp_path)], force=False, runner=None)

    def is_wanted() -> bool:
        return "film" not in worker_log.read_text()

    started_s = time.monotonic()
    with pytest.raises(LostError):
        list(run_child(order, SilentObserver(), is_wanted))
    assert time.monotonic() - started_s < 55  # it would have slept for a minute
    [pid] = {line.split()[0] for line in worker_log.read_text().splitlines()}
    assert group_is_gone(int(pid))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_stage_that_hangs_ends_its_child_and_says_why(tmp_path: Path, worker_log: Path) -> None:
    quickly = DeadlinesConfig(idle_s=1, idle_factor=0)
    order = order_for([endless(tmp_path, Config(deadlines=quickly))], force=False, runner=None)
    [result] = run_child(order, SilentObserver(), lambda: True)
    assert (result.target, result.exit_code, result.is_final) == ("hi", 4, False)
    assert result.error == (
        "transcribe was ended: it hung, with no progress for 1 s since its start (deadlines.idle_s, "
        "deadlines.idle_factor)"
    )
    assert "film a.mp4" in worker_log.read_text() and not list(tmp_path.glob("a.hi*"))


def test_files_of_the_current_folder_are_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("f2f", "queue", "random", "runpy")
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"open('{name} ran', 'w').close(); raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F2F_RUNNER", "inline")
    # Without the stages of no work: what hands them out loads much before a worker begins.
    order = order_for(
        [Request(tmp_path / "gone.mp4", ("hi",), output_dir=tmp_path)], force=False, runner=None
    )
    [result] = run_child(order, SilentObserver(), lambda: True)
    assert not list(tmp_path.glob("* ran"))
    assert result.error is not None and "gone.mp4" in result.error and result.exit_code == 2
