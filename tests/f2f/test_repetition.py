"""Loops are found, speech that repeats itself as people do is not."""

from __future__ import annotations

import pytest

from f2f.repetition import compression_ratio, find_long_loops, find_loop

TEXT = (
    "The answer was found more than a hundred years ago on a hill outside the town and it took them many "
    "nights to see what nobody before had seen although everybody had looked at it"
)
HINDI = (
    "आज हम प्रकाश को देखेंगे जो सबसे तेज़ चलने वाली चीज़ है और यह भी कि सौ साल पहले लोगों ने "
    "उसकी गति कैसे नापी जब उनके पास केवल दर्पण और एक दीपक था"
)


@pytest.mark.parametrize("text", [TEXT, HINDI, "No, no, no, that is wrong.", "Bye bye bye.", "", "Yes."])
def test_running_text_is_no_loop(text: str) -> None:
    assert find_loop(text.split()) is None


@pytest.mark.parametrize(
    "phrase", ["Thank you.", "you", "Subtitles by the community,", "धन्यवाद।", "and so on and on and"]
)
def test_one_phrase_over_and_over_is_a_loop(phrase: str) -> None:
    words = (phrase.split() * 12)[: 12 * len(phrase.split())]
    loop = find_loop(words)
    assert loop is not None
    assert loop[1] - loop[0] >= len(words) - len(phrase.split())


def test_a_loop_after_running_text_has_its_place() -> None:
    words = TEXT.split() + ["thank", "you"] * 8
    assert find_loop(words) == (len(TEXT.split()), len(words))


def test_punctuation_and_case_do_not_hide_a_loop() -> None:
    words = ["Thank", "you!", "thank", "you.", "Thank", "-", "you,", "THANK", "you", "thank", "you"]
    assert find_loop(words) == (0, 11)


def test_text_that_zlib_shortens_too_well_is_a_loop() -> None:
    words = [
        f"{a} {b} {c}" for a in ("and the", "but the") for b in ("man", "dog") for c in ("sat", "ran")
    ] * 4
    words = " ".join(words).split()
    assert compression_ratio(" ".join(words)) > 2.4
    assert find_loop(words) == (0, len(words))


def test_compression_is_fair_to_all_scripts() -> None:
    assert compression_ratio("too short to tell") == 0
    assert compression_ratio(TEXT) < 2.4
    assert compression_ratio(HINDI) < 2.4


def test_loops_over_several_windows_are_found_one_by_one() -> None:
    words = TEXT.split() + ["you"] * 12 + TEXT.split() + ["see", "you"] * 6
    n = len(TEXT.split())
    assert find_long_loops(words) == [(n, n + 12), (2 * n + 12, 2 * n + 24)]
    assert find_long_loops((TEXT + " no no no no " + TEXT).split()) == []
