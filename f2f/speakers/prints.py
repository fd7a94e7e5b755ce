"""Voice prints: what a person's voice is known by in other videos."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from f2f.results import Result, Segment
from f2f.source_speech import pick_speech
from f2f.speakers import voice_encoder
from f2f.speech_regions import SAMPLE_RATE_HZ, Waveform

MIN_SPEECH_S = 3.0
"""Less tells nobody from anybody."""


class VoicePrint(Result):
    """The mean embedding of a person's speech."""

    engine: str
    """Which network made it; prints of different ones cannot be compared."""
    vector: str
    """Of length 1: float16, little-endian, in base64."""
    seconds: float
    """How much speech it was made from."""

    @classmethod
    def of(cls, engine: str, vector: npt.NDArray[np.floating], seconds: float) -> VoicePrint:
        """Return the print of a vector of any length above 0."""
        unit = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype("<f2")
        text = base64.b64encode(unit.tobytes()).decode("ascii")
        return cls(engine=engine, vector=text, seconds=round(seconds, 1))

    @field_validator("vector")
    @classmethod
    def _check(cls, vector: str) -> str:
        if not np.isfinite(_decode(vector)).all():
            raise ValueError("holds what is no number")
        return vector

    def values(self) -> npt.NDArray[np.float32]:
        """Return the vector."""
        return _decode(self.vector)

    def likeness(self, other: VoicePrint) -> float:
        """Return the cosine of two prints, 0 for those that cannot be compared."""
        own, theirs = self.values(), other.values()
        return float(own @ theirs) if self.engine == other.engine and own.size == theirs.size else 0.0

    def merged(self, other: VoicePrint, most_s: float) -> VoicePrint:
        """Return the print of both; of this one at most ``most_s`` seconds count, so that it can follow."""
        own_s = min(self.seconds, most_s)
        mean = own_s * self.values() + other.seconds * other.values()
        return VoicePrint.of(self.engine, mean, own_s + other.seconds)


def can_print() -> bool:
    """Whether the network is here."""
    return voice_encoder.status().ready


def voice_prints(
    sound: Waveform, spoken: Sequence[Segment], device: str = "cpu"
) -> dict[str | None, VoicePrint]:
    """Return the print of every speaker of whom there are three seconds of speech.

    Args:
        sound: (N,) float32 in -1...1 at 16 kHz.
        spoken: what is said in it.
        device: where the network runs.

    Raises:
        EngineUnavailableError: the network's weights are missing or damaged.
    """
    encoder = voice_encoder.VoiceEncoder(device)
    prints: dict[str | None, VoicePrint] = {}
    for speaker in dict.fromkeys(segment.speaker for segment in spoken):
        own = pick_speech(sound, SAMPLE_RATE_HZ, [one for one in spoken if one.speaker == speaker])
        seconds = own.size / SAMPLE_RATE_HZ
        if seconds >= MIN_SPEECH_S:
            ((_, windows),) = encoder.embed_regions(own, [(0.0, seconds)])
            prints[speaker] = VoicePrint.of(voice_encoder.identity(), windows.mean(axis=0), seconds)
    return prints


def _decode(vector: str) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(vector, validate=True), "<f2").astype(np.float32)
