from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.cues import (
    MAX_SEGMENT_CHARACTERS,
    MAX_SEGMENT_S,
    Cue,
    RawCue,
    ends_sentence,
    join_texts,
    match_by_time,
    segments_from_cues,
    tidy_cues,
)
from f2f.results import Segment
from f2f.sentences import split_sentences


def _cues(*rows: tuple[float, float, str]) -> list[Cue]:
    return [Cue(*row) for row in rows]


def _segments(*rows: tuple[float, float]) -> list[Segment]:
    return [Segment(id=i, start_s=start, end_s=end, text=f"s{i}.") for i, (start, end) in enumerate(rows)]


def test_fragments_of_a_sentence_are_joined_and_whole_sentences_stay() -> None:
    cues = _cues(
        (0, 2, "We shall look at"), (2, 3.5, "light and sound."), (3.6, 5.6, "Light is fast."),
        (5.7, 8, "Very fast."),
    )  # fmt: skip
    assert [(s.start_s, s.end_s, s.text) for s in segments_from_cues(cues)] == [
        (0, 3.5, "We shall look at light and sound."),
        (3.6, 5.6, "Light is fast."),
        (5.7, 8, "Very fast."),
    ]


def test_short_sentences_join_the_next_one() -> None:
    cues = _cues((0, 0.6, "No."), (0.7, 2.5, "It is not."), (2.6, 3.0, "Why?"), (3.4, 5.0, "Because."))
    assert [s.text for s in segments_from_cues(cues)] == ["No. It is not.", "Why?", "Because."]


def test_nothing_is_joined_across_speakers_or_pauses() -> None:
    cues = [Cue(0, 1, "I say", "A"), Cue(1, 2, "you say", "B"), Cue(2.5, 3, "they say", "B")]
    assert [(s.text, s.speaker) for s in segments_from_cues(cues)] == [
        ("I say", "A"), ("you say", "B"), ("they say", "B"),
    ]  # fmt: skip


def test_captions_without_full_stops_get_a_comfortable_length() -> None:
    cues = [Cue(i * 1.5, i * 1.5 + 1.5, "five words without any stop") for i in range(20)]
    lengths = [s.end_s - s.start_s for s in segments_from_cues(cues)]
    assert max(lengths) <= MAX_SEGMENT_S
    assert min(lengths) >= 3


def test_confidence_is_weighed_by_length() -> None:
    cues = [Cue(0, 3, "three seconds", confidence=1.0), Cue(3, 4, "one.", confidence=0.0)]
    assert segments_from_cues(cues)[0].confidence == 0.75


_TEXTS = ["one", "two words", "end.", "क्या है?", "x " * 60]
_ROWS = st.lists(
    st.tuples(
        st.floats(0, 0.6),
        st.floats(0.1, 6),
        st.sampled_from(["one", "two words", "end.", "क्या है?", "x " * 60]),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(_ROWS)
def test_joining_keeps_every_word_in_order_and_the_limits(rows: list[tuple[float, float, str]]) -> None:
    now, cues = 0.0, []
    for pause, length, text in rows:
        cues.append(Cue(now + pause, now + pause + length, text.strip()))
        now = cues[-1].end_s
    segments = segments_from_cues(cues)
    assert " ".join(s.text for s in segments) == " ".join(cue.text for cue in cues)
    assert [s.id for s in segments] == list(range(len(segments)))
    singles = {cue.text for cue in cues}
    for s in segments:
        assert s.text in singles or len(s.text) <= MAX_SEGMENT_CHARACTERS
        assert s.text in singles or s.end_s - s.start_s <= MAX_SEGMENT_S + 0.002
    assert all(one.end_s <= two.start_s + 0.001 for one, two in pairwise(segments))


_TIMES = st.lists(st.tuples(st.floats(0, 5), st.floats(0.2, 6)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(_TIMES, _TIMES)
def test_each_cue_goes_to_exactly_one_segment_in_order(
    spans: list[tuple[float, float]], shown: list[tuple[float, float]]
) -> None:
    def running(rows: list[tuple[float, float]]) -> list[tuple[float, float]]:
        now, out = 0.0, []
        for pause, length in rows:
            out.append((now + pause, now + pause + length))
            now = out[-1][1]
        return out

    cues = [Cue(start, end, f"c{i}") for i, (start, end) in enumerate(running(shown))]
    texts, covered = match_by_time(_segments(*running(spans)), cues)
    assert " ".join(" ".join(texts).split()) == " ".join(cue.text for cue in cues)
    assert all(is_covered for text, is_covered in zip(texts, covered, strict=True) if text)


def test_cues_go_where_most_of_them_is_shown() -> None:
    segments = _segments((0, 4), (4.2, 8), (9, 12))
    texts, covered = match_by_time(segments, _cues((0.2, 2, "a"), (2, 5, "b"), (5, 8, "c"), (8.4, 8.8, "d")))
    assert texts == ["a b", "c", "d"]
    assert covered == [True, True, True]


def test_one_long_cue_starts_with_the_first_segment_under_it() -> None:
    segments = _segments((0, 2), (2, 5), (5, 7), (20, 22))
    texts, covered = match_by_time(segments, _cues((0.1, 7, "all of it")))
    assert texts == ["all of it", "", "", ""]
    assert covered == [True, True, True, False]


def test_scripts_without_spaces_are_joined_without() -> None:
    assert join_texts("今日は", "良い天気") == "今日は良い天気"
    assert join_texts("यह", "है") == "यह है"
    assert join_texts("", "a") == "a"


def test_full_stops_of_many_scripts() -> None:
    for text in ("Yes.", "क्या है।", "そうです。", "هل أنت؟", "Why?”", "(Yes.)", "wait…"):
        assert ends_sentence(text), text
    for text in ("no", "one,", "and then:"):
        assert not ends_sentence(text), text


def test_exact_copies_are_dropped_and_far_repeats_kept() -> None:
    raw = [RawCue(0, 2, ("a",)), RawCue(0, 2, ("a",)), RawCue(0.5, 2.5, ("a",)), RawCue(4, 5, ("a",))]
    assert [(cue.start_s, cue.end_s, cue.text) for cue in tidy_cues(raw)] == [(0, 2.5, "a"), (4, 5, "a")]


def test_sentences_are_split_and_abbreviations_are_not() -> None:
    assert split_sentences("Mr. Smith is here. He says: no! Is it 3.5 m? Yes.") == [
        "Mr. Smith is here.", "He says: no!", "Is it 3.5 m?", "Yes.",
    ]  # fmt: skip
    assert split_sentences("यह तेज़ है। वह नहीं।") == ["यह तेज़ है।", "वह नहीं।"]
    assert split_sentences("今日は。良い天気。") == ["今日は。", "良い天気。"]
    assert split_sentences("") == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["word", "Dr.", "end.", "so,", "क्या", "है।", "x" * 50]), max_size=150))
def test_splitting_loses_nothing_and_bounds_the_length(words: list[str]) -> None:
    parts = split_sentences(" ".join(words), max_characters=120)
    assert "".join(parts).replace(" ", "") == "".join(words)
    assert all(0 < len(part) <= 120 for part in parts)
