"""Objects: any name survives, one is created once, and what goes wrong is one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from object_store import Bucket

from f2f.errors import EngineUnavailableError, UsageError
from f2f.library.remote.mirror import Mirror
from f2f.library.remote.objects import Objects
from f2f.library.store import StoreError

AWKWARD = [
    "a b", "a#b", "a?b=1&c", "a%20b", "ünïcode 講義", "[x]*{y}", "a+b", "x::y", "tab\t", "q\"'<&>", "-dash",
    "~t", "back\\slash", "end.", "$(x);`y`",
]  # fmt: skip


def round_trip(objects: Objects, top: str, name: str, tmp_path: Path) -> None:
    key = f"{top}/{name}/{name}.mp4"
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(name.encode())
    made = objects.upload(source, key)
    assert (made.key, made.name) == (key, f"{name}.mp4")
    assert objects.ls(f"{top}/{name}") == [made] == objects.find(f"{top}/{name}")
    assert [one.key for one in objects.ls(top) if one.is_folder and one.name == name] == [f"{top}/{name}"]
    assert objects.read(key) == name.encode()
    assert objects.download(made, back)
    assert back.read_bytes() == name.encode()
    objects.remove(key)
    assert objects.entry(key) is None
    assert objects.read(key) is None


def test_awkward_names_survive_a_true_server(s3: Bucket, tmp_path: Path) -> None:
    objects, top = s3.objects, s3.key
    for name in AWKWARD:
        round_trip(objects, top, name, tmp_path)


@pytest.mark.parametrize("name", [*AWKWARD, "new\nline"])
def test_awkward_names_survive(memory: Bucket, tmp_path: Path, name: str) -> None:
    objects, top = memory.objects, memory.key
    round_trip(objects, top, name, tmp_path)


def test_what_is_not_there_is_nothing(s3: Bucket, tmp_path: Path) -> None:
    objects, top = s3.objects, s3.key
    assert objects.ls(f"{top}/none") == objects.find(f"{top}/none") == []
    objects.remove(f"{top}/none")
    s3.put("marked/", b"")  # as consoles make folders
    s3.put("marked/one", b"1")
    assert [one.name for one in objects.ls(f"{top}/marked")] == ["one"]


def test_two_slashes_in_a_row_are_seen_and_told_from_a_mark_of_a_folder(s3: Bucket, tmp_path: Path) -> None:
    for name in ("w/", "w/a.mp4", "w//b.mp4", "marked/", "marked/c.mp4", "/d.mp4"):
        s3.put(name, b"")
    mirror = Mirror(tmp_path)
    top = mirror.add(s3.url)
    mirror.look_below([top], top)
    assert {path.relative_to(top).as_posix() for path in top.rglob("*.mp4")} == {"w/a.mp4", "marked/c.mp4"}
    reason = "a part of its name is empty (two slashes in a row); rename it"
    assert dict(mirror.unusable(top)) == {"/": reason, "w//": reason}


def test_an_object_is_created_once(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    objects, top = s3.objects, s3.key
    assert objects.create(f"{top}/one", b"first")
    assert not objects.create(f"{top}/one", b"second")
    assert s3.get("one") == "first"
    # An answer that was lost: the request is sent again and finds what it wrote itself.
    assert objects.create(f"{top}/one", b"first")


def test_other_content_has_another_stamp_even_in_the_same_second(s3: Bucket) -> None:
    objects, top = s3.objects, s3.key
    stamps = set()
    for number in range(5):
        s3.put("one", f"{number}")
        entry = objects.entry(f"{top}/one")
        assert entry is not None
        assert objects.ls(top) == [entry]  # listed and asked for, it is the same
        stamps.add(entry.stamp_ns)
    assert len(stamps) == 5


def test_one_that_was_replaced_meanwhile_is_not_taken_for_the_one_that_was_listed(
    s3: Bucket, tmp_path: Path
) -> None:
    objects, top = s3.objects, s3.key
    s3.put("one", "before")
    [entry] = objects.ls(top)
    s3.put("one", "after!")
    assert not objects.download(entry, tmp_path / "one")
    s3.remove("one")
    assert not objects.download(entry, tmp_path / "one")


def test_a_bucket_that_is_not_there_is_said_in_one_line(s3: Bucket) -> None:
    with pytest.raises(
        StoreError, match=r"^listing s3://nobody-has-this/x: there is no such bucket; make it"
    ):
        s3.objects.ls("nobody-has-this/x")


def test_a_server_that_does_not_answer_is_said_in_one_line(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    objects = Objects("s3")
    monkeypatch.setattr(type(objects._fs), "retries", 1)
    with pytest.raises(StoreError, match="is the store up, and its address right") as caught:
        objects.write("bucket/key", b"")
    assert len(str(caught.value).splitlines()) == 1


def test_missing_credentials_are_said_in_one_line(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(StoreError, match="set AWS_ACCESS_KEY_ID"):
        Objects("s3").write("bucket/key", b"")


def test_a_missing_package_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def filesystem(protocol: str, **options: Any) -> Any:
        raise ImportError(f"Install s3fs to access {protocol}")  # as fsspec does

    with monkeypatch.context() as missing:
        missing.setattr(fsspec, "filesystem", filesystem)
        with pytest.raises(EngineUnavailableError, match=r'Install s3fs .* pip install "\.\[remote\]"'):
            Objects("s3")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(EngineUnavailableError, match=r'pip install "\.\[remote\]"'):
        Objects("s3")


def test_protocols_that_nothing_speaks_are_refused() -> None:
    with pytest.raises(UsageError, match="s3://bucket/lectures"):
        Objects("nosuch")
