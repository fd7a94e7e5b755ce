"""The real recogniser on real speech, where a developer has some, and on sounds that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from f2f.cues import MAX_SEGMENT_S, Cue
from f2f.engines import sphinx
from f2f.languages import Language

RATE = sphinx.SAMPLE_RATE_HZ


def test_hears_read_english(shared_media: Path) -> None:
    from lipsync_core.media import read_audio

    told: list[tuple[float, float]] = []
    waveform = read_audio(shared_media / "speech" / "libri_quilter_en.wav", RATE)
    cues = sphinx.recognise(waveform, lambda *now: told.append(now))
    said = "mr quilter is the apostle of the middle classes and we are glad to welcome his gospel"
    heard = " ".join(cue.text for cue in cues).split()
    assert len(set(said.split()) & set(heard)) >= len(set(said.split())) / 2
    assert all(0 <= cue.start_s < cue.end_s <= waveform.size / RATE for cue in cues)
    assert told[-1] == (waveform.size / RATE, waveform.size / RATE)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
def test_silence_is_no_speech(seconds: float) -> None:
    assert sphinx.recognise(np.zeros(int(seconds * RATE), np.float32)) == []


class _Word:
    def __init__(self, word: str, start_s: float, end_s: float) -> None:
        self.word, self.start_frame, self.end_frame = word, round(start_s * 100), round(end_s * 100) - 1


def test_words_are_cut_at_pauses_and_markers_left_out() -> None:
    words = [
        _Word("<s>", 0, 0.1), _Word("the(2)", 0.1, 0.3), _Word("light", 0.3, 0.8), _Word("<sil>", 0.8, 1.3),
        _Word("[NOISE]", 1.3, 1.4), _Word("is", 1.4, 1.6), _Word("++BREATH++", 1.6, 1.7),
        _Word("fast", 1.7, 2.0),
    ]  # fmt: skip
    cues = sphinx._cues(words, 10.0)
    assert [(cue.text, round(cue.start_s, 2), round(cue.end_s, 2)) for cue in cues] == [
        ("the light", 10.1, 10.8),
        ("is fast", 11.4, 12.0),
    ]


def test_long_speech_without_pauses_is_cut_and_no_word_lost() -> None:
    words = [_Word(f"w{i}", i * 0.5, i * 0.5 + (0.3 if i % 7 == 6 else 0.45)) for i in range(60)]
    cues: list[Cue] = sphinx._cues(words, 0.0)
    assert " ".join(cue.text for cue in cues).split() == [word.word for word in words]
    assert max(cue.duration_s for cue in cues) <= MAX_SEGMENT_S
    assert min(cue.duration_s for cue in cues) >= 1
    assert sum(cue.text.endswith(tuple(f"w{i}" for i in range(6, 60, 7))) for cue in cues) >= len(cues) - 1


def test_frames_cover_the_whole_waveform() -> None:
    waveform = np.linspace(-1, 1, 100_001, dtype=np.float32)
    data = b"".join(sphinx._frames(waveform, 960))
    pcm = np.frombuffer(data, "<i2")
    assert np.array_equal(pcm[: waveform.size], (waveform * 32767).astype(np.int16))
    assert not pcm[waveform.size :].any()
    assert len(data) % 960 == 0


def test_status_is_for_english_only() -> None:
    assert sphinx.status().ready
    assert sphinx.status(Language("en-GB")).ready
    assert "only English, not Hindi" in sphinx.status(Language("hi")).reason
    assert "one word in four" in sphinx.NOTICE
