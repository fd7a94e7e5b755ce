from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.languages import Language
from f2f.placeholders import SHAPES, Masked, Requirement, find_requirements, mask

HI, ES, ZH = Language("hi"), Language("es"), Language("zh")

PIECES = st.lists(
    st.sampled_from(
        ["Ort", "in", "the", "état", "ß", "İ", "गति", "X1", "731", "42", "3.14", "1,000", "/", "-", ".",
         "https://a.org/b?c=1", "me@x.edu", "E = mc^2", "np.dot()",
         "my_var", "COVID-19", "H2O", "२०", "7", "$\\alpha$"]
    ),
    max_size=14,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PIECES, st.sampled_from(SHAPES))
def test_codes_can_always_be_put_back(pieces: list[str], shape: str) -> None:
    sentence = " ".join(pieces)
    wanted = find_requirements(sentence, HI)
    masked = mask(sentence, wanted, shape)  # type: ignore[arg-type]
    assert masked.restore(masked.text) == sentence
    assert all(one.is_kept(sentence) for one in wanted)
    places = [(one.start, one.end) for one in wanted]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))
    plain = masked.text
    for code, _ in masked.codes:
        plain = plain.replace(code, " ", 1)
    assert not find_requirements(plain, HI)  # nothing that must be kept is left for the model


def _found(sentence: str) -> list[str]:
    return [one.replacement for one in find_requirements(sentence, HI)]


@pytest.mark.parametrize(
    ("sentence", "things"),
    [
        ("See https://example.org/a?b=1, or me@uni-x.edu.", ["https://example.org/a?b=1", "me@uni-x.edu"]),
        ("It is on python.org and at www.test.com.", ["python.org", "www.test.com"]),
        ("In 1984 about 1,234,567 people paid 3.14.", ["1984", "1,234,567", "3.14"]),
        ("So E = mc^2 and y=mx+b hold, f(x) = 2x too.", ["E = mc^2", "y=mx+b", "f(x) = 2x"]),
        ("call np.array() or my_var, `a + b`, with --flag", ["np.array()", "my_var", "`a + b`", "--flag"]),
        ("the 20th century, the 1990s, and COVID-19", ["20", "1990", "COVID-19"]),
        ("at 10:30, 3/4 of it", ["10", "30", "3", "4"]),
        ("he/she is state-of-the-art and/or well-known. I went in. it was", []),
    ],
)
def test_what_must_be_kept(sentence: str, things: list[str]) -> None:
    assert _found(sentence) == things


@pytest.mark.parametrize(
    ("sentence", "language", "kept", "lost"),
    [
        ("it has 42 pages", HI, ["इसमें ४२ पन्ने हैं", "42 पन्ने", "बयालीस पन्ने"], ["कई पन्ने", "इसमें 4 2 पन्ने"]),
        ("1,234.5 dollars", ES, ["1.234,5 dólares", "1 234,5", "1\u202f234,5"], ["1.234 dólares"]),
        ("500,000 people", HI, ["५ लाख लोग", "5,00,000 लोग"], ["5 लोग", "50 लाख"]),
        ("50,000 people", ZH, ["5万人", "50,000人", "5 万 人"], ["5人"]),
        ("from 2 to 2", ES, ["de 2 a 2"], ["de 2 a 3", "a 2"]),
        ("A4-B5 paper", HI, ["A4-B5", "ए4-बी5"], ["A4", "B5"]),
        ("so y = mx + b", ES, ["y=mx+b", "Y = mx + b"], ["y = mx", "y es mx b"]),
        ("go to example.org", ES, ["vaya a Example.org"], ["vaya a ejemplo.org"]),
    ],
)  # fmt: skip
def test_what_counts_as_kept(sentence: str, language: Language, kept: list[str], lost: list[str]) -> None:
    wanted = find_requirements(sentence, language)
    assert wanted
    for translation in kept:
        assert all(one.is_kept(translation) for one in wanted), translation
    for translation in lost:
        assert not all(one.is_kept(translation) for one in wanted), translation


def test_codes_come_back_in_any_digits_and_case_but_only_once() -> None:
    masked = Masked("…", (("X1", "E = mc^2"), ("734", "a@b.org")))
    assert masked.restore("x 1 और ७३४") == "E = mc^2 और a@b.org"
    assert masked.restore("पहले 734, फिर X1।") == "पहले a@b.org, फिर E = mc^2।"
    for broken in ("X1", "734", "X1 X1 734", "X12 734", "X1 1734", "XX1 734"):
        assert masked.restore(broken) is None
    assert masked.restore("Straße X1, 734 İ") == "Straße E = mc^2, a@b.org İ"


def test_codes_are_none_that_the_sentence_has() -> None:
    sentence = "x1, X2 and ७३१ are here, and 42"
    things = [one for one in find_requirements(sentence, HI) if one.replacement == "42"]
    assert mask(sentence, things, "letter").codes == (("X3", "42"),)
    assert mask(sentence, things, "number").codes == (("734", "42"),)


def test_terms_go_into_the_sentence_as_they_are() -> None:
    term = Requirement(4, 12, "ग्रेडिएंट", lambda text: "ग्रेडिएंट" in text, "lost", is_term=True)
    number = find_requirements("the gradient is 42", HI)
    masked = mask("the gradient is 42", [term, *number], "term")
    assert (masked.text, masked.codes) == ("the ग्रेडिएंट is X1", (("X1", "42"),))
    assert mask("the gradient is 42", [term, *number], "letter").text == "the X1 is X2"
