"""Rate and time left, on a terminal, in a file, and for a program."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from f2f.models.progress import EventDisplay, LineDisplay, Meter, download_display, size_words


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_and_time_left() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert meter.rate is None and meter.left_s(100) is None
    meter.push(5_000_000)  # there already: does not count
    assert meter.rate is None
    for _ in range(4):
        clock.now_s += 1
        meter.push(round(5_000_000 + (clock.now_s - 100) * 1_000_000))
    assert meter.rate == 1_000_000
    assert meter.left_s(19_000_000) == 10 and meter.left_s(None) is None


def test_only_the_last_seconds_count() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(100):
        clock.now_s = 100.0 + second
        meter.push(1000 * second if second < 50 else 50_000 + 100 * (second - 50))
    assert meter.rate is not None and abs(meter.rate - 100) < 1
    meter.push(10)  # begun again
    assert meter.rate is None


def test_lines_in_a_file() -> None:
    clock, text = Clock(), io.StringIO()
    display = LineDisplay(Console(file=text, width=100), clock)
    display.begin("whisper-small", 484_000_000)
    for second in range(1, 31):
        clock.now_s = 100.0 + second
        display.update(second * 4_000_000, 484_000_000)
    display.end("is here (484 MB)")
    assert text.getvalue().splitlines() == [
        "whisper-small: about 484 MB",
        "whisper-small: 40 MB of 484 MB, 4 MB/s, 2 min left",
        "whisper-small: 80 MB of 484 MB, 4 MB/s, 2 min left",
        "whisper-small: 120 MB of 484 MB, 4 MB/s, 2 min left",
        "whisper-small: is here (484 MB)",
    ]


def test_events_for_a_program() -> None:
    clock, events = Clock(), []  # type: ignore[var-annotated]

    def emit(event: str, **values: Any) -> None:
        events.append((event, values))

    display = EventDisplay(emit, clock)
    display.begin("x", None)
    for second in range(1, 5):
        clock.now_s = 100.0 + second / 2
        display.update(second * 100, 400)
    display.end("is here (0 kB)")
    assert [event for event, _ in events] == [
        "download_started", "download_progress", "download_progress", "download_finished",
    ]  # fmt: skip
    assert events[1][1] == {
        "model": "x", "done_bytes": 200, "total_bytes": 400, "bytes_per_s": 200, "left_s": 1,
    }  # fmt: skip


def test_bars_on_a_terminal() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120)
    with download_display(console, None) as display:
        display.begin("whisper-small", 1000)
        display.update(500, 1000)
        display.update(1000, 1000)
        display.end("is here (1 kB)")
    assert "whisper-small" in text.getvalue() and "is here (1 kB)" in text.getvalue()


def test_sizes() -> None:
    assert [size_words(n) for n in (12_345, 999_600, 435_801_865, 2_500_000_000)] == [
        "12 kB", "1 MB", "436 MB", "2.5 GB",
    ]  # fmt: skip
