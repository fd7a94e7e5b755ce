"""Pitch against signals of known pitch, and against real voices where a developer has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from f2f.results import Segment
from f2f.source_speech import REFERENCE_S, judge_gender, median_pitch_hz, pick_reference, pick_speech

RATE = 16_000


def voice(hz: float, seconds: float, level: float = 0.1) -> np.ndarray:
    """A buzz of many harmonics with a strong second one, as a vowel has, in syllables."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    harmonics = [1.0, 1.6, 0.7, *(0.5 / k for k in range(4, 12))]
    buzz = sum(a * np.sin(2 * np.pi * hz * (k + 1) * time_s) for k, a in enumerate(harmonics))
    return (level * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time_s))).astype(np.float32)


def segments(*times_s: tuple[float, float]) -> list[Segment]:
    return [Segment(id=i, start_s=a, end_s=b, text="x") for i, (a, b) in enumerate(times_s)]


@pytest.mark.parametrize("hz", [85, 110, 150, 190, 220, 300])
def test_pitch_of_a_known_voice(hz: float) -> None:
    assert median_pitch_hz(voice(hz, 2), RATE) == pytest.approx(hz, rel=0.02)


def test_pitch_survives_room_noise() -> None:
    noisy = voice(120, 2) + np.random.default_rng(1).normal(0, 0.01, 2 * RATE).astype(np.float32)
    assert median_pitch_hz(noisy, RATE) == pytest.approx(120, rel=0.02)


@pytest.mark.parametrize("kind", ["noise", "silence", "nothing"])
def test_no_pitch_where_nobody_speaks(kind: str) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 2 * RATE).astype(np.float32)
    sound = {"noise": noise, "silence": 0 * noise, "nothing": noise[:0]}[kind]
    assert median_pitch_hz(sound, RATE) is None
    assert judge_gender(sound, RATE) is None


def test_gender_by_pitch() -> None:
    assert judge_gender(voice(115, 2), RATE) == "male"
    assert judge_gender(voice(205, 2), RATE) == "female"


def test_real_voices(shared_media: Path) -> None:
    from lipsync_core.media import read_audio

    known = {"speech/LJ001-0001.flac": "female", "speech/libri_quilter_en.wav": "male"}
    for name, gender in known.items():
        assert judge_gender(read_audio(shared_media / name, RATE), RATE) == gender, name


def test_speech_is_picked_from_the_longest_segments() -> None:
    sound = np.zeros(100 * RATE, np.float32)
    sound[10 * RATE : 80 * RATE] = 1
    assert pick_speech(sound, RATE, segments((0, 1), (10, 80))).sum() == 60 * RATE
    assert pick_speech(sound, RATE, segments((5, 11), (12, 13))).sum() == 2 * RATE
    assert pick_speech(sound, RATE, []).size == 0


def test_reference_is_clean_and_long_enough() -> None:
    hum = np.random.default_rng(3).normal(0, 0.05, 12 * RATE).astype(np.float32)
    clean, clipped = voice(120, 8), np.clip(voice(120, 8, 2.0), -1, 1)
    sound = np.concatenate([voice(120, 12) + hum, clipped, clean, clean])
    reference = pick_reference(sound, RATE, segments((0, 12), (12, 20), (20, 28), (28, 36)))
    assert reference is not None
    assert REFERENCE_S[0] <= len(reference) / RATE <= REFERENCE_S[1]
    np.testing.assert_array_equal(reference, clean)


def test_long_reference_is_cut_to_fifteen_seconds() -> None:
    reference = pick_reference(voice(120, 40), RATE, segments((0, 40)))
    assert reference is not None and len(reference) == REFERENCE_S[1] * RATE


def test_too_little_clean_speech_gives_no_reference() -> None:
    assert pick_reference(voice(120, 5), RATE, segments((0, 5))) is None
    assert pick_reference(np.clip(voice(120, 20, 2.0), -1, 1), RATE, segments((0, 20))) is None


def test_reference_keeps_away_from_other_people() -> None:
    sound = np.concatenate([voice(120, 10), voice(220, 4), voice(120, 10)])
    own, others = segments((0, 10), (13.8, 24)), segments((10, 14))
    reference = pick_reference(sound, RATE, own, others)
    assert reference is not None
    edges = [round(s * RATE) for s in (9.7, 14.3)]  # nothing within 0.3 s of the other voice
    allowed = np.concatenate([sound[: edges[0]], sound[edges[1] :]])
    assert median_pitch_hz(reference, RATE) == pytest.approx(120, rel=0.02)
    assert len(reference) <= len(allowed)
    alone = pick_reference(sound, RATE, segments((9, 15)), others)
    assert alone is None


def test_reference_is_taken_between_clipped_samples() -> None:
    sound = voice(120, 20)
    sound[8 * RATE : 8 * RATE + 3] = 1.0
    reference = pick_reference(sound, RATE, segments((0, 20)))
    assert reference is not None and np.abs(reference).max() < 0.99
    assert len(reference) >= REFERENCE_S[0] * RATE


@pytest.mark.parametrize(("over", "good"), [(1.0, False), (3.0, True)])
def test_reference_stands_out_from_the_background(over: float, good: bool) -> None:
    speech = voice(120, 10)
    music = np.random.default_rng(4).normal(0, 1, len(speech)).astype(np.float32)
    music *= np.sqrt(np.mean(speech**2)) / over
    assert (pick_reference(speech + music, RATE, segments((0, 10))) is not None) is good
