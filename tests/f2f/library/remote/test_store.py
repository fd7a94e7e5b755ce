"""The store of a library behind URLs: pages go there only while nobody else may write them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from object_store import Bucket
from synthetic import make_clip

from f2f import cli
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.pricing import price_library
from f2f.library.remote import RemoteStore, figures
from f2f.library.remote import store as remote_store
from f2f.library.remote.leases import LeaseObjects
from f2f.library.remote.objects import Objects
from f2f.library.store import StoreError

PAGES_LEASE = "out/.f2f/library/pages-writer/lease"


@pytest.fixture
def store(memory: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    memory.put("lec/a.mp4", "a film")
    return RemoteStore(f"{memory.url}/lec", f"{memory.url}/out")


def leases(bucket: Bucket) -> LeaseObjects:
    return LeaseObjects(bucket.objects, f"{bucket.key}/{PAGES_LEASE}")


@pytest.mark.parametrize("is_changed", [True, False])
def test_pages_of_a_writer_who_was_replaced_go_nowhere(
    memory: Bucket, store: RemoteStore, *, is_changed: bool
) -> None:
    memory.put("out/index.html", "old")
    memory.put("out/.f2f/library/pages/2.html", "old")

    def writer(replace: Callable[[], object]) -> Callable[[], None]:
        def write() -> None:
            if is_changed:
                (store.output_dir / "index.html").write_text("new index")
            (store.output_dir / ".f2f" / "library" / "pages" / "2.html").unlink()
            replace()

        return write

    def take_over() -> None:  # as another machine does after this one slept
        folder = leases(memory)
        assert folder.create(folder.highest() + 1, b"another")

    before = memory.names("out")
    with pytest.raises(StoreError, match="may write them by now"):
        store.write_pages(writer(take_over))
    assert memory.get("out/index.html") == "old"
    assert {"out/.f2f/library/pages/2.html", "out/index.html"} == before <= memory.names("out")
    for number in leases(memory).numbers():
        leases(memory).write(number, b"left")
    store.write_pages(writer(lambda: None))
    assert memory.get("out/index.html") == ("new index" if is_changed else "old")
    assert "out/.f2f/library/pages/2.html" not in memory.names("out")


def test_what_cannot_be_read_is_refused_in_a_price_and_the_rest_counts(
    memory: Bucket, store: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip(tmp_path / "good.mp4", 2, fps="8", size="64x48")
    memory.put("lec/good.mp4", (tmp_path / "good.mp4").read_bytes())
    memory.put("lec/empty.mp4", b"")
    memory.put("lec/gone.mp4", "a film")
    plain, asked = Objects.read_part, []

    def read_part(self: Objects, key: str, start: int, end: int) -> bytes:
        asked.append((key.rpartition("/")[2], start, end))
        if key.endswith("a.mp4"):
            raise StoreError(f"reading {self.url(key)}: these credentials may not do that")
        return plain(self, key, start, end)

    monkeypatch.setattr(Objects, "read_part", read_part)
    store.look()
    memory.remove("lec/gone.mp4")
    (store.root / "gone.mp4").unlink()
    options = LibraryOptions(store.root, store.output_dir, ("hi",), store=store)
    names = ("a.mp4", "empty.mp4", "gone.mp4", "good.mp4")
    price = price_library(options, [Lecture(store.root / name, name, ("hi",)) for name in names])
    reasons = {one.name: one.reason for one in price.refused}
    assert reasons.keys() == {"a.mp4", "empty.mp4", "gone.mp4"}
    assert reasons["a.mp4"] == f"reading {memory.url}/lec/a.mp4: these credentials may not do that"
    assert reasons["gone.mp4"] == f"{memory.url}/lec/gone.mp4 is gone; try again"
    assert (price.n_lectures, round(price.video_s)) == (1, 2)
    assert {name for name, start, end in asked if start < end} == {name for name, *_ in asked} == {
        "a.mp4", "good.mp4",
    }  # fmt: skip


def test_figures_are_tidied_with_the_pages_behind_the_file_and_by_nobody_who_reads(
    memory: Bucket, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_DAY_S", -60.0)
    text, name = f'{{"manifest":"{1:064x}"}}', f"out/.f2f/library/metrics/{1:064x}.json"
    memory.put(name, text)
    store.write_pages(lambda: None)
    store.look()
    store.fetch_figures()
    assert (memory.get("out/library.jsonl"), memory.get(name)) == (text + "\n", text)

    def upload(*args: object) -> None:
        raise StoreError("full")

    with monkeypatch.context() as broken, pytest.raises(StoreError, match="full"):
        broken.setattr(Objects, "upload", upload)
        store.write_pages(lambda: (store.output_dir / "index.html").write_text("new"))
    assert memory.get(name) == text
    store.write_pages(lambda: None)
    assert memory.get("out/library.jsonl") == text + "\n"
    assert not memory.names("out/.f2f/library/metrics")


def test_the_last_pages_wait_for_another_writer_who_comes_to_an_end(
    memory: Bucket, store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now_s, left_s = leases(memory), 0.0, 300.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        if now_s >= left_s and folder.read(1) != b"left":
            folder.write(1, b"left")

    monkeypatch.setattr(remote_store, "time", SimpleNamespace(monotonic=lambda: now_s, sleep=sleep))
    assert folder.create(1, b"{}")  # written just now by somebody on another machine
    with pytest.raises(StoreError, match="other machines have been writing them for 60 s"):
        store.write_pages(lambda: (store.output_dir / "index.html").write_text("early"))
    assert now_s < 62
    store.write_pages(lambda: (store.output_dir / "index.html").write_text("last"), is_last=True)
    assert memory.get("out/index.html") == "last"
    assert folder.create(folder.highest() + 1, b"{}")
    left_s = now_s + 3000
    with pytest.raises(StoreError, match="for 900 s"):
        store.write_pages(lambda: None, is_last=True)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_batch_waits_with_its_last_pages_unless_it_was_interrupted(
    memory: Bucket, store: RemoteStore, monkeypatch: pytest.MonkeyPatch, *, is_interrupted: bool
) -> None:
    asked: list[bool] = []

    def write_pages(self: RemoteStore, write: Callable[[], object], *, is_last: bool = False) -> None:
        asked.append(is_last)

    def run_batch(*args: object) -> None:
        if is_interrupted:
            raise KeyboardInterrupt

    monkeypatch.setattr(RemoteStore, "write_pages", write_pages)
    monkeypatch.setattr("f2f.library.batch.run_batch", run_batch)
    code = cli.run(["batch", f"{memory.url}/lec", "--to", "hi", "-o", f"{memory.url}/out"])
    assert (code, asked) == ((130, [False]) if is_interrupted else (0, [True]))


def test_pages_that_cannot_be_written_are_named_by_urls(
    memory: Bucket, store: RemoteStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write_pages(self: RemoteStore, *args: object, **rest: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(self.output_dir / "index.html"))

    monkeypatch.setattr(RemoteStore, "write_pages", write_pages)
    monkeypatch.setattr("f2f.library.batch.run_batch", lambda *args: None)
    cli.run(["batch", f"{memory.url}/lec", "--to", "hi", "-o", f"{memory.url}/out"])
    shown = " ".join(capsys.readouterr().err.split())
    assert f"pages cannot be written: {memory.url}/out/index.html: the disk is full" in shown
