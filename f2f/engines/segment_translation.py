"""Whole texts through a model of single sentences: what is sent, in which batches, what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from f2f.candidates import Candidate, combine, rank
from f2f.context_ranking import Continuation
from f2f.placeholders import SHAPES, Masked, Requirement, Shape, mask
from f2f.sentences import count_letters, split_sentences, spoken_text

MIN_LETTERS = 2  # shorter texts ("…", "42") make translation models invent sentences
BATCH_SIZE = 16

Require = Callable[[str], Sequence[Requirement]]


class SentenceModel(Protocol):
    """A loaded model for one pair of languages, whatever runs it."""

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        """Return for each of a batch of sentences its translations, best first, never none."""


class ContextModel(SentenceModel, Protocol):
    """One that also judges translations behind those of the sentences before them."""

    def score(self, asked: Sequence[Continuation]) -> list[float | None]:
        """Return the mean log-probability of each text's tokens and its end; None where all is too long."""


def translate_texts(
    model: SentenceModel,
    texts: Sequence[str],
    beams: int = 4,
    progress: Callable[[float, float], None] | None = None,
    require: Require = lambda sentence: (),
) -> list[list[Candidate]]:
    """Return for each text its translations, best first; each is translated sentence by sentence.

    Sounds and music ("[Music]", "♪ la la ♪") are left out, texts of fewer than two letters stay as they are.
    A sentence whose translations all lose something required is translated again with that in codes; what
    is lost even then is a problem of the candidate.

    Args:
        model: for single sentences.
        texts: in the source language.
        beams: width of the beam search, and number of translations at most.
        progress: called with texts done and texts in all; what is translated again is not counted again.
        require: tells what the translation of a sentence must hold.
    """
    spoken = [spoken_text(text) for text in texts]
    sentences = [split_sentences(text) if count_letters(text) >= MIN_LETTERS else [text] for text in spoken]
    wanted = {one for parts in sentences for one in parts if count_letters(one) >= MIN_LETTERS}
    known = {one: [Candidate(one)] for parts in sentences for one in parts if one not in wanted}

    def tell() -> None:
        if progress:
            progress(sum(all(one in known for one in parts) for parts in sentences), len(texts))

    checks = {one: _Check(one, tuple(require(one))) for one in wanted}
    for batch in _batches(wanted):
        for one, found in zip(batch, model.nbest(batch, beams), strict=True):
            known[one] = rank([checks[one].judge(candidate) for candidate in found])
        tell()
    for shape in SHAPES:
        _translate_again(model, beams, checks, known, shape)
    return [combine([known[one] for one in parts], beams) for parts in sentences]


@dataclass
class _Check:
    """What one sentence requires, and what its translations have lost so far."""

    sentence: str
    requirements: tuple[Requirement, ...]
    lost: set[Requirement] = field(default_factory=set)

    def judge(self, candidate: Candidate) -> Candidate:
        """Return the candidate with its problems."""
        lost = [one.lost for one in self.requirements if not one.is_kept(candidate.text)]
        if not count_letters(candidate.text):
            lost.append(f"the model gave nothing for {self.sentence[:40]!r}")
        return replace(candidate, problems=tuple(lost))

    def mask(self, best: Candidate, shape: Shape) -> Masked | None:
        """Return the sentence with codes for all that was lost so far; None where that would not help."""
        if not best.problems:
            return None
        self.lost |= {one for one in self.requirements if not one.is_kept(best.text)}
        if shape == "term" and not any(one.is_term for one in self.lost):
            return None  # the same as the next shape
        masked = mask(self.sentence, list(self.lost), shape)
        return masked if masked.text != self.sentence else None


def _translate_again(
    model: SentenceModel,
    beams: int,
    checks: Mapping[str, _Check],
    known: dict[str, list[Candidate]],
    shape: Shape,
) -> None:
    """Translate what has lost something with codes of ``shape``, and add the new candidates to ``known``."""
    masked: dict[str, list[tuple[str, Masked]]] = {}
    for sentence, check in checks.items():
        if (one := check.mask(known[sentence][0], shape)) is not None:
            masked.setdefault(one.text, []).append((sentence, one))
    for batch in _batches(set(masked)):
        for text, found in zip(batch, model.nbest(batch, beams), strict=True):
            for sentence, one in masked[text]:
                restored = [(candidate, one.restore(candidate.text)) for candidate in found]
                new = [replace(candidate, text=text) for candidate, text in restored if text is not None]
                judged = [checks[sentence].judge(candidate) for candidate in new]
                known[sentence] = rank([*known[sentence], *judged])


def _batches(sentences: set[str]) -> list[list[str]]:
    """Like lengths together: little padding."""
    ordered = sorted(sentences, key=lambda one: (len(one), one))
    return [ordered[first : first + BATCH_SIZE] for first in range(0, len(ordered), BATCH_SIZE)]
