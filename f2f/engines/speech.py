"""What every speech engine offers, whichever library speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from f2f.results import EngineInfo
from f2f.spoken_text import NumberStyle

Gender = Literal["female", "male"]

NATIVE_RATES = (0.9, 1.15)
"""How slow and how fast a voice may speak of itself, 1 being its usual rate; beyond this it sounds wrong."""


class SpeechProblemError(Exception):
    """One text could not be said; the message says why. Never the end of a job."""


@dataclass(frozen=True)
class Spoken:
    """A mono 16-bit wav that was written."""

    n_samples: int
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate_hz


@dataclass(frozen=True)
class SpeakerProfile:
    """One person who speaks in the source.

    Attributes:
        index: says which of several fitting voices this person gets; the same for the same person always.
        gender: which kind of voice fits, judged by pitch; None when it could not be measured.
        reference: mono wav of that person's speech, only with consent to cloning.
        voice: name of the voice that somebody chose for this very line; None leaves it to the engine.
        take: which take of the line is wanted; an engine that samples gives another one for each number.
    """

    index: int = 0
    gender: Gender | None = None
    reference: Path | None = None
    voice: str | None = None
    take: int = 0


@dataclass(frozen=True)
class Manner:
    """How one take is spoken.

    Attributes:
        rate: 1 is the voice's usual rate, above is faster; within ``NATIVE_RATES``.
        attempt: 0 for the first; further ones ask for other settings (seed, temperature, shorter pieces).
    """

    rate: float = 1.0
    attempt: int = 0


class SpeechEngine(Protocol):
    """An engine that has been loaded and can speak one language.

    Attributes:
        numbers: how it wants numbers to be written.
        n_attempts: after how many attempts its settings are exhausted; 1 where all would sound the same.
        has_rate: it can speak faster and slower itself.
    """

    numbers: NumberStyle
    n_attempts: int
    has_rate: bool

    def info(self) -> EngineInfo:
        """Return name, version, licence and voice set."""

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the name of the voice for ``speaker``; the same profile always gives the same voice.

        Raises:
            UsageError: ``speaker.voice`` does not exist.
        """

    def unsayable(self, text: str) -> str:
        """Return the letters and digits of ``text`` that the voice would leave out, each once."""

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, manner: Manner = Manner()) -> Spoken:
        """Write ``text`` as spoken by the voice for ``speaker`` to ``wav``, its outer silence trimmed.

        Raises:
            SpeechProblemError: this text cannot be said.
            UsageError: ``speaker.voice`` does not exist.
            OSError: ``wav`` cannot be written.
        """

    def close(self) -> None:
        """Let go of processes and memory."""
