"""What is shown while a run goes on."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from f2f import console as module
from f2f.console import BarObserver, JsonObserver, LineObserver, Observers, console_observer, counts, title
from f2f.stage import Observer


def terminal() -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=120, color_system=None, legacy_windows=False
    )


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=40)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def play(observer: Observer) -> None:
    observer.stage_started("transcribe", None)
    observer.stage_finished("transcribe", 0.0, reused=True)
    observer.stage_started("mux", "hi")
    observer.stage_progress("mux", 120, 750, "frames")
    observer.notice("a robot speaks [bold]")
    observer.notice("a robot speaks [bold]")
    observer.stage_finished("mux", 12.34, reused=False)


def test_names_and_counts() -> None:
    assert title("mux", "hi") == "mux → hi"
    assert title("probe", None) == "probe"
    assert counts(12, 40, "segments") == "12/40 segments"
    assert counts(12, None, "bytes") == "12 bytes"


def test_a_terminal_gets_a_bar_for_each_stage() -> None:
    console = terminal()
    with console_observer(console) as observer:
        assert isinstance(observer, BarObserver)
        play(observer)
    shown = text_of(console)
    for words in (
        "transcribe",
        "stored already",
        "mux → hi",
        "120/120 frames",
        "note: a robot speaks [bold]",
    ):
        assert words in shown
    assert shown.count("note: ") == 1


def test_a_pipe_gets_whole_plain_lines() -> None:
    console = pipe()
    with console_observer(console) as observer:
        assert isinstance(observer, LineObserver)
        play(observer)
    assert text_of(console).splitlines() == [
        "transcribe: stored already",
        "note: a robot speaks [bold]",
        "mux → hi: done in 12.3 s",
    ]


def test_a_pipe_hears_of_long_stages_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = pipe()
    observer = LineObserver(console)
    observer.stage_started("lipsync", "hi")
    for second in range(25):
        now[0] = 100.0 + second
        observer.stage_progress("lipsync", second * 25, 1000, "frames")
    assert text_of(console).splitlines() == ["lipsync → hi: 250/1000 frames", "lipsync → hi: 500/1000 frames"]


def test_json_lines_say_everything() -> None:
    stream = io.StringIO()
    play(JsonObserver(stream))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == [
        "stage_started", "stage_finished", "stage_started", "stage_progress", "notice", "notice",
        "stage_finished",
    ]  # fmt: skip
    assert events[3] == {
        "event": "stage_progress", "stage": "mux", "target_language": "hi",
        "done": 120, "total": 750, "unit": "frames",
    }  # fmt: skip
    assert events[6] == {
        "event": "stage_finished", "stage": "mux", "target_language": "hi", "seconds": 12.34, "reused": False,
    }  # fmt: skip


def test_several_observers_see_the_same() -> None:
    first, second = io.StringIO(), io.StringIO()
    play(Observers([JsonObserver(first), JsonObserver(second)]))
    assert first.getvalue() == second.getvalue() != ""
