"""The batch's side of a worker: lost leases and clean ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from processes import group_is_gone

from f2f.library import child
from f2f.library.child import LostError, run_child
from f2f.library.worker import order_for
from f2f.request import Request
from f2f.stage import SilentObserver

SUPPORT = Path(__file__).parents[2] / "support"


def test_a_child_whose_work_may_not_go_on_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "worked.txt"
    log.touch()
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT / "tiny_worker"))
    monkeypatch.setenv("TINY_LOG", str(log))
    monkeypatch.setenv("F2F_RUNNER", "inline")
    monkeypatch.setattr(child, "_CHECK_EVERY_S", 0.1)
    source = tmp_path / "a.mp4"
    source.write_text("endless")
    order = order_for([Request(source, ("hi",), output_dir=tmp_path)], force=False, runner=None)

    def is_wanted() -> bool:
        return "film" not in log.read_text()

    started_s = time.monotonic()
    with pytest.raises(LostError):
        list(run_child(order, SilentObserver(), is_wanted))
    assert time.monotonic() - started_s < 55  # it would have slept for a minute
    [pid] = {line.split()[0] for line in log.read_text().splitlines()}
    assert group_is_gone(int(pid))
    assert not list(tmp_path.rglob("*.tmp"))
