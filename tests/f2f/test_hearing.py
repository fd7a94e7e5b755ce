"""Windows are heard in batches, loops again with other settings, and what stays a loop is marked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from f2f.hearing import hear
from f2f.repetition import LOOP_REASON
from f2f.speech_regions import Waveform, Window
from f2f.words import SOUND_REASON, SpokenWord

RATE = 16_000
GOOD, LOOP = "the light is fast", "thank you " * 8


class Script:
    """A recogniser that answers from a script: one text for each window and attempt."""

    def __init__(self, texts: Sequence[Sequence[str]], n_at_once: int = 2, confidence: float = 0.9) -> None:
        self.n_at_once, self.window_s, self.n_attempts = n_at_once, 28.0, len(texts[0])
        self._texts, self._confidence = texts, confidence
        self.asked: list[tuple[int, list[int]]] = []

    def detect_language(self, sounds: Sequence[Waveform]) -> str:
        return "en"

    def hear(self, sounds: Sequence[Waveform], language: str, attempt: int) -> list[list[SpokenWord]]:
        numbers = [round(float(sound[0])) for sound in sounds]  # each window's sound is its own number
        self.asked.append((attempt, numbers))
        return [
            [
                SpokenWord(i * 0.3, i * 0.3 + 0.2, word, self._confidence + attempt / 100)
                for i, word in enumerate(self._texts[number][attempt].split())
            ]
            for number in numbers
        ]

    def close(self) -> None: ...


def listen(script: Script, n_windows: int) -> tuple[list[SpokenWord], int, list[tuple[float, float]]]:
    waveform = np.repeat(np.arange(n_windows, dtype=np.float32), 10 * RATE)
    told: list[tuple[float, float]] = []
    windows = [Window(i * 10.0, (i + 1) * 10.0) for i in range(n_windows)]
    heard = hear(script, waveform, windows, "en", lambda *now: told.append(now))
    return list(heard.words), heard.n_repeated, told


def test_windows_go_in_batches_and_times_count_from_the_start() -> None:
    script = Script([[GOOD]] * 5)
    words, n_repeated, told = listen(script, 5)
    assert script.asked == [(0, [0, 1]), (0, [2, 3]), (0, [4])]
    assert [word.start_s for word in words[::4]] == [0, 10, 20, 30, 40]
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(words))
    assert (n_repeated, told) == (0, [(20.0, 50.0), (40.0, 50.0), (50.0, 50.0)])


def test_a_loop_is_decoded_again_with_other_settings() -> None:
    script = Script([[GOOD] * 3, [LOOP, LOOP, "and so it is"], [GOOD] * 3])
    words, n_repeated, _ = listen(script, 3)
    assert script.asked == [(0, [0, 1]), (1, [1]), (2, [1]), (0, [2])]
    assert " ".join(word.text for word in words) == f"{GOOD} and so it is {GOOD}"
    assert not any(word.doubt for word in words)
    assert n_repeated == 1


def test_what_stays_a_loop_is_marked_and_its_neighbours_are_not() -> None:
    words, n_repeated, _ = listen(Script([[GOOD] * 2, [f"welcome to this lecture of mine {LOOP}"] * 2]), 2)
    doubtful = [word for word in words if word.doubt]
    assert {word.doubt for word in doubtful} == {LOOP_REASON}
    assert [word.text for word in doubtful] == LOOP.split()
    assert n_repeated == 1


def test_one_phrase_in_window_after_window_is_a_loop_too() -> None:
    words, _, _ = listen(Script([[GOOD]] + [["Thank you."]] * 6 + [[GOOD]]), 8)
    assert [word.text for word in words if not word.doubt] == GOOD.split() * 2


def test_words_that_are_hardly_believed_are_heard_again() -> None:
    unsure = Script([["light", "sight"]], confidence=0.1)
    words, n_repeated, _ = listen(unsure, 1)
    assert [word.text for word in words] == ["sight"]  # a little more confident
    assert n_repeated == 1


@pytest.mark.parametrize("text", ["[Music]", "♪ la la la ♪", "(loud applause)"])
def test_sounds_are_no_speech(text: str) -> None:
    words, _, _ = listen(Script([[text], [GOOD]], n_at_once=1), 2)
    assert [word.doubt for word in words] == [SOUND_REASON] * len(text.split()) + [None] * 4
