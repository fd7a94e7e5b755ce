"""The store of a library behind URLs: pages go there only while nobody else may write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from object_store import Bucket

from f2f.library.remote import RemoteStore
from f2f.library.remote.leases import LeaseObjects
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
