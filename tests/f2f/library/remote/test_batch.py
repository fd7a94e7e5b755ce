"""Whole batches over buckets: real child processes whose stages take no time, and real signals."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from object_store import Bucket
from processes import group_is_gone
from typer.testing import CliRunner

from f2f import cli
from f2f.library.remote.objects import Objects
from f2f.library.store import StoreError
from f2f.library.urls import is_url

CUE = "1\n00:00:00,200 --> 00:00:01,800\nGood morning\n"


@pytest.fixture(autouse=True)
def no_scratch_stays(tmp_path: Path, worker_log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens, nothing of a library stays on the machine."""
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    yield
    gc.collect()
    assert not list((tmp_path / "home").glob("remote/*"))


def batch(bucket: Bucket, *words: str, to: str = "hi", out: str = "/out") -> tuple[int, dict[str, str], str]:
    """Run the command; return its code, the last word on each language, and what was printed."""
    place = out if not out.startswith("/") or Path(out).is_dir() else bucket.url + out
    command = ["batch", f"{bucket.url}/lec", "--to", to, "-o", place, "--backoff", "0.05", "--json", *words]
    done = CliRunner().invoke(cli.app, command)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [event for event in events if event["event"] == "language"]
    states = {f"{row['lecture']} {row['target_language']}".strip(): row["state"] for row in rows}
    return done.exit_code, states, done.stdout + done.stderr


def worked(log: Path) -> Counter[str]:
    """How often each stage worked since the last look."""
    lines = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    log.write_text("")
    return Counter(lines)


def status(bucket: Bucket, workspace: str, target: str = "hi") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bucket.get(f"out/{workspace}/status.json"))["languages"][target]
    return found


def test_a_library_is_made_once_and_what_changes_again(memory: Bucket, worker_log: Path) -> None:
    memory.put("lec/a.mp4", "a film")
    memory.put("lec/week 1/b#?%20.mp4", "another film")
    code, states, said = batch(memory)
    assert (code, set(states.values())) == (0, {"made"}), said
    assert "not throughout the library" in said
    names = memory.names("out")
    stem = "out/week 1/b#?%20.hi"
    assert {f"{stem}{suffix}" for suffix in (".mp4", ".srt", ".json", ".html")} < names
    assert {f"out/{name}" for name in ("index.html", "library.html", "library.prom", "library.jsonl")} < names
    assert "week%201/b%23%3F%2520.hi.mp4" in memory.get("out/index.html")
    assert f'f2f_outputs_total{{library="{memory.url}/out",' in memory.get("out/library.prom")
    assert [json.loads(line)["lecture"] for line in memory.get("out/library.jsonl").splitlines()] == [
        "a.mp4", "week 1/b#?%20.mp4",
    ]  # fmt: skip
    assert memory.names("lec") == {"lec/a.mp4", "lec/week 1/b#?%20.mp4"}
    worked(worker_log)

    code, states, _ = batch(memory)
    assert (code, set(states.values()), worked(worker_log)) == (0, {"unchanged"}, Counter())

    memory.put("lec/week 1/b#?%20.srt", CUE)
    code, states, said = batch(memory)
    assert (code, states) == (0, {"a.mp4 hi": "unchanged", "week 1/b#?%20.mp4 hi": "made"}), said
    assert worked(worker_log)["probe"] == 0  # the video is known: only its captions are new
    assert len(memory.get("out/library.jsonl").splitlines()) == 3


def test_a_second_language_takes_what_is_finished_and_gone_outputs_are_made_again(
    memory: Bucket, worker_log: Path
) -> None:
    memory.put("lec/a.mp4", "a film")
    assert batch(memory)[0] == 0
    worked(worker_log)
    memory.remove("out/a.hi.mp4")
    code, states, said = batch(memory, to="hi,es")
    assert (code, states) == (0, {"a.mp4 hi": "made", "a.mp4 es": "made"}), said
    ran = worked(worker_log)
    assert not {"film a.mp4", "translate hi", "mux hi"} & ran.keys()
    assert ran["mux es"] == 1
    assert memory.get("out/a.hi.mp4") == memory.get("out/a.es.mp4").replace("es", "hi")


def test_failures_are_kept_with_urls_and_do_not_stop_the_rest(memory: Bucket, worker_log: Path) -> None:
    memory.put("lec/a.mp4", "fail")
    memory.put("lec/c.mp4", "a film")
    memory.put("out/c.hi.srt", "a person's own")
    memory.put("out/c.hi.html", "a person's own")
    code, states, _ = batch(memory, "--attempts", "1")
    assert (code, states) == (4, {"a.mp4 hi": "quarantined", "c.mp4 hi": "quarantined"})
    assert status(memory, ".f2f/a")["error"] == "transcribe: nothing is heard"
    assert memory.get("out/c.hi.html") == "a person's own"
    assert f"{memory.url}/out/c.hi.html was not made by f2f here" in status(memory, ".f2f/c")["error"]
    assert "quarantined" in memory.get("out/index.html")


def test_keys_that_can_be_no_file_are_refused_by_name(memory: Bucket, worker_log: Path) -> None:
    memory.put("lec/w/" + "x" * 300 + ".mp4", "a film")
    memory.put("lec/w/a?versionId=1.mp4", "a film")
    code, states, said = batch(memory)
    assert code == 4
    assert {"w/" + "x" * 300 + ".mp4", "w/a?versionId=1.mp4"} == states.keys()
    assert "longer than 255 bytes" in said


def test_outputs_may_be_a_folder(memory: Bucket, worker_log: Path, tmp_path: Path) -> None:
    memory.put("lec/a.mp4", "a film")
    out = tmp_path / "here"
    out.mkdir()
    assert batch(memory, out=str(out))[1] == {"a.mp4 hi": "made"}
    assert (out / "a.hi.mp4").read_text() == "hello in hi crf 18"
    assert not memory.names("out")
    assert batch(memory, out=str(out))[1] == {"a.mp4 hi": "unchanged"}


def test_the_library_may_be_a_folder(memory: Bucket, worker_log: Path, tmp_path: Path) -> None:
    video = tmp_path / "lec" / "w" / "a.mp4"
    video.parent.mkdir(parents=True)
    video.write_text("a film")
    for state in ("made", "unchanged"):
        command = ["batch", str(tmp_path / "lec"), "--to", "hi", "-o", f"{memory.url}/out", "--json"]
        done = CliRunner().invoke(cli.app, command)
        rows = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "language"]
        assert [row["state"] for row in rows] == [state], done.stderr
    assert memory.get("out/w/a.hi.mp4") == "hello in hi crf 18"
    assert [path for path in tmp_path.glob("lec/**/*") if path.is_file()] == [video]


def test_a_store_that_goes_away_loses_nothing_and_shows_no_half(
    memory: Bucket, worker_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put("lec/a.mp4", "a film")
    plain, times = Objects.upload, 2

    def upload(self: Objects, path: Path, key: str) -> Any:
        nonlocal times
        if key.endswith("a.hi.json") and times:
            times -= 1
            raise StoreError("writing a.hi.json: the store is gone")
        return plain(self, path, key)

    monkeypatch.setattr(Objects, "upload", upload)
    code, states, said = batch(memory, "--attempts", "1")
    assert (code, states) == (4, {"a.mp4 hi": "failed"})
    assert "the store is gone" in said
    assert "out/.f2f/a/status.json" not in memory.names("out")
    worked(worker_log)
    code, states, said = batch(memory, "--attempts", "2")  # away once more, and then back
    assert times == 0
    assert (code, states) == (0, {"a.mp4 hi": "made"}), said
    assert not {"film a.mp4", "translate hi", "mux hi"} & worked(worker_log).keys()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["batch", "{url}/none", "--to", "hi"], "holds nothing"),
        (["batch", "{url}/lec", "--to", "hi", "--glossary", "s3://b/words.csv"], "copy it here"),
        (["batch", "{url}/lec", "--to", "hi", "--list", "s3://b/list.csv"], "copy it here"),
        (["translate", "s3://b/a.mp4", "--to", "hi"], "copy it here"),
        (["redo", "s3://b/a.hi.json", "--segment", "1"], "copy it here"),
        (["report", "{url}/lec"], "holds no figures"),
    ],
)
def test_what_cannot_be_done_there_is_said_in_one_line(
    memory: Bucket, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    memory.put("lec/a.mp4", "a film")
    assert cli.run([word.format(url=memory.url) for word in words]) == 2
    shown = capsys.readouterr().err
    assert says in shown
    assert len(shown.splitlines()) == 1
    assert {name for name in memory.names() if "/pages-writer/lease/" not in name} == {"lec/a.mp4"}
    assert is_url(memory.url)


def test_a_report_says_what_is_wrong_by_urls_and_with_the_remedy(
    memory: Bucket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put("lec/a.mp4", "a film")
    command = ["report", f"{memory.url}/lec", "-o", f"{memory.url}/out"]
    assert cli.run(command) == 2
    shown = capsys.readouterr().err
    assert f"{memory.url}/out/library.jsonl holds no figures: run f2f batch {memory.url}/lec --to" in shown

    def find(self: Objects, folder: str) -> Any:
        raise StoreError("listing: it does not answer; is the store up, and its address right?")

    memory.put("out/.f2f/a/status.json", "{}")
    monkeypatch.setattr(Objects, "find", find)
    assert cli.run(command) != 0
    shown = capsys.readouterr().err
    assert "listing: it does not answer; is the store up, and its address right?" in shown
    assert "cannot be read or written" not in shown
    assert len(shown.splitlines()) == 1


class Machine:
    """A batch in a process of its own, with a home of its own."""

    def __init__(self, bucket: Bucket, home: Path) -> None:
        command = [sys.executable, "-m", "f2f", "batch", f"{bucket.url}/lec", "--to", "hi", "--json"]
        self.process = subprocess.Popen(
            [*command, "-o", f"{bucket.url}/out"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env=os.environ | {"F2F_HOME": str(home)},
        )  # fmt: skip

    def end(self) -> Counter[str]:
        """Wait for a good end; return in which states languages were."""
        out, shown = self.process.communicate(timeout=280)
        assert self.process.returncode == 0, shown
        events = map(json.loads, out.splitlines())
        return Counter(event["state"] for event in events if event["event"] == "language")


def test_another_machine_goes_on_from_the_finished_stages_of_one_that_died(
    s3: Bucket, worker_log: Path, tmp_path: Path
) -> None:
    s3.put("lec/a.mp4", "a film")
    s3.put("lec/b c.mp4", "endless")
    one = Machine(s3, tmp_path / "one")
    wait_for(lambda: "film b c.mp4" in worker_log.read_text())  # a.mp4 is done, b c.mp4 is being heard
    [worker] = {line.split()[0] for line in worker_log.read_text().splitlines() if "b c" in line}
    wait_for(lambda: any("b c/probe/" in name for name in s3.names("out/.f2f-stages")))
    one.process.send_signal(signal.SIGKILL)
    one.process.communicate()
    assert group_is_gone(int(worker))
    assert s3.get("out/a.hi.mp4") == "hello in hi crf 18"
    before = s3.names("out")
    assert not any(name.startswith("out/b c.") or name.endswith("b c/status.json") for name in before)
    assert worked(worker_log)["probe"] == 2
    worker_log.with_name("go").touch()
    other = Machine(s3, tmp_path / "other")
    assert other.end() == {"unchanged": 1, "made": 1}
    ran = worked(worker_log)
    assert (ran["film b c.mp4"], ran["probe"], ran["film a.mp4"]) == (1, 0, 0)
    assert s3.get("out/b c.hi.mp4") == "hello in hi crf 18"
    assert len(s3.get("out/library.jsonl").splitlines()) == 2
    assert not list((tmp_path / "other").glob("remote/*"))


def wait_for(condition: Any) -> None:
    deadline_s = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
