"""Properties of the cut into segments: no word lost, order kept, no overlap, sizes as wanted."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.resegment import LONG_PAUSE_S, MIN_WORDS, resegment
from f2f.words import SpokenWord

TEXTS = [
    "light",
    "is",
    "fast.",
    "why?",
    "Mr.",
    "because,",
    "the",
    "3.",
    "हाँ।",
    "光",
    "。",
    "so",
    "Well",
    "e.g.",
]


def said(text: str, start_s: float = 0.0, word_s: float = 0.4, **about: str) -> list[SpokenWord]:
    words = text.split()
    return [
        SpokenWord(start_s + i * word_s, start_s + (i + 0.9) * word_s, word, 0.5, **about)
        for i, word in enumerate(words)
    ]


@st.composite
def spoken(draw: st.DrawFn) -> list[SpokenWord]:
    words: list[SpokenWord] = []
    at_s = 0.0
    for _ in range(draw(st.integers(0, 60))):
        at_s += draw(st.sampled_from([0.0, 0.05, 0.4, 0.99, 1.0, 3.0]))
        end_s = at_s + draw(st.sampled_from([0.02, 0.2, 0.5, 2.0, 10.0]))
        speaker = draw(st.sampled_from([None, "S1", "S2"])) if draw(st.integers(0, 9)) == 0 else None
        doubt = "music" if draw(st.integers(0, 14)) == 0 else None
        words.append(SpokenWord(at_s, end_s, draw(st.sampled_from(TEXTS)), 0.5, speaker, doubt))
        at_s = end_s
    return words


@settings(max_examples=60, deadline=None)
@given(spoken())
def test_every_word_comes_once_in_order_without_overlap(words: list[SpokenWord]) -> None:
    segments = resegment(words)
    found = [word for segment in segments for word in segment.words]
    assert [word.text for word in found] == [word.text for word in words]
    assert "".join("".join(one.text.split()) for one in segments) == "".join(word.text for word in words)
    assert [segment.id for segment in segments] == list(range(len(segments)))
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(segments))
    place = 0
    for segment in segments:
        own = words[place : place + len(segment.words)]
        place += len(own)
        assert len({(word.speaker, word.doubt) for word in own}) == 1
        assert (segment.speaker, segment.keep_original) == (own[0].speaker, own[0].doubt)
        assert all(two.start_s - one.end_s < LONG_PAUSE_S for one, two in itertools.pairwise(own))
        assert segment.end_s - segment.start_s <= 9.001 or len(own) == 1


def test_sentences_are_kept_whole() -> None:
    one, two = "The light that we see now is eight minutes old.", "Nobody knew that before the year 1676."
    segments = resegment(said(f"{one} {two}"))
    assert [segment.text for segment in segments] == [one, two]


def test_abbreviations_and_numbers_end_no_sentence() -> None:
    text = "We thank Mr. Fizeau and Dr. Young for the idea of turning a wheel."
    assert [segment.text for segment in resegment(said(text))] == [text]


def test_short_sentences_are_joined_to_about_the_ideal() -> None:
    segments = resegment(said("Yes. No. That is it. We shall see. Why not? Look here now. It is light."))
    assert all(len(segment.words) >= MIN_WORDS for segment in segments)
    assert all(2 <= segment.end_s - segment.start_s <= 7 for segment in segments)
    assert all(segment.text[-1] in ".?" for segment in segments)


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    first = "When the wheel turned so fast that the light which came back met the next tooth,"
    second = "nothing could be seen at all through the small window on the other side of it."
    segments = resegment(said(f"{first} {second}"))
    assert [segment.text for segment in segments] == [first, second]


def test_endless_speech_without_punctuation_is_cut_at_its_pauses() -> None:
    words = [SpokenWord(i * 0.5, i * 0.5 + (0.1 if i % 9 == 8 else 0.45), f"w{i}", None) for i in range(72)]
    segments = resegment(words)
    assert max(segment.end_s - segment.start_s for segment in segments) <= 9
    assert all(segment.confidence is None for segment in segments)
    assert all(int(segment.words[-1].text[1:]) % 9 == 8 for segment in segments)


def test_merged_speakers_and_long_pauses_stay_apart() -> None:
    words = said("and what do you", speaker="S1") + said("think I think", 1.6, speaker="S2")
    words += said("so then", 1.6 + 1.2 + 1.1, speaker="S2")
    assert [(one.speaker, one.text) for one in resegment(words)] == [
        ("S1", "and what do you"), ("S2", "think I think"), ("S2", "so then"),
    ]  # fmt: skip


def test_doubtful_words_are_segments_of_their_own_with_the_mean_confidence() -> None:
    words = said("Welcome to the lecture of today.")
    words += [replace(word, doubt="music", confidence=0.1) for word in said("♪ la la ♪", 2.4)]
    segments = resegment(words)
    assert [(one.text, one.keep_original, one.confidence) for one in segments] == [
        ("Welcome to the lecture of today.", None, 0.5), ("♪ la la ♪", "music", 0.1),
    ]  # fmt: skip
