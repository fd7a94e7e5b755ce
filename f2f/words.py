"""Words as recognisers hear them: put whole, in order, and told apart from music and noises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from f2f.cues import is_unspaced, join_texts

SOUND_REASON = "music or a sound, not speech"
_MIN_WORD_S = 0.02  # Whisper's resolution; it gives some words no length at all
# Notes in brackets, "(loud applause)" but not "(which is important)", and what is sung between music signs.
_SOUNDS = re.compile(
    r"\[[^\]]*\]|【[^】]*】|\*[^*]+\*|[(（]\s*(?:[^\W\d_]+\s*){1,2}[)）]|"
    r"[♪♫♩♬🎵🎶](?:[^♪♫♩♬🎵🎶]*[♪♫♩♬🎵🎶])?"
)


@dataclass(frozen=True)
class SpokenWord:
    """One word with all that is known of it.

    Attributes:
        start_s, end_s: seconds, ``end_s >= start_s``.
        text: with its punctuation, without spaces around it.
        confidence: 0…1, None where the engine does not say.
        speaker: who says it, None where not known.
        doubt: why it is not to be translated, None where nothing speaks against it.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    speaker: str | None = None
    doubt: str | None = None


def whole_words(pieces: Iterable[SpokenWord]) -> list[SpokenWord]:
    """Join pieces to words: a piece without a space before it continues the word, where words have spaces.

    Whisper writes ``" twenty"``, ``"-one"`` and ``" don"``, ``"'t"``.
    """
    words: list[SpokenWord] = []
    for piece in pieces:
        text = piece.text.strip()
        if not text:
            continue
        if words and not piece.text[0].isspace() and not is_unspaced(text[0]):
            words[-1] = _glued(words[-1], replace(piece, text=text))
        else:
            words.append(replace(piece, text=text))
    return words


def place_words(words: Sequence[SpokenWord], start_s: float, end_s: float) -> list[SpokenWord]:
    """Shift words that were timed from the start of a window to the window's place, in order, within it.

    Every word gets some length: Whisper gives none to some, and times some behind the end of the sound.
    """
    placed: list[SpokenWord] = []
    at_s, n_left = start_s, len(words)
    least_s = min(_MIN_WORD_S, (end_s - start_s) / max(1, n_left))
    for word in words:
        first_s = min(max(start_s + word.start_s, at_s), end_s - n_left * least_s)
        n_left -= 1
        at_s = min(max(start_s + word.end_s, first_s + least_s), end_s - n_left * least_s)
        placed.append(replace(word, start_s=first_s, end_s=at_s))
    return placed


def mark_sounds(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Mark what is no speech: ``[Music]``, ``(applause)``, ``♪ la la ♪``."""
    text, owners = "", []
    for number, word in enumerate(words):
        text += f"{word.text} "
        owners += [number] * (len(word.text) + 1)
    sounds = {owners[place] for match in _SOUNDS.finditer(text) for place in range(*match.span())}
    return [
        replace(word, doubt=word.doubt or SOUND_REASON) if number in sounds else word
        for number, word in enumerate(words)
    ]


def text_of(words: Iterable[SpokenWord]) -> str:
    """Return the words as running text."""
    text = ""
    for word in words:
        text = join_texts(text, word.text)
    return text


def mean_confidence(words: Sequence[SpokenWord]) -> float | None:
    """Return the mean over the words, None where an engine said nothing of any."""
    known = [word.confidence for word in words if word.confidence is not None]
    return sum(known) / len(known) if known else None


def _glued(first: SpokenWord, second: SpokenWord) -> SpokenWord:
    confidence = first.confidence
    if first.confidence is not None and second.confidence is not None:
        confidence = min(first.confidence, second.confidence)
    return replace(first, end_s=second.end_s, text=first.text + second.text, confidence=confidence)
