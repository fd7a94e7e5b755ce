"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lipsync_core.whole_files import part_beside, whole_file


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.b.txt"
    target.write_text("old")
    with whole_file(target) as part:
        assert part == part_beside(target) and part.parent == tmp_path
        assert part.name.startswith(".") and part.suffix == ".txt"
        part.write_text("new")
        assert target.read_text() == "old"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.b.txt", "new")]


def test_what_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="boom"), whole_file(target) as part:
        part.write_text("half")
        raise RuntimeError("boom")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]
