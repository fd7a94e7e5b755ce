"""Takes with one known fault each."""

from __future__ import annotations

import numpy as np
import pytest

from f2f.take_checks import examine_take, longest_pause_s

RATE = 16_000


def babble(seconds: float, level: float = 0.2) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    voice = np.sin(2 * np.pi * 150 * time_s) * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time_s))
    return (level * voice).astype(np.float32)


@pytest.mark.parametrize("seconds", [2.2, 3.0, 6.5])
def test_a_take_of_about_the_expected_length_is_good(seconds: float) -> None:
    quality = examine_take(babble(seconds), RATE, expected_s=3)
    assert quality.is_good and quality.duration_s == pytest.approx(seconds)


def test_the_nearer_to_the_expected_length_the_better() -> None:
    penalties = [
        examine_take(babble(seconds), RATE, expected_s=3).penalty for seconds in (3.0, 3.6, 2.2, 6.0)
    ]
    assert penalties == sorted(penalties) and penalties[0] < 0.01


@pytest.mark.parametrize(
    ("take", "fault"),
    [
        (babble(3, 1e-3), "almost silent"),
        (babble(9), "runs away: 9.0 s where 3.0 s were expected"),
        (babble(0.8), "words are missing"),
        (np.clip(babble(3, 3.0), -1, 1), "clipped"),
        (np.concatenate([babble(1), np.zeros(2 * RATE, np.float32), babble(1)]), "a pause of 2."),
    ],
)
def test_each_fault_is_found_alone(take: np.ndarray, fault: str) -> None:
    quality = examine_take(take, RATE, expected_s=3)
    assert len(quality.faults) == 1 and fault in quality.faults[0]
    assert quality.penalty >= 1


def test_worse_faults_weigh_more() -> None:
    silent, runaway = (examine_take(one, RATE, 3).penalty for one in (babble(3, 1e-3), babble(9)))
    pause = examine_take(np.concatenate([babble(1), 0 * babble(2), babble(1)]), RATE, 3).penalty
    assert silent > runaway > pause


def test_a_word_may_take_its_second() -> None:
    assert examine_take(babble(1.2), RATE, expected_s=0.2).is_good


def test_nothing_is_no_take() -> None:
    quality = examine_take(np.zeros(0, np.float32), RATE, 2)
    assert not quality.is_good and longest_pause_s(np.zeros(0, np.float32), RATE) == 0
