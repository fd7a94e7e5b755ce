"""Threads around ffmpeg: order, errors, and nothing left running."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lipsync_core.errors import MediaError
from lipsync_core.media import (
    BackgroundWriter,
    EncodeOptions,
    VideoWriter,
    queue_length,
    read_ahead,
    read_frames,
)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before


def test_everything_in_order() -> None:
    assert list(read_ahead(iter(range(1000)), 3)) == list(range(1000))
    assert list(read_ahead(iter(()), 3)) == []


def test_an_error_comes_in_its_turn() -> None:
    def failing() -> Iterator[int]:
        yield from range(5)
        raise MediaError("decoder fell over")

    items = read_ahead(failing(), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(MediaError, match="fell over"):
        next(items)


def test_no_more_than_asked_for_is_made_early() -> None:
    made = 0

    def counted() -> Iterator[int]:
        nonlocal made
        for number in range(100):
            made += 1
            yield number

    items = read_ahead(counted(), 4)
    assert next(items) == 0
    time.sleep(0.2)
    assert made <= 1 + 4 + 1  # taken, waiting, and one that waits for room
    items.close()


def test_closing_early_closes_the_source_too() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = read_ahead(source(), 2)
    next(items)
    items.close()
    assert closed.is_set()


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def test_frames_are_written_in_order_and_made_in_the_thread(tmp_path: Path) -> None:
    threads: set[int] = set()

    def maker(level: int) -> Callable[[], np.ndarray]:
        def make() -> np.ndarray:
            threads.add(threading.get_ident())
            return grey(level)

        return make

    writer = VideoWriter(tmp_path / "o.mp4", 64, 48, Fraction(25), EncodeOptions(preset="ultrafast"))
    with BackgroundWriter(writer, 2) as background:
        for n in range(30):
            background.write(maker(40 + 4 * n) if n % 2 else grey(40 + 4 * n))
    levels = [float(frame.mean()) for frame in read_frames(tmp_path / "o.mp4")]
    assert np.abs(np.array(levels) - (40 + 4 * np.arange(30))).max() < 3
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_what_fails_in_the_thread_is_raised_and_nothing_is_left(tmp_path: Path) -> None:
    def failing() -> np.ndarray:
        raise RuntimeError("boom")

    target = tmp_path / "o.mp4"
    target.write_bytes(b"precious")
    writer = VideoWriter(target, 64, 48, Fraction(25))
    with pytest.raises(RuntimeError, match="boom"), BackgroundWriter(writer, 2) as background:
        background.write(grey(0))
        for _ in range(50):
            background.write(failing)
    assert target.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_the_last_frame_is_not_lost(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", 64, 48, Fraction(25))
    with pytest.raises(Exception, match="shape"), BackgroundWriter(writer, 8) as background:
        background.write(grey(0))
        background.write(np.zeros((4, 4, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_ffmpeg_failure_carries_its_words(tmp_path: Path) -> None:
    options = EncodeOptions(output_args=["-c:a", "no_such_codec", "-map", "7:a"])
    frame = np.zeros((480, 640, 3), np.uint8)
    writer = VideoWriter(tmp_path / "o.mp4", 640, 480, Fraction(25), options)
    with pytest.raises(MediaError, match="encoding") as caught, BackgroundWriter(writer, 2) as background:
        for _ in range(50):
            background.write(frame)
    assert caught.value.stderr_tail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_leaving_by_an_error_does_not_wait_for_the_encoder(
    tmp_path: Path, error: type[BaseException]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    options = EncodeOptions(preset="veryslow", crf=0)
    writer = VideoWriter(tmp_path / "o.mp4", 1920, 1080, Fraction(25), options)
    with pytest.raises(error), BackgroundWriter(writer, 2) as background:
        background.write(noise)
        background.write(noise)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_queues_hold_few_large_and_more_small_frames() -> None:
    assert queue_length(64, 48) == 16
    assert 2 == queue_length(3840, 2160) < queue_length(1920, 1080) < queue_length(1280, 720) < 16
