"""Speech that tests make themselves, with the synthesizer inside the packages."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

RATE = 16_000
SENTENCES = (
    "Today we shall look at light, which is the fastest thing there is.",
    "How can we measure something that fast, with nothing but mirrors and a lamp?",
    "The answer was found more than a hundred years ago, on a hill outside the town.",
    "Let us see what they did there, and why it took so many nights.",
)


@functools.cache
def speak(text: str, voice: str = "en-us") -> np.ndarray:
    """Return (N,) float32 at 16 kHz: ``text`` said by an espeak voice such as ``"en-us+f2"``."""
    from f2f.engines.espeak import EspeakEngine
    from f2f.engines.speech import SpeakerProfile
    from lipsync_core.media import read_audio

    engine = EspeakEngine("en", voice)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "said.wav"
            engine.say(text, SpeakerProfile(0, None, None), wav)
            return np.array(read_audio(wav, RATE))
    finally:
        engine.close()


def silence(seconds: float) -> np.ndarray:
    """Return a pause with the noise of a quiet room."""
    noise = np.random.default_rng(0).normal(0, 1e-4, round(seconds * RATE))
    return noise.astype(np.float32)


def chords(seconds: float) -> np.ndarray:
    """Return plucked chords: music without a voice."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    notes = (261.6, 329.6, 392.0), (220.0, 261.6, 329.6)
    sound = np.zeros(time_s.size)
    for bar, chord in enumerate(notes * (1 + int(seconds))):
        here = (time_s >= bar / 2) & (time_s < (bar + 1) / 2)
        for hertz in chord:
            since_s = time_s[here] - bar / 2
            sound[here] += 0.1 * np.exp(-4 * since_s) * np.sin(2 * np.pi * hertz * since_s)
    return sound.astype(np.float32)
