"""Speech to text by PocketSphinx 5 and the English model inside its package (2-clause BSD licence).

The last resort: it needs no download, and it mishears about every fourth word of clean read English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from f2f.cues import MAX_SEGMENT_S, Cue
from f2f.engines.status import STANDARD_INSTALL, EngineStatus, has_package, package_version
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

LICENCE = "BSD-2-Clause"
SAMPLE_RATE_HZ = 16_000
NOTICE = (
    "transcribed by PocketSphinx, the recogniser of last resort: expect about one word in four wrong on "
    "clean read English, much worse on accents, noise or free speech; give captions with --captions FILE, "
    "or let Whisper fetch its weights"
)
_PAUSE_S = 0.35  # a silence inside an utterance at which a new segment begins
_UTTERANCE_S = 25.0  # from here on an utterance ends at the next quiet frame ...
_MAX_UTTERANCE_S = 40.0  # ... and here in any case; the search slows down with length
_CLOSING_SILENCE_S = 1.0  # appended, so that the detector of speech sees the last utterance end

Waveform = npt.NDArray[np.float32]


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


def recognise(waveform: Waveform, progress: Callable[[float, float], None] | None = None) -> list[Cue]:
    """Return what is said in English, cut at pauses.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz; may be mapped from a file, it is read in small pieces.
        progress: called with seconds done and seconds in all.

    Raises:
        EngineUnavailableError: the package cannot be used.
    """
    try:
        from pocketsphinx import Decoder, Endpointer
    except ImportError as exc:
        raise EngineUnavailableError(f"pocketsphinx cannot be used ({exc}): {STANDARD_INSTALL}") from exc
    listener = _Listener(Decoder(samprate=float(SAMPLE_RATE_HZ), loglevel="FATAL"))
    endpointer = Endpointer(sample_rate=SAMPLE_RATE_HZ)
    total_s, reported_s = waveform.size / SAMPLE_RATE_HZ, 0.0
    cues: list[Cue] = []
    for frame in _frames(waveform, endpointer.frame_bytes):
        was_speech = endpointer.in_speech
        speech = endpointer.process(frame)
        if speech is not None:
            if not was_speech:
                listener.begin(float(endpointer.speech_start))
            cues += listener.hear(speech)
            if not endpointer.in_speech:
                cues += listener.end()
                if progress and endpointer.speech_end - reported_s >= 1:
                    reported_s = min(float(endpointer.speech_end), total_s)
                    progress(reported_s, total_s)
    cues += listener.end()
    if progress:
        progress(total_s, total_s)
    return [cue for cue in cues if cue.start_s < total_s]


class _Listener:
    """Feeds utterances to the decoder and turns its words into cues."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._start_s: float | None = None
        self._heard_s = 0.0

    def begin(self, start_s: float) -> None:
        self._decoder.start_utt()
        self._start_s, self._heard_s = start_s, 0.0

    def hear(self, speech: bytes) -> list[Cue]:
        """Take 16-bit samples; returns cues when the utterance grew so long that it was ended."""
        self._decoder.process_raw(speech)
        self._heard_s += len(speech) / 2 / SAMPLE_RATE_HZ
        if self._heard_s < _UTTERANCE_S or self._start_s is None:
            return []
        pcm = np.frombuffer(speech, "<i2").astype(np.float32) / 32768
        is_quiet = pcm.size == 0 or float(np.sqrt(np.mean(np.square(pcm)))) < 0.005
        if not is_quiet and self._heard_s < _MAX_UTTERANCE_S:
            return []
        next_start_s = self._start_s + self._heard_s
        cues = self.end()
        self.begin(next_start_s)
        return cues

    def end(self) -> list[Cue]:
        if self._start_s is None:
            return []
        offset_s, self._start_s = self._start_s, None
        self._decoder.end_utt()
        return _cues(self._decoder.seg() if self._decoder.hyp() else (), offset_s)


def _frames(waveform: Waveform, frame_bytes: int) -> Iterator[bytes]:
    """Yield the samples as 16-bit frames of exactly ``frame_bytes``, with silence behind them."""
    step = frame_bytes // 2
    block = step * 1000
    for first in range(0, waveform.size, block):
        piece = np.array(waveform[first : first + block], np.float32)
        piece = np.pad(piece, (0, -piece.size % step))
        pcm = (np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes()
        yield from (pcm[i : i + frame_bytes] for i in range(0, len(pcm), frame_bytes))
    for _ in range(int(_CLOSING_SILENCE_S * SAMPLE_RATE_HZ / step)):
        yield bytes(frame_bytes)


def _cues(words: Any, offset_s: float) -> list[Cue]:
    """Return the words (times in 10 ms frames) as cues; markers such as <sil> are pauses."""
    spoken = []
    for word in words:
        text = re.sub(r"\(\d+\)$", "", word.word)  # "the(2)" is the second pronunciation
        if text[:1].isalnum():
            spoken.append(Cue(offset_s + word.start_frame / 100, offset_s + (word.end_frame + 1) / 100, text))
    return [_joined(run) for run in _runs(spoken)]


def _runs(words: list[Cue]) -> Iterator[list[Cue]]:
    """Cut at every pause; what is still too long, at its longest gap that is not near an end."""
    if not words:
        return
    gaps = [two.start_s - one.end_s for one, two in pairwise(words)]
    is_too_long = words[-1].end_s - words[0].start_s > MAX_SEGMENT_S
    if gaps and (is_too_long or max(gaps) >= _PAUSE_S):
        inner = range(len(gaps) // 4, max(1, len(gaps) - len(gaps) // 4))
        places = range(len(gaps)) if max(gaps) >= _PAUSE_S else inner
        cut = max(places, key=lambda i: (gaps[i], -abs(i - len(gaps) / 2))) + 1
        yield from _runs(words[:cut])
        yield from _runs(words[cut:])
    else:
        yield words


def _joined(words: list[Cue]) -> Cue:
    return Cue(words[0].start_s, words[-1].end_s, " ".join(word.text for word in words))
