import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from parity_fill import golden

from lipsync_core import audio

RNG = np.random.default_rng(3)


def noise(n_samples):
    return RNG.uniform(-0.5, 0.5, n_samples).astype(np.float32)


def test_mel_meets_the_golden():
    expected = golden("audio")
    mel = audio.mel_spectrogram(expected["wav"])
    assert mel.shape == (80, 1 + expected["wav"].size // 200)
    np.testing.assert_allclose(mel, expected["mel"], atol=1e-5)


def test_mfcc_meets_the_golden():
    expected = golden("audio")
    pcm = (expected["wav"] * 32767).astype(np.int16)  # the golden was made from truncated samples
    np.testing.assert_allclose(audio.mfcc(pcm).T, expected["mfcc"], atol=1e-5)


def test_mel_agrees_with_librosa_under_reflect_padding():
    librosa = pytest.importorskip("librosa")
    wave = noise(16_000) * np.linspace(0, 1, 16_000, dtype=np.float32)
    emphasised = np.append(wave[0], wave[1:] - 0.97 * wave[:-1]).astype(np.float64)
    spectrum = np.abs(librosa.stft(emphasised, n_fft=800, hop_length=200, win_length=800, pad_mode="reflect"))
    basis = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    level = 20 * np.log10(np.maximum(1e-5, basis @ spectrum)) - 20
    expected = np.clip(8 * (level + 100) / 100 - 4, -4, 4)
    np.testing.assert_allclose(audio.mel_spectrogram(wave), expected, atol=2e-5)


@pytest.mark.parametrize("n_samples", [401, 599, 600, 601, 799, 5_000])
def test_block_borders_leave_no_trace(n_samples, monkeypatch):
    wave, pcm = noise(n_samples), (noise(n_samples) * 20_000).astype(np.int16)
    whole_mel, whole_mfcc = audio.mel_spectrogram(wave), audio.mfcc(pcm)
    monkeypatch.setattr(audio, "_BLOCK_COLUMNS", 3)
    np.testing.assert_allclose(audio.mel_spectrogram(wave), whole_mel, atol=1e-6)
    np.testing.assert_allclose(audio.mfcc(pcm), whole_mfcc, atol=1e-6)
    assert whole_mel.shape == (80, 1 + n_samples // 200)
    assert whole_mfcc.shape == (13, 1 + max(0, -(-(n_samples - 400) // 160)))


def test_silence_is_exactly_minus_four():
    assert np.all(audio.mel_spectrogram(np.zeros(16_000, np.float32)) == audio.MEL_SILENCE)
    assert np.isfinite(audio.mfcc(np.zeros(16_000, np.int16))).all()


def test_a_tone_lights_its_band():
    time_s = np.arange(16_000) / 16_000
    mel = audio.mel_spectrogram(0.5 * np.sin(2 * np.pi * 1_000 * time_s))
    centres_hz = np.array([np.argmax(row) * 20 for row in audio._mel_basis()])
    brightest = int(np.argmax(mel[:, 40]))
    assert abs(centres_hz[brightest] - 1_000) < 60


def test_memory_beyond_the_result_is_flat():
    def peak_beyond_result(seconds):
        wave = np.zeros(16_000 * seconds, np.float32)
        audio.mel_spectrogram(wave[:16_000])  # fill the caches
        tracemalloc.start()
        result = audio.mel_spectrogram(wave)
        peak = tracemalloc.get_traced_memory()[1] - result.nbytes
        tracemalloc.stop()
        return peak

    assert peak_beyond_result(240) < 1.1 * peak_beyond_result(60)


@pytest.mark.parametrize("bad", [np.zeros(400), np.zeros((2, 16_000)), np.full(16_000, np.nan)])
def test_bad_waveforms_are_refused(bad):
    with pytest.raises(ValueError, match="waveform"):
        audio.mel_spectrogram(bad)


@pytest.mark.parametrize("bad", [np.zeros(400), np.zeros(0, np.int16), np.zeros((2, 400), np.int16)])
def test_bad_pcm_is_refused(bad):
    with pytest.raises(ValueError, match="int16"):
        audio.mfcc(bad)


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_window_starts_follow_the_published_rule(fps):
    assert [audio.mel_window_start(i, fps) for i in range(2_000)] == [i * 80 // fps for i in range(2_000)]


def test_offset_moves_the_window_by_whole_frames():
    assert [audio.mel_window_start(i, 25, -2) for i in (0, 2, 7)] == [-7, 0, 16]
    assert audio.mel_window_start(3, 25, 1) == audio.mel_window_start(4, 25)
    with pytest.raises(ValueError, match="fps"):
        audio.mel_window_start(1, 0)


@pytest.mark.parametrize("columns", [15, 20, 27])
@pytest.mark.parametrize("fps", [24, 25, Fraction(30_000, 1001), 50])
def test_windows_of_other_widths_are_centred_on_their_frame(fps, columns):
    """The middle of the window lies at most one column before the middle of the frame."""
    for index in range(2_000):
        start = audio.mel_window_start(index, float(fps), columns=columns)
        frame_centre = Fraction(80) * (index + Fraction(1, 2)) / Fraction(fps)
        assert 0 <= frame_centre - (start + Fraction(columns, 2)) < 1


def test_windows_of_27_columns_at_25_fps():
    """floor(3.2 i) + 1.6 - 13.5, that is 11.9 columns before the frame begins."""
    starts = [audio.mel_window_start(i, 25, columns=27) for i in range(2_000)]
    assert starts == [16 * i // 5 - 12 for i in range(2_000)]
    assert audio.mel_window_start(3, 25, 1, columns=27) == starts[4]
    mel = np.arange(80 * 60, dtype=np.float32).reshape(80, 60)
    first = audio.mel_window(mel, 0, 25, columns=27)
    assert first.shape == (80, 27)
    assert np.all(first[:, :12] == -4)
    np.testing.assert_array_equal(first[:, 12:], mel[:, :15])


def test_windows_beyond_the_ends_are_silence():
    mel = np.arange(80 * 30, dtype=np.float32).reshape(80, 30)
    early = audio.mel_window(mel, 0, 25, -2)
    assert early.shape == (80, 16)
    assert np.all(early[:, :7] == -4)
    np.testing.assert_array_equal(early[:, 7:], mel[:, :9])
    late = audio.mel_window(mel, 7, 25)  # starts at column 22
    np.testing.assert_array_equal(late[:, :8], mel[:, 22:])
    assert np.all(late[:, 8:] == -4)
    assert np.all(audio.mel_window(mel, 1_000, 25) == -4)
