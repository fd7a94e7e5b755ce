"""A film, and stages that take no time."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewing import LINES
from tiny_stages import TinyStages, install


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyStages:
    monkeypatch.setenv("F2F_RUNNER", "inline")
    tiny = install(monkeypatch)
    tiny.lines = list(LINES)
    return tiny


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.mp4"
    path.write_bytes(b"a film")
    return path
