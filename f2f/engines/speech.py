"""What every speech engine offers, whichever library speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from f2f.results import EngineInfo

Gender = Literal["female", "male"]


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
        index: 0 for the first to speak, 1 for the second …
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


class SpeechEngine(Protocol):
    """An engine that has been loaded and can speak one language."""

    def info(self) -> EngineInfo:
        """Return name, version, licence and voice set."""

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the name of the voice for ``speaker``; the same profile always gives the same voice."""

    def say(self, text: str, speaker: SpeakerProfile, wav: Path) -> Spoken:
        """Write ``text`` as spoken by the voice for ``speaker`` to ``wav``.

        Raises:
            SpeechProblemError: this text cannot be said.
        """

    def close(self) -> None:
        """Let go of processes and memory."""
