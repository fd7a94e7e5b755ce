"""Fixtures for whole batches."""

from __future__ import annotations

from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture
def worker_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let workers have stages of no work; return the log of what they did."""
    log = tmp_path / "log" / "worked.txt"
    log.parent.mkdir()
    log.touch()
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT / "tiny_worker"))
    monkeypatch.setenv("TINY_LOG", str(log))
    monkeypatch.setenv("F2F_RUNNER", "inline")
    return log
