"""The lossless store of generated faces."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.faces.pasting import FacePatch
from lipsync_core.patches import PatchWriter, join_patches, read_patches, table_path


def make_patches(count: int = 12) -> list[tuple[int, FacePatch]]:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)
    return [
        (3 * i + 2 * (i > 5), FacePatch((i, 2, 100 + i, 150), face, round((i % 4 + 1) / 4, 6)))
        for i, face in enumerate(faces)
    ]


def write(path: Path, patches: list[tuple[int, FacePatch]]) -> Path:
    with PatchWriter(path, Fraction(30000, 1001)) as writer:
        for index, patch in patches:
            writer.write(index, patch)
    return path


def test_round_trip_is_lossless(tmp_path: Path) -> None:
    patches = make_patches()
    back = list(read_patches(write(tmp_path / "p.mkv", patches)))
    assert [i for i, _ in back] == [i for i, _ in patches]
    for (_, wrote), (_, read) in zip(patches, back, strict=True):
        assert (read.box, read.opacity) == (wrote.box, wrote.opacity)
        assert np.array_equal(read.face_bgr, wrote.face_bgr)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.jsonl", "p.mkv"]


def test_same_patches_same_bytes(tmp_path: Path) -> None:
    one, two = (write(tmp_path / f"{n}.mkv", make_patches()) for n in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert table_path(one).read_bytes() == table_path(two).read_bytes()


def test_joined_files_hold_all_patches(tmp_path: Path) -> None:
    patches = make_patches()
    folder = tmp_path / "it's\n#1 %d?"
    folder.mkdir()
    parts = [write(folder / f"{n}.mkv", patches[a:b]) for n, (a, b) in enumerate([(0, 5), (5, 6), (6, 12)])]
    whole, joined = write(tmp_path / "whole.mkv", patches), folder / "joined.mkv"
    join_patches(parts, joined, Fraction(30000, 1001))
    for (index, wrote), (found, read) in zip(read_patches(whole), read_patches(joined), strict=True):
        assert (found, read.box, read.opacity) == (index, wrote.box, wrote.opacity)
        assert np.array_equal(read.face_bgr, wrote.face_bgr)
    assert table_path(joined).read_bytes() == table_path(whole).read_bytes()
    once = joined.read_bytes()
    join_patches(parts, joined, Fraction(30000, 1001))
    assert joined.read_bytes() == once
    assert {p.suffix for p in folder.iterdir()} == {".mkv", ".jsonl"}
    with pytest.raises(InvalidInputError, match="comes after that of frame 35"):
        join_patches(parts[::-1], tmp_path / "j.mkv", Fraction(25))
    with pytest.raises(MediaError):
        join_patches([tmp_path / "absent.mkv"], tmp_path / "j.mkv", Fraction(25))
    assert not list(tmp_path.glob("*j.*"))


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), PatchWriter(tmp_path / "p.mkv", Fraction(25)) as writer:
        writer.write(0, make_patches(1)[0][1])
        raise RuntimeError("boom")
    with pytest.raises(MediaError, match="not one patch"), PatchWriter(tmp_path / "p.mkv", Fraction(25)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_order_and_name_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.mkv"):
        PatchWriter(tmp_path / "p.mp4", Fraction(25))
    (_, patch) = make_patches(1)[0]
    with (
        pytest.raises(InvalidInputError, match="after"),
        PatchWriter(tmp_path / "p.mkv", Fraction(25)) as writer,
    ):
        writer.write(4, patch)
        writer.write(4, patch)


def test_damage_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.mkv", make_patches())
    table = table_path(path)
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    for content, words in (
        ("".join(lines[:-2]), "differ"),
        ("".join(lines[:4]) + '{"frame": 9', "cannot read"),
        ('{"format": "something else"}\n', "no table"),
        ("[]\n", "no table"),
        ("".join(lines[:1]) + "[1, 2]\n", "cannot read"),
    ):
        table.write_text(content, encoding="utf-8")
        with pytest.raises(MediaError, match=words):
            list(read_patches(path))
    table.unlink()
    with pytest.raises(MediaError, match="cannot read"):
        list(read_patches(path))
    with pytest.raises(MediaError, match="no such file"):
        list(read_patches(tmp_path / "absent.mkv"))


def test_reading_may_stop_early(tmp_path: Path) -> None:
    patches = read_patches(write(tmp_path / "p.mkv", make_patches()))
    assert next(patches)[0] == 0
    patches.close()
