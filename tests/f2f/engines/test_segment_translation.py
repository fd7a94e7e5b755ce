"""What is sent to a model and how its answers become texts; the model here is a table of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from f2f.candidates import Candidate
from f2f.engines.segment_translation import BATCH_SIZE, translate_texts
from f2f.engines.status import has_package
from f2f.engines.translation_models import FAMILIES
from f2f.engines.translation_runtime import load_model
from f2f.languages import Language
from f2f.placeholders import Requirement, find_requirements


class Upper:
    """Translates into capitals, and knows a shorter wording of everything."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        self.seen.append(list(sentences))
        return [[Candidate(s.upper(), -0.1), Candidate(s.upper()[:5], -0.3)][:beams] for s in sentences]


def test_each_sentence_is_sent_once_and_joined_again() -> None:
    model = Upper()
    both = "Thank you for coming. It is large."
    found = translate_texts(model, [both, "It is large.", both], beams=2)
    assert [sorted(batch) for batch in model.seen] == [["It is large.", "Thank you for coming."]]
    assert found[0][0].text == "THANK YOU FOR COMING. IT IS LARGE."
    assert found[0] == found[2]
    assert found[1] == [Candidate("IT IS LARGE.", -0.1), Candidate("IT IS", -0.3)]
    # The second best of the whole changes the sentence that weighs less.
    assert found[0][1].text == "THANK YOU FOR COMING. IT IS"


@pytest.mark.parametrize("text", ["42", "…", "", "x", "1 + 1 = 2", "?!"])
def test_what_holds_no_words_is_not_sent_to_the_model(text: str) -> None:
    model = Upper()
    assert translate_texts(model, [text]) == [[Candidate(text)]]
    assert model.seen == []


@pytest.mark.parametrize(
    "text", ["[Music]", "♪", "♪ la la la ♪", "(applause)", "（拍手）", "[loud noise] ♫", "【音楽】"]
)
def test_sounds_and_music_are_not_sent_and_not_said(text: str) -> None:
    model = Upper()
    assert translate_texts(model, [text]) == [[Candidate("")]]
    assert model.seen == []


def test_sounds_between_words_are_left_out_and_brackets_of_words_stay() -> None:
    model = Upper()
    texts = ["[Music] Hello there ♪", "take x[0] and [3] of it", "(which is quite important here)"]
    found = translate_texts(model, texts, beams=1)
    assert [one[0].text for one in found] == [
        "HELLO THERE", "TAKE X[0] AND [3] OF IT", "(WHICH IS QUITE IMPORTANT HERE)"
    ]  # fmt: skip


def test_batches_hold_like_lengths_and_progress_counts_texts() -> None:
    model, told = Upper(), list[tuple[float, float]]()
    texts = [f"{'long ' * (i % 7)}sentence {chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(40)]
    translate_texts(model, texts, 1, lambda done, total: told.append((done, total)))
    assert [len(batch) for batch in model.seen] == [BATCH_SIZE, BATCH_SIZE, 40 - 2 * BATCH_SIZE]
    lengths = [len(sentence) for batch in model.seen for sentence in batch]
    assert lengths == sorted(lengths)
    assert [done for done, _ in told] == [16, 32, 40]


class Mangler(Upper):
    """Translates into capitals and loses what matches ``loses``; its second wording loses every word."""

    def __init__(self, loses: str) -> None:
        super().__init__()
        self.loses = loses

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        self.seen.append(list(sentences))
        return [[Candidate(re.sub(self.loses, "", s).upper(), -0.1), Candidate("", 0.0)] for s in sentences]


def _require(sentence: str) -> list[Requirement]:
    return find_requirements(sentence, Language("es"))


@pytest.mark.parametrize(
    ("loses", "again"),
    [
        (r"(?<!X)\b\d+|[a-z.]*://\S+", ["see X1 or the X2 pages"]),
        (r"\b\d\d\b|\bX\d+|[a-z.]*://\S+", ["see X1 or the X2 pages", "see 731 or the 734 pages"]),
    ],
)
def test_what_the_model_loses_is_translated_again_in_codes(loses: str, again: list[str]) -> None:
    model = Mangler(loses)
    found = translate_texts(model, ["see http://a.org or the 42 pages", "fine as it is"], 4, None, _require)
    assert [one[0].text for one in found] == ["SEE http://a.org OR THE 42 PAGES", "FINE AS IT IS"]
    assert all(one[0].problems == () for one in found)
    assert model.seen[1:] == [[sentence] for sentence in again]


def test_only_what_is_lost_gets_a_code_and_what_is_kept_is_asked_once() -> None:
    model = Mangler(r"\b42\b")
    found = translate_texts(model, ["from 7 to 42", "from 7 to 8"], 4, None, _require)
    assert [one[0].text for one in found] == ["FROM 7 TO 42", "FROM 7 TO 8"]
    assert model.seen[1:] == [["from 7 to X1"]]


def test_what_is_lost_all_the_same_is_a_problem_and_the_text_is_kept() -> None:
    model = Mangler(r"X?\d+")
    found = translate_texts(model, ["there are 42 pages", "and 7 words"], 4, None, _require)
    assert found[0][0] == Candidate("THERE ARE  PAGES", -0.1, ("the number 42 is lost",))
    assert found[1][0].problems == ("the number 7 is lost",)
    assert [len(batch) for batch in model.seen] == [2, 2, 2]  # once plain, once for each kind of code


def test_a_sentence_that_comes_back_empty_is_never_lost_silently() -> None:
    model = Mangler(".*")
    found = translate_texts(model, ["First one. Second one."], 2, None, _require)
    assert found[0][0].problems == (
        "the model gave nothing for 'First one.'", "the model gave nothing for 'Second one.'"
    )  # fmt: skip


def test_terms_are_put_into_the_sentence_first_and_then_in_codes() -> None:
    def require(sentence: str) -> list[Requirement]:
        start = sentence.index("graph")
        kept = lambda text: "grafo" in text.casefold()  # noqa: E731
        return [Requirement(start, start + 5, "grafo", kept, "grafo is lost", is_term=True)]

    copies = Upper()
    assert translate_texts(copies, ["a graph is drawn"], 1, None, require)[0][0].text == "A GRAFO IS DRAWN"
    assert copies.seen == [["a graph is drawn"], ["a grafo is drawn"]]
    stubborn = Mangler("grafo")
    assert translate_texts(stubborn, ["a graph is drawn"], 4, None, require)[0][0].text == "A grafo IS DRAWN"
    assert stubborn.seen[1:] == [["a grafo is drawn"], ["a X1 is drawn"]]


def test_a_term_that_stays_as_it_is_is_not_put_in_its_own_place() -> None:
    def require(sentence: str) -> list[Requirement]:
        return [Requirement(0, 6, "Kaggle", lambda text: "Kaggle" in text, "Kaggle is lost", is_term=True)]

    model = Upper()  # writes KAGGLE, and x1 as X1
    assert translate_texts(model, ["Kaggle is large"], 1, None, require)[0][0].text == "Kaggle IS LARGE"
    assert model.seen == [["Kaggle is large"], ["X1 is large"]]


ORDINARY = (
    "🙂🙂 well 🙂", "a" * 3000, "word " * 900, "nul \0 here", "संस्कृत العربية 中文 mixed", "...---...", "\t\n",
    "C:\\path\\to\\file.txt <b>x</b> & co", "ﬁ ligature İstanbul ẞ", "1 2 3 4 5 6 7 " * 40 + "ok now",
    "«»“”‘’ quoted", "👨\u200d👩\u200d👧 family \ufeff\u200b\u200f", "$x_1$ `a` http:// me@ -- --- <1> X1",
)  # fmt: skip


@pytest.mark.parametrize("runtime", ["torch", "ctranslate2"])
@pytest.mark.parametrize("name", ["nllb", "marian"])
def test_no_text_kills_an_engine(tiny: dict[str, Path], runtime: str, name: str) -> None:
    if not has_package(runtime):
        pytest.skip(f"{runtime} is not installed")
    languages = (Language("en"), Language("hi"))
    model = load_model(runtime, FAMILIES[name], str(tiny[name]), languages, "cpu", lambda text: None)
    found = translate_texts(model, ORDINARY, 2, None, _require)
    assert len(found) == len(ORDINARY) and all(found)
