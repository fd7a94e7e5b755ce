"""Lines of several machines in one file that nobody can append to: none is lost, none is there twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from object_store import Bucket

from f2f.library.remote import figures
from f2f.library.remote.figures import add_figures, compose_figures
from f2f.library.remote.mirror import Mirror

FILE = "out/library.jsonl"


class Machine:
    """What a machine has of a library's outputs."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.mirror = Mirror(folder)
        self.out = self.mirror.add(f"{bucket.url}/out")

    def finish(self, number: int) -> None:
        add_figures(self.mirror, self.out, {"time": f"2026-01-0{number}", "manifest": f"{number:064x}"})

    def compose(self) -> None:
        self.mirror.look_below([self.out], self.out)
        self.done = compose_figures(self.mirror, self.out)

    def put(self) -> None:
        self.mirror.upload(self.out / "library.jsonl")


def days(bucket: Bucket) -> list[str]:
    return [line[17:19] for line in bucket.get(FILE).splitlines()]


def test_no_line_is_lost_between_machines_and_none_comes_twice(
    memory: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Machine(memory, tmp_path / "1"), Machine(memory, tmp_path / "2")
    one.finish(2)
    one.compose()
    two.finish(1)
    two.compose()
    two.put()
    one.put()  # which knows nothing of the other's line, and is the last
    assert days(memory) == ["02"]
    two.compose()
    two.put()
    assert sorted(days(memory)) == ["01", "02"]
    one.finish(1)  # the very same output once more
    one.compose()
    assert (one.out / "library.jsonl").read_text() == memory.get(FILE)
    now_s = time.time()
    monkeypatch.setattr(figures.time, "time", lambda: now_s + 2 * 86400)
    one.finish(3)
    one.compose()
    one.put()
    assert len(memory.names("out/.f2f/library/metrics")) == 3  # composing removes nothing
    for key in one.done:
        memory.objects.remove(key)
    # What stood in the file for a day is there alone; what was not there yet stays for others to find.
    assert sorted(days(memory)) == ["01", "02", "03"]
    assert memory.names("out/.f2f/library/metrics") == {f"out/.f2f/library/metrics/{3:064x}.json"}
    two.compose()
    assert sorted(line[17:19] for line in (two.out / "library.jsonl").read_text().splitlines()) == [
        "01", "02", "03",
    ]  # fmt: skip
