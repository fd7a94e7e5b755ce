"""The real recogniser on real speech, where a developer has some, and on synthesised speech."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from spoken import RATE, SENTENCES, speak

from f2f.engines import sphinx
from f2f.engines.sphinx import SphinxRecogniser
from f2f.languages import Language
from f2f.words import SpokenWord


def hear(sound: np.ndarray) -> list[SpokenWord]:
    return SphinxRecogniser().hear([sound], "en", 0)[0]


def test_hears_read_english(shared_media: Path) -> None:
    from lipsync_core.media import read_audio

    waveform = read_audio(shared_media / "speech" / "libri_quilter_en.wav", RATE)
    words = hear(waveform)
    said = "mr quilter is the apostle of the middle classes and we are glad to welcome his gospel"
    assert len(set(said.split()) & {word.text for word in words}) >= len(set(said.split())) / 2
    assert all(0 <= word.start_s < word.end_s <= waveform.size / RATE for word in words)
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(words))


def test_words_have_confidences_that_differ() -> None:
    words = hear(speak(SENTENCES[0]))
    chances = [word.confidence or 0.0 for word in words]
    assert len(words) >= 5
    assert all(0 < chance <= 1 for chance in chances)
    assert max(chances) > 0.5 > min(chances)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
def test_silence_is_no_speech(seconds: float) -> None:
    assert hear(np.zeros(int(seconds * RATE), np.float32)) == []


class _Word:
    def __init__(self, word: str, start_s: float, end_s: float) -> None:
        self.word, self.prob = word, 0.9
        self.start_frame, self.end_frame = round(start_s * 100), round(end_s * 100) - 1


def test_markers_and_what_lies_behind_the_sound_are_left_out() -> None:
    found = [
        _Word("<s>", 0, 0.1), _Word("the(2)", 0.1, 0.3), _Word("light", 0.3, 0.8), _Word("<sil>", 0.8, 1.3),
        _Word("[NOISE]", 1.3, 1.4), _Word("is", 1.4, 1.6), _Word("++BREATH++", 1.6, 1.7),
        _Word("fast", 1.7, 2.0), _Word("it", 1.95, 2.2),
    ]  # fmt: skip
    words = sphinx._words(found, 1.9)
    assert [(word.text, word.start_s, word.end_s) for word in words] == [
        ("the", 0.1, 0.3), ("light", 0.3, 0.8), ("is", 1.4, 1.6), ("fast", 1.7, 1.9),
    ]  # fmt: skip


def test_status_is_for_english_only() -> None:
    assert sphinx.status().ready
    assert sphinx.status(Language("en-GB")).ready
    assert "only English, not Hindi" in sphinx.status(Language("hi")).reason
    assert "one word in four" in sphinx.NOTICE
