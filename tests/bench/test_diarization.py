"""The measure itself: conversations whose truth is known, and errors that are counted by hand."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from f2f.speakers import Turn

BENCH = Path(__file__).resolve().parents[2] / "bench"
RATE = 16_000


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module("diarization")
    finally:
        sys.path.remove(str(BENCH))


def test_errors_are_those_under_the_best_naming(bench: ModuleType) -> None:
    truth = [(0.0, 2.0, 4), (2.0, 4.0, 7), (4.0, 5.0, 4)]
    swapped = [Turn(0.0, 2.0, 1), Turn(2.0, 4.0, 0), Turn(4.0, 5.0, 1)]
    assert bench.error_rate(swapped, truth) == pytest.approx(0.0)
    assert bench.error_rate([Turn(0.0, 5.0, 0)], truth) == pytest.approx(0.4)
    assert bench.error_rate([], truth) == pytest.approx(0.4)
    split = [Turn(0.0, 2.0, 0), Turn(2.0, 4.0, 1), Turn(4.0, 5.0, 2)]
    assert bench.error_rate(split, truth) == pytest.approx(0.2)
    half = [Turn(0.0, 2.0, 0), Turn(2.0, 3.0, 1)]  # what was not detected is no error of the engine's
    assert bench.error_rate(half, truth) == pytest.approx(0.0)
    assert bench.missed_share([(0.0, 3.0)], truth) == pytest.approx(0.4)


def test_no_sound_is_heard_twice_and_the_truth_is_where_it_is(bench: ModuleType) -> None:
    random = np.random.default_rng(0)
    voices = [random.normal(0, 0.05, 7 * RATE).astype(np.float32) for _ in range(3)]
    talk = bench.converse(voices, 3, 2.0, np.random.default_rng(1))
    assert sorted(who for _, _, who in talk.truth) == [0] * 3 + [1] * 3 + [2] * 3
    assert all(one[2] != other[2] for one, other in zip(talk.truth, talk.truth[1:], strict=False))
    for start_s, end_s, who in talk.truth:
        turn = talk.waveform[round(start_s * RATE) : round(end_s * RATE)]
        matches = [
            np.corrcoef(turn, voices[who][at : at + turn.size])[0, 1] for at in range(0, 6 * RATE, 2 * RATE)
        ]
        assert max(matches) == pytest.approx(1.0, abs=1e-4)
    assert bench.converse(voices, 4, 2.0, random) is None
    assert bench.choose_half({"a": 1, "b": 2, "c": 3}, 2) == {"b": 2}
