"""Levels against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from f2f.loudness import from_dbfs, speech_rms, to_dbfs, trim_silence, true_peak

RATE = 48_000


def sine(hz: float, seconds: float, amplitude: float = 0.5, phase: float = 0.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * time_s + phase)).astype(np.float32)


def test_decibels() -> None:
    assert to_dbfs(0.1) == pytest.approx(-20) and from_dbfs(-6.0206) == pytest.approx(0.5, rel=1e-4)
    assert to_dbfs(0) == -np.inf


def test_rms_of_a_sine_is_its_amplitude_over_root_two() -> None:
    assert speech_rms(sine(400, 1), RATE) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


def test_pauses_do_not_count() -> None:
    tone, silence = sine(400, 1), np.zeros(3 * RATE, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.003, 3 * RATE).astype(np.float32)
    assert speech_rms(np.concatenate([tone, silence]), RATE) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert speech_rms(np.concatenate([noise, tone]), RATE) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_silence_has_no_level(n_samples: int) -> None:
    assert speech_rms(np.zeros(n_samples, np.float32), RATE) == 0


def test_true_peak_sees_between_the_samples() -> None:
    # A sine at a quarter of the rate, sampled 45° off its crests, shows 0.71 of its peak.
    tone = sine(RATE / 4, 0.1, amplitude=0.9, phase=np.pi / 4)
    assert np.abs(tone).max() == pytest.approx(0.9 / np.sqrt(2), rel=1e-3)
    assert true_peak(tone) == pytest.approx(0.9, rel=0.03)


def test_true_peak_of_long_sound_is_that_of_its_loudest_place() -> None:
    sound = np.zeros(700_000, np.float32)
    sound[262_140:262_150] = sine(RATE / 4, 1, 0.8, np.pi / 4)[:10]  # across a block border
    whole = true_peak(sound)
    assert whole == pytest.approx(true_peak(sound[262_000:262_300]), rel=1e-6)


def test_trim_keeps_the_sound_and_a_margin() -> None:
    sound = np.concatenate([np.zeros(RATE), np.ones(RATE), np.full(RATE, 1e-4)]).astype(np.float32)
    trimmed = trim_silence(sound, RATE, kept_s=0.02)
    assert len(trimmed) == RATE + 2 * round(0.02 * RATE)
    assert trimmed.sum() == pytest.approx(RATE, rel=1e-3)


def test_trim_of_silence_leaves_nothing() -> None:
    assert trim_silence(np.full(100, 1e-5, np.float32), RATE).size == 0
    assert trim_silence(np.zeros(0, np.float32), RATE).size == 0
