"""Whole texts through a model of single sentences: what is sent, in which batches, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from f2f.candidates import Candidate, combine
from f2f.sentences import count_letters, split_sentences, spoken_text

MIN_LETTERS = 2  # shorter texts ("…", "42") make translation models invent sentences
BATCH_SIZE = 16


class SentenceModel(Protocol):
    """A loaded model for one pair of languages, whatever runs it."""

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        """Return for each of a batch of sentences its translations, best first, never none."""


def translate_texts(
    model: SentenceModel,
    texts: Sequence[str],
    beams: int = 4,
    progress: Callable[[float, float], None] | None = None,
) -> list[list[Candidate]]:
    """Return for each text its translations, best first; each is translated sentence by sentence.

    Sounds and music ("[Music]", "♪ la la ♪") are left out, texts of fewer than two letters stay as they are.

    Args:
        model: for single sentences.
        texts: in the source language.
        beams: width of the beam search, and number of translations at most.
        progress: called with texts done and texts in all.
    """
    spoken = [spoken_text(text) for text in texts]
    sentences = [split_sentences(text) if count_letters(text) >= MIN_LETTERS else [text] for text in spoken]
    wanted = {one for parts in sentences for one in parts if count_letters(one) >= MIN_LETTERS}
    known = {one: [Candidate(one)] for parts in sentences for one in parts if one not in wanted}

    def tell() -> None:
        if progress:
            progress(sum(all(one in known for one in parts) for parts in sentences), len(texts))

    for batch in _batches(wanted):
        known.update(zip(batch, model.nbest(batch, beams), strict=True))
        tell()
    return [combine([known[one] for one in parts], beams) for parts in sentences]


def _batches(sentences: set[str]) -> list[list[str]]:
    """Like lengths together: little padding."""
    ordered = sorted(sentences, key=lambda one: (len(one), one))
    return [ordered[first : first + BATCH_SIZE] for first in range(0, len(ordered), BATCH_SIZE)]
