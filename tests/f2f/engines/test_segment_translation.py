"""What is sent to a model and how its answers become texts; the model here is a table of words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from f2f.candidates import Candidate
from f2f.engines.segment_translation import BATCH_SIZE, translate_texts


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
