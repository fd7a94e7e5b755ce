"""Speech to text by PocketSphinx 5 and the English model inside its package (2-clause BSD licence).

The last resort: it needs no download, and it mishears about every fourth word of clean read English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from f2f.engines.status import STANDARD_INSTALL, EngineStatus, has_package, package_version
from f2f.errors import EngineUnavailableError
from f2f.languages import Language
from f2f.speech_regions import SAMPLE_RATE_HZ, Waveform
from f2f.words import SpokenWord

LICENCE = "BSD-2-Clause"
NOTICE = (
    "transcribed by PocketSphinx, the recogniser of last resort: expect about one word in four wrong on "
    "clean read English, much worse on accents, noise or free speech; give captions with --captions FILE, "
    "or let Whisper fetch its weights"
)
_STEP = SAMPLE_RATE_HZ // 10
_CLOSING_SILENCE_S = 0.3  # lets the search end its last word


def status(language: Language | None = None) -> EngineStatus:
    """Say whether the engine can be used, and for the spoken language where it is known."""
    detail = "PocketSphinx en-us"
    if not has_package("pocketsphinx"):
        reason = f"package pocketsphinx is missing: {STANDARD_INSTALL}"
        return EngineStatus("sphinx", False, reason, LICENCE, detail)
    if language is not None and language.primary != "en":
        reason = f"knows only English, not {language.name}"
        return EngineStatus("sphinx", False, reason, LICENCE, detail)
    return EngineStatus("sphinx", True, "model inside the package; one word in four wrong", LICENCE, detail)


def identity() -> str:
    """Return what tells this model from any other."""
    return f"pocketsphinx {package_version('pocketsphinx')} en-us"


def describe() -> str:
    """Name the engine with its version, for the manifest."""
    return f"pocketsphinx {package_version('pocketsphinx')}, model en-us"


class SphinxRecogniser:
    """PocketSphinx, one window at a time.

    Raises:
        EngineUnavailableError: the package cannot be used.
    """

    n_at_once = 1
    window_s = 15.0  # the search slows down with length
    n_attempts = 1

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError as exc:
            raise EngineUnavailableError(f"pocketsphinx cannot be used ({exc}): {STANDARD_INSTALL}") from exc
        self._decoder = Decoder(samprate=float(SAMPLE_RATE_HZ), loglevel="FATAL")

    def detect_language(self, sounds: Sequence[Waveform]) -> str:
        """Return the only language it knows."""
        del sounds
        return "en"

    def hear(self, sounds: Sequence[Waveform], language: str, attempt: int) -> list[list[SpokenWord]]:
        """Return the words of each window, timed from its start."""
        del language, attempt
        return [self._hear(sound) for sound in sounds]

    def close(self) -> None:
        """Free the decoder's memory."""
        self._decoder = None

    def _hear(self, sound: Waveform) -> list[SpokenWord]:
        silence = np.zeros(round(_CLOSING_SILENCE_S * SAMPLE_RATE_HZ), np.float32)
        pcm = (np.clip(np.concatenate([sound, silence]), -1, 1) * 32767).astype("<i2")
        self._decoder.start_utt()
        for first in range(0, pcm.size, _STEP):  # in steps, so that it follows the channel while it listens
            self._decoder.process_raw(pcm[first : first + _STEP].tobytes())
        self._decoder.end_utt()
        if not self._decoder.hyp():
            return []
        return _words(self._decoder.seg(), sound.size / SAMPLE_RATE_HZ)


def _words(found: Any, end_s: float) -> list[SpokenWord]:
    """Return the words (times in 10 ms frames); markers such as <sil> are pauses."""
    words = []
    for one in found:
        text = re.sub(r"\(\d+\)$", "", one.word)  # "the(2)" is the second pronunciation
        if text[:1].isalnum() and one.start_frame / 100 < end_s:
            chance = min(1.0, float(one.prob))
            words.append(
                SpokenWord(one.start_frame / 100, min((one.end_frame + 1) / 100, end_s), text, chance)
            )
    return words
