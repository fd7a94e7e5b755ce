"""The mirror: whatever keys a store holds, nothing outside its folder changes and no look ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from object_store import Bucket

from f2f.errors import UsageError
from f2f.library.remote.mirror import Mirror
from f2f.library.remote.objects import Entry, Objects
from f2f.library.store import StoreError


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    folder = tmp_path / "home" / "mirror"
    folder.mkdir(parents=True)
    return Mirror(folder)


def look(mirror: Mirror, bucket: Bucket) -> tuple[Path, dict[str, str]]:
    """Look at the library; return its folder, and what in it can be no file."""
    top = mirror.add(bucket.url)
    mirror.look_below([top], top)
    return top, dict(mirror.unusable(top))


def test_keys_that_lead_out_of_the_folder_of_books_touch_nothing(
    memory: Bucket, mirror: Mirror, tmp_path: Path
) -> None:
    mine = tmp_path / "thesis.tex"
    mine.write_text("years of work")
    up = "../" * 5
    memory.put(f".f2f/{up}thesis.tex", "anything")
    memory.put(f".f2f/{up}status.json", "{}")
    memory.put(".f2f/a/./status.json", "{}")
    memory.put(".f2f/b/status.json", '{"good": 1}')
    top, unusable = look(mirror, memory)
    assert (top / f".f2f/{up}thesis.tex").resolve() == mine  # there it would have gone
    assert mine.read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir() if path != mine] == ["home"]
    assert (top / ".f2f" / "b" / "status.json").read_text() == '{"good": 1}'
    assert not (top / ".f2f" / "a").exists()
    assert set(unusable) == {f".f2f/{up}thesis.tex", f".f2f/{up}status.json", ".f2f/a/./status.json"}


def test_keys_of_books_that_no_disk_takes_do_not_end_the_look(memory: Bucket, mirror: Mirror) -> None:
    memory.put(".f2f/a\0b/status.json", "{}")
    memory.put(".f2f/" + "x" * 256 + "/status.json", "{}")
    memory.put(".f2f/a/status.json", "a folder")
    memory.put(".f2f/a", "a file and")
    top, unusable = look(mirror, memory)
    assert (top / ".f2f" / "a" / "status.json").read_text() == "a folder"
    assert [reason.partition(";")[0] for _, reason in sorted(unusable.items())] == [
        "it is a file and a folder at once",
        "its name can be none of a file",
        "its name is longer than 255 bytes",
    ]
    mirror.look_into_books(top / ".f2f" / "a")  # names of one workspace are not told twice
    assert dict(mirror.unusable(top)) == unusable


def test_a_look_at_a_folder_outside_removes_nothing_there(
    memory: Bucket, mirror: Mirror, tmp_path: Path
) -> None:
    memory.put("a.mp4", "a film")
    top = mirror.add(memory.url)
    mine = tmp_path / "mine" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("years of work")
    (top / "link").symlink_to(mine.parent)
    for folder in (mine.parent, top / ".." / ".." / ".." / ".." / "mine", top / "link"):
        assert folder.resolve() == mine.parent
        with pytest.raises(StoreError, match="is no folder of the library"):
            mirror.look_in(folder)
        assert mine.read_text() == "years of work"
    assert not mirror.holds(top / "..")
    assert mirror.holds(top / "..a")


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_a_url_that_no_disk_can_stand_for_is_refused_in_one_line(mirror: Mirror, name: str) -> None:
    with pytest.raises(UsageError, match="is no place for a library: its name ") as caught:
        mirror.add(f"memory://bucket/{name}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_became_a_folder_between_two_looks_and_back(memory: Bucket, mirror: Mirror) -> None:
    as_files = {"w": "a film", ".f2f/a": "something", ".f2f/library": "something"}
    as_folders = {"w/deep/a.mp4": "a film", ".f2f/a/status.json": "{}", ".f2f/library/x/y.html": "<p>"}
    for names in (as_files, as_folders, as_files, as_folders):
        for name in memory.names():
            memory.remove(name)
        for name, text in names.items():
            memory.put(name, text)
        top, unusable = look(mirror, memory)
        here = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
        assert {name: path.stat().st_size for name, path in here.items()} == {
            name: len(text) for name, text in names.items()
        }
        assert not unusable


@pytest.mark.parametrize("size", [2**62, 2**70])
def test_an_object_larger_than_files_can_be_is_told_and_the_rest_seen(
    memory: Bucket, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for name in ("a.mp4", "b.mp4", ".f2f/a/sound.wav", ".f2f/b/status.json"):
        memory.put(name, "a film")
    top, unusable = look(mirror, memory)
    assert not unusable
    for ask in ("ls", "find"):
        plain = getattr(Objects, ask)

        def grown(self: Objects, folder: str, plain: Any = plain) -> list[Entry]:
            found: list[Entry] = plain(self, folder)
            return [replace(one, size=size) if one.name in ("a.mp4", "sound.wav") else one for one in found]

        monkeypatch.setattr(Objects, ask, grown)
    top, unusable = look(mirror, memory)
    assert unusable.keys() == {"a.mp4", ".f2f/a/sound.wav"}
    assert all(f"{size} bytes are more than" in reason for reason in unusable.values())
    assert [path.name for path in top.iterdir() if path.is_file()] == ["b.mp4"]
    assert (top / ".f2f" / "b" / "status.json").read_text() == "a film"
    assert not list(top.rglob(".*.tmp"))
