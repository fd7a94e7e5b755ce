"""What every recogniser of speech can do, whatever library is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from f2f.speech_regions import Waveform
    from f2f.words import SpokenWord


class Recogniser(Protocol):
    """A loaded engine; :meth:`close` gives its memory back.

    Attributes:
        n_at_once: windows of sound that are decoded together.
        window_s: the longest window that it hears well.
        n_attempts: ways in which a window can be decoded; the first is the best for ordinary speech.
    """

    n_at_once: int
    window_s: float
    n_attempts: int

    def detect_language(self, sounds: Sequence[Waveform]) -> str:
        """Return the engine's code of the language that is spoken in all of ``sounds``."""

    def hear(self, sounds: Sequence[Waveform], language: str, attempt: int) -> list[list[SpokenWord]]:
        """Return the words of each window, timed from its start.

        Args:
            sounds: at most ``n_at_once`` windows, (N,) float32 at 16 kHz.
            language: the engine's own code.
            attempt: 0 first; 1 … ``n_attempts`` - 1 are other settings, for windows that came out badly.
        """

    def close(self) -> None:
        """Free the model's memory."""
