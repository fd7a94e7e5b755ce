"""Speech told from the energy of the mel spectrogram."""

import numpy as np
import pytest

from lipsync_core.audio import mel_spectrogram
from lipsync_core.training.speech import column_levels_db, speech_columns, speech_windows


def tone(seconds, level, hz=400.0):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * 16_000)) / 16_000)


def test_levels_are_decibels():
    loud, soft = (column_levels_db(mel_spectrogram(tone(1.0, level)))[20] for level in (0.1, 0.01))
    assert loud - soft == pytest.approx(20.0, abs=0.3)


def test_tone_between_silences_is_found_where_it_is():
    rng = np.random.default_rng(0)
    wave = np.concatenate((np.zeros(16_000), tone(0.5, 0.2), np.zeros(16_000))) + rng.normal(0, 3e-5, 40_000)
    found = np.flatnonzero(speech_columns(mel_spectrogram(wave)))
    assert found.min() == pytest.approx(80, abs=3) and found.max() == pytest.approx(120, abs=3)
    assert len(found) == found.max() - found.min() + 1


def test_thirty_decibels_below_the_loud_parts_is_the_border():
    wave = np.concatenate(
        (tone(1.0, 0.5), tone(1.0, 0.5 * 10 ** (-26 / 20)), tone(1.0, 0.5 * 10 ** (-34 / 20)))
    )
    is_speech = speech_columns(mel_spectrogram(wave))
    assert is_speech[10:70].all() and is_speech[90:150].all() and not is_speech[170:230].any()


def test_what_is_quiet_throughout_is_no_speech():
    assert not speech_columns(mel_spectrogram(np.zeros(16_000))).any()
    noise = np.random.default_rng(0).normal(0, 1e-4, 16_000)
    assert not speech_columns(mel_spectrogram(noise)).any()


def test_a_window_is_speech_from_half_of_its_columns_on():
    wave = np.concatenate((np.zeros(16_000), tone(1.0, 0.2)))
    mel = mel_spectrogram(wave)
    first = int(np.flatnonzero(speech_columns(mel))[0])
    starts = np.array([first - 16, first - 9, first - 8, first, len(mel[0]) - 8, len(mel[0]) - 7, -16])
    assert speech_windows(mel, starts).tolist() == [False, False, True, True, True, False, False]
