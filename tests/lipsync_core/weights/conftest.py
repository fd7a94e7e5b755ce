"""A mirror on this machine, and a cache folder of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror import Mirror, served


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with served() as started:
        yield started


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(folder))
    return folder
