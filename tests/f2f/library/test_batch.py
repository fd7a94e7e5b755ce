"""Whole batches: real child processes whose stages take no time, real signals, real leases."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import group_is_gone
from typer.testing import CliRunner

from f2f import cli
from f2f.library.status import LanguageStatus, read_status

pytestmark = pytest.mark.usefixtures("worker_log")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    root.mkdir()
    return root


def film(root: Path, name: str, content: str = "a film") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content} {name}")
    return path


def batch(
    library: Path, *words: str, to: str = "hi"
) -> tuple[int, dict[tuple[str, str], dict[str, Any]], Any]:
    """Run the command; return its code, the last word on each language, and what was printed."""
    command = ["batch", str(library), "--to", to, "--backoff", "0.05", "--json", *words]
    done = CliRunner().invoke(cli.app, command)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    rows = {
        (event["lecture"], event["target_language"]): event
        for event in events
        if event["event"] == "language"
    }
    return done.exit_code, rows, done


def states(rows: dict[tuple[str, str], dict[str, Any]]) -> dict[str, str]:
    return {f"{lecture} {target}".strip(): row["state"] for (lecture, target), row in rows.items()}


def worked(log: Path) -> list[str]:
    """What stages worked since the last look, without process ids."""
    lines = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    log.write_text("")
    return lines


def status_of(library: Path, stem: str, target: str = "hi") -> LanguageStatus:
    status = read_status(library / ".f2f" / stem)
    assert status is not None
    return status.languages[target]


def test_a_library_is_made_once_and_what_changes_again(
    library: Path, tmp_path: Path, worker_log: Path
) -> None:
    film(library, "a.mp4")
    film(library, "w1/b.mp4")
    out = tmp_path / "out"
    code, rows, done = batch(library, "-o", str(out), to="hi,es")
    assert code == 0, done.stderr
    assert states(rows) == {f"{name} {to}": "made" for name in ("a.mp4", "w1/b.mp4") for to in ("hi", "es")}
    assert rows["a.mp4", "hi"]["duration_s"] == 2
    assert (out / "w1" / "b.es.mp4").read_text() == "hello in es crf 18"
    assert not list(library.rglob("*.hi.*"))
    ran = Counter(worked(worker_log))
    assert ran["film a.mp4"] == ran["film b.mp4"] == 1  # one transcription for both languages
    assert ran["mux hi"] == ran["mux es"] == 2
    assert len((out / "library.jsonl").read_text().splitlines()) == 4
    assert "w1/b" in (out / "index.html").read_text()
    assert 'state="done"} 2' in (out / "library.prom").read_text()
    # f2f resume and redo know what a batch made.
    record = json.loads((out / "w1" / ".f2f" / "b" / "requests" / "hi.json").read_text())
    assert record["source"] == str(library / "w1" / "b.mp4")

    code, rows, _ = batch(library, "-o", str(out), to="hi,es")
    assert (code, set(states(rows).values()), worked(worker_log)) == (0, {"unchanged"}, [])

    film(library, "a.mp4", "another film")
    (out / "w1" / "b.es.mp4").unlink()
    code, rows, _ = batch(library, "-o", str(out), to="hi,es")
    made = sorted(name for name, state in states(rows).items() if state == "made")
    assert (code, made) == (0, ["a.mp4 es", "a.mp4 hi", "w1/b.mp4 es"])
    assert (out / "w1" / "b.es.mp4").exists()
    ran = Counter(worked(worker_log))
    assert (ran["probe"], ran["film b.mp4"]) == (1, 0)


def test_pages_that_cannot_be_written_are_said_once_with_the_remedy(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(library, "a.mp4")
    page = str(library / "index.html")

    def write_pages(*args: Any, **rest: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", page)

    monkeypatch.setattr("f2f.library.pages.write_pages", write_pages)
    code, rows, done = batch(library)
    assert code == 0 and rows["a.mp4", "hi"]["state"] == "made"
    [text] = [
        event["text"]
        for event in map(json.loads, done.stdout.splitlines())
        if event["event"] == "notice" and "pages" in event["text"]
    ]
    assert text.startswith(f"the library's pages cannot be written: {page}: the disk is full; make room")


def test_a_library_that_is_away_when_pages_are_written_ends_no_batch(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(library, "a.mp4")
    monkeypatch.setattr("f2f.library.batch.run_batch", lambda *args: library.rename(f"{library} away"))
    code, _, done = batch(library)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert code == 0
    assert [event["event"] for event in events] == ["notice", "library"]
    assert events[0]["text"].startswith(f"the library's pages cannot be written: {library} is not a folder")


def test_bad_files_never_stop_the_rest(library: Path, worker_log: Path) -> None:
    """A crash, a failure and a file that is no video cost nothing but themselves."""
    unusable = "[red]\x1b[2J"
    for name, content in (("0crash", "crash"), ("once", "once"), (unusable, "unusable")):
        film(library, f"{name}.mp4", content)
    (library / "0link.mp4").symlink_to("/etc/hostname")
    code, rows, done = batch(library, "--attempts", "2")
    assert code == 4
    assert states(rows) == {
        "0crash.mp4 hi": "quarantined",
        "once.mp4 hi": "made",
        f"{unusable}.mp4 hi": "quarantined",
        "0link.mp4": "refused",
    }
    assert "killed by SIGKILL" in rows["0crash.mp4", "hi"]["reason"]
    assert rows[f"{unusable}.mp4", "hi"]["reason"] == f"cannot use {unusable}.mp4: no picture"
    assert "not the first time" in done.stderr
    ran = Counter(worked(worker_log))
    assert (ran["film 0crash.mp4"], ran["film once.mp4"], ran[f"film {unusable}.mp4"]) == (2, 2, 0)
    assert status_of(library, "0crash").attempts == 2
    histories = {stem: read_status(library / ".f2f" / stem) for stem in ("0crash", "once")}
    assert {stem: len(one.failures) for stem, one in histories.items() if one} == {"0crash": 2, "once": 1}
    assert status_of(library, "once").attempts == 0
    assert status_of(library, unusable).attempts == 1  # the same input fails the same way
    assert "Traceback" not in done.stderr

    done = CliRunner().invoke(cli.app, ["batch", str(library), "--to", "hi"])
    assert (done.exit_code, worked(worker_log)) == (4, [])
    assert "\x1b[2J" not in done.stdout + done.stderr
    heading, *lines = done.stdout.splitlines()
    assert heading.split() == ["lecture", "language", "state", "duration", "took", "reason"]
    assert any(line.startswith("[red]") and "quarantined" in line for line in lines)
    assert "1 unchanged, 2 quarantined, 1 refused" in lines
    batch(library, "--attempts", "1", "--retry-quarantined", "--pattern", "0crash*")
    assert Counter(worked(worker_log))["film 0crash.mp4"] == 1
    film(library, "0crash.mp4", "repaired")
    (library / "0link.mp4").unlink()
    (library / f"{unusable}.mp4").unlink()
    code, rows, _ = batch(library)
    assert (code, states(rows)["0crash.mp4 hi"]) == (0, "made")


def test_a_full_disk_gives_no_lecture_up(library: Path, worker_log: Path) -> None:
    film(library, "a.mp4", "full")
    for _ in range(2):
        code, rows, _ = batch(library, "--attempts", "2")
        assert (code, states(rows)) == (4, {"a.mp4 hi": "failed"})
        assert "the disk is full; make room" in rows["a.mp4", "hi"]["reason"]
    assert Counter(worked(worker_log))["film a.mp4"] == 2 + 1
    worker_log.with_name("room").touch()
    code, rows, _ = batch(library)
    assert (code, states(rows)) == (0, {"a.mp4 hi": "made"})


@pytest.mark.parametrize("content", ["lacks", "lacks room"])
def test_what_the_machine_lacks_gives_no_lecture_up(library: Path, content: str) -> None:
    film(library, "a.mp4", content)
    for _ in range(2):
        code, rows, _ = batch(library, "--attempts", "1")
        assert (code, states(rows)) == (4, {"a.mp4 hi": "failed"})
        assert "no engine speaks Hindi" in rows["a.mp4", "hi"]["reason"]


def test_a_next_attempt_that_is_far_is_left_to_the_next_batch(library: Path, worker_log: Path) -> None:
    film(library, "a.mp4", "fail")
    code, rows, _ = batch(library, "--backoff", "5000")
    assert (code, states(rows)) == (4, {"a.mp4 hi": "failed"})
    worked(worker_log)
    code, rows, done = batch(library, "--backoff", "5000")
    assert (code, states(rows), worked(worker_log)) == (4, {"a.mp4 hi": "waiting"}, [])
    assert "a.mp4 → hi: waiting: transcribe: nothing is heard" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "xx-yy-zz"], "xx-yy-zz"),
        ([], "--to"),
        (["--to", "hi", "--set", "transcribe.captions=a.srt"], "put captions beside each video"),
        (["--to", "hi", "--list", "none.csv"], "none.csv"),
        (["--to", "hi", "--attempts", "0"], "--attempts"),
    ],
)
def test_what_is_wrong_for_all_is_said_before_any(
    library: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    film(library, "a.mp4")
    assert cli.run(["batch", str(library), *words]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not (library / ".f2f").exists()


def test_a_list_says_what_each_lecture_wants(library: Path, worker_log: Path) -> None:
    film(library, "a.mp4")
    film(library, "w1/b.mp4")
    (library / "list.csv").write_text("lecture,to,mux.crf\nw1/b.mp4,hi,10\nw1/b.mp4,es,12\n")
    code, rows, done = batch(library, "--list", str(library / "list.csv"), to="fr")
    assert code == 0, done.stderr
    assert states(rows) == {"w1/b.mp4 hi": "made", "w1/b.mp4 es": "made"}
    assert (library / "w1" / "b.es.mp4").read_text() == "hello in es crf 12"
    assert Counter(worked(worker_log))["film b.mp4"] == 1


class Running:
    """A batch in a process of its own."""

    def __init__(self, library: Path, *words: str) -> None:
        command = [sys.executable, "-m", "f2f", "batch", str(library), "--to", "hi", "--json", *words]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def end(self, code: int) -> dict[str, int]:
        """Wait for the end with ``code``; return how many languages were in each state."""
        out, shown = self.process.communicate(timeout=280)
        assert self.process.returncode == code, shown
        [*_, counts] = [event["counts"] for event in map(json.loads, out.splitlines()) if "counts" in event]
        return dict(counts)


@pytest.fixture
def start(library: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*words: str) -> Running:
        started.append(Running(library, *words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def wait_for_worker(log: Path, film_name: str) -> int:
    """Wait until a worker transcribes a film; return its process, which leads its group."""
    deadline_s = time.monotonic() + 200
    while time.monotonic() < deadline_s:
        for line in log.read_text().splitlines():
            pid, _, what = line.partition(" ")
            if what == f"film {film_name}":
                return int(pid)
        time.sleep(0.02)
    raise AssertionError(f"no worker took {film_name}")


def test_two_batches_at_once_do_nothing_twice(
    library: Path, worker_log: Path, start: Callable[..., Running]
) -> None:
    for number in range(4):
        film(library, f"w/{number}.mp4", "slow")
    both = [start(), start()]
    counts = [one.end(0) for one in both]
    ran = Counter(worked(worker_log))
    films = {line: count for line, count in ran.items() if line.startswith("film ")}
    assert films == {f"film {number}.mp4": 1 for number in range(4)}
    assert (ran["mux hi"], ran["report"]) == (4, 4)
    assert sum(one["made"] for one in counts) == 4
    assert len((library / "library.jsonl").read_text().splitlines()) == 4
    assert all(status_of(library / "w", str(number)).state == "done" for number in range(4))
    assert not list(library.rglob("*.tmp"))


def test_what_a_killed_batch_held_is_done_by_another(
    library: Path, worker_log: Path, start: Callable[..., Running]
) -> None:
    """The batch is killed, not its worker: that must notice, and go."""
    film(library, "a.mp4", "endless")
    first = start()
    worker = wait_for_worker(worker_log, "a.mp4")
    second = start()
    while "held" not in (line := second.process.stdout.readline()):  # type: ignore[union-attr]
        assert line, "the second batch did not wait for what the first holds"
    worker_log.with_name("go").touch()
    first.process.send_signal(signal.SIGKILL)
    assert group_is_gone(worker)
    assert second.end(0) == {"made": 1}
    assert Counter(worked(worker_log))["film a.mp4"] == 2
    assert status_of(library, "a").attempts == 0  # that was no fault of the lecture


def test_ctrl_c_ends_everything_and_the_same_command_goes_on(
    library: Path, worker_log: Path, start: Callable[..., Running]
) -> None:
    film(library, "a.mp4", "endless")
    first = start()
    worker = wait_for_worker(worker_log, "a.mp4")
    os.kill(first.process.pid, signal.SIGINT)
    _, shown = first.process.communicate(timeout=200)
    assert first.process.returncode == 130
    assert "f2f: interrupted" in shown
    assert "Traceback" not in shown
    assert group_is_gone(worker)
    assert not list(library.rglob("*.tmp"))
    assert read_status(library / ".f2f" / "a") is None
    worker_log.with_name("go").touch()
    code, rows, _ = batch(library)
    assert (code, set(states(rows).values())) == (0, {"made"})
