"""Pieces become words, in order and inside their window; sounds are told from speech."""

from __future__ import annotations

import pytest

from f2f.words import (
    SOUND_REASON,
    SpokenWord,
    mark_sounds,
    mean_confidence,
    place_words,
    text_of,
    whole_words,
)


def pieces(*texts: str) -> list[SpokenWord]:
    return [SpokenWord(i / 2, i / 2 + 0.4, text, 0.9 - i / 10) for i, text in enumerate(texts)]


def test_pieces_without_a_space_continue_the_word() -> None:
    words = whole_words(pieces(" twenty", "-one", " don", "'t", " ", "."))
    assert [word.text for word in words] == ["twenty-one", "don't."]
    assert (words[0].start_s, words[0].end_s) == (0.0, 0.9)
    assert words[0].confidence == 0.8


def test_scripts_without_spaces_keep_their_words_apart() -> None:
    words = whole_words(pieces("光", "は", "速い", "。"))
    assert [word.text for word in words] == ["光", "は", "速い", "。"]
    assert text_of(words) == "光は速い。"


def test_words_are_put_in_order_inside_their_window() -> None:
    spans = [(0.5, 1.0), (0.2, 0.2), (2.0, 9.0), (9.0, 9.0)]
    placed = place_words([SpokenWord(start_s, end_s, "a") for start_s, end_s in spans], 10.0, 13.0)
    assert [(round(word.start_s, 2), round(word.end_s, 2)) for word in placed] == [
        (10.5, 11.0), (11.0, 11.02), (12.0, 12.98), (12.98, 13.0),
    ]  # fmt: skip


def test_more_words_than_fit_still_have_some_length_each() -> None:
    placed = place_words([SpokenWord(5.0, 5.0, "a")] * 300, 1.0, 2.0)
    assert all(word.end_s > word.start_s for word in placed)
    assert placed[0].start_s == pytest.approx(1.0)
    assert placed[-1].end_s == pytest.approx(2.0)


def test_sounds_and_songs_are_marked_and_speech_is_not() -> None:
    text = (
        "[Music] Good morning (applause) and welcome (which is the custom here) ♪ la la ♪ to *coughs* light ♪"
    )
    words = mark_sounds([SpokenWord(i, i + 1, word) for i, word in enumerate(text.split())])
    sounds = [word.text for word in words if word.doubt == SOUND_REASON]
    assert sounds == ["[Music]", "(applause)", "♪", "la", "la", "♪", "*coughs*", "♪"]


def test_confidence_is_the_mean_of_what_is_known() -> None:
    assert mean_confidence([]) is None
    assert mean_confidence(
        [SpokenWord(0, 1, "a", 0.2), SpokenWord(0, 1, "b"), SpokenWord(0, 1, "c", 0.4)]
    ) == (0.30000000000000004)
