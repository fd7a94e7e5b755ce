"""From sound to words: every window is heard once, and again with other settings where a recogniser stuck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from f2f.engines.recogniser import Recogniser
from f2f.repetition import LOOP_REASON, find_long_loops, find_loop
from f2f.speech_regions import Waveform, Window
from f2f.words import SpokenWord, mark_sounds, mean_confidence, place_words

MIN_CONFIDENCE = 0.37
"""exp(-1): below, a window is heard again, as Whisper's paper does (section 4.5)."""


@dataclass(frozen=True)
class Hearing:
    """What was heard.

    Attributes:
        words: in time order, without overlap.
        n_repeated: windows that were heard again.
    """

    words: tuple[SpokenWord, ...]
    n_repeated: int = 0


def hear(
    recogniser: Recogniser,
    waveform: Waveform,
    windows: Sequence[Window],
    language: str,
    progress: Callable[[float, float], None],
) -> Hearing:
    """Recognise the speech in ``windows``.

    No window is told what was said in an earlier one, so a loop ends with its window; and a window with a
    loop, or with words the engine hardly believes itself, is heard again with other settings.

    Args:
        recogniser: the engine.
        waveform: (N,) float32 at 16 kHz.
        windows: in time order.
        language: the engine's own code.
        progress: called with seconds done and seconds in all.
    """
    total_s = waveform.size / 16_000
    words: list[SpokenWord] = []
    n_repeated = 0
    for first in range(0, len(windows), recogniser.n_at_once):
        batch = windows[first : first + recogniser.n_at_once]
        sounds = [window.cut(waveform) for window in batch]
        heard = recogniser.hear(sounds, language, 0)
        for window, sound, found in zip(batch, sounds, heard, strict=True):
            if recogniser.n_attempts > 1 and _is_poor(found):
                n_repeated += 1
                found = _hear_again(recogniser, sound, language, found)
            loop = find_loop([word.text for word in found])
            found = _marked(found, [loop] if loop else [])
            words += mark_sounds(place_words(found, window.start_s, window.end_s))
        progress(batch[-1].end_s, total_s)
    # "Thank you." in window after window is a loop too.
    return Hearing(tuple(_marked(words, find_long_loops([word.text for word in words]))), n_repeated)


def _hear_again(
    recogniser: Recogniser, sound: Waveform, language: str, found: list[SpokenWord]
) -> list[SpokenWord]:
    """Return the first answer without fault, else the best: no loop, then the most confident."""
    best = found
    for attempt in range(1, recogniser.n_attempts):
        answer = recogniser.hear([sound], language, attempt)[0]
        best = max(best, answer, key=_quality)
        if not _is_poor(best):
            break
    return best


def _is_poor(words: Sequence[SpokenWord]) -> bool:
    is_running, confidence = _quality(words)
    return not is_running or confidence < MIN_CONFIDENCE


def _quality(words: Sequence[SpokenWord]) -> tuple[bool, float]:
    """Return whether it is running text, and the confidence; better is greater."""
    confidence = mean_confidence(words)
    return find_loop([word.text for word in words]) is None, 1.0 if confidence is None else confidence


def _marked(words: Sequence[SpokenWord], loops: Sequence[tuple[int, int]]) -> list[SpokenWord]:
    marked = {number for first, last in loops for number in range(first, last)}
    return [
        replace(word, doubt=word.doubt or LOOP_REASON) if number in marked else word
        for number, word in enumerate(words)
    ]
