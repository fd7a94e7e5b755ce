"""Sound in and out."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from synthetic import ffmpeg, make_clip

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media import read_audio, read_wav, write_wav


def test_wav_round_trip(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, 22050)
    back, rate = read_wav(tmp_path / "a.wav")
    assert rate == 22050
    assert np.abs(back - wave).max() <= 1 / 32768
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_ffmpeg_reads_what_we_write(tmp_path: Path) -> None:
    wave = (0.5 * np.sin(np.arange(16000) / 20)).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, 16000)
    assert np.abs(read_audio(tmp_path / "a.wav") - wave).max() < 1e-4


def test_beyond_full_scale_is_clipped_and_nan_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([2.0, -2.0]), 8000)
    assert read_wav(tmp_path / "a.wav")[0].tolist() == [32767 / 32768, -1.0]
    for bad in (np.array([np.nan]), np.zeros((2, 2))):
        with pytest.raises(InvalidInputError):
            write_wav(tmp_path / "b.wav", bad, 8000)
    assert not (tmp_path / "b.wav").exists()


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """Not one more at the end of the interpreter's own wave file, printed where nobody can catch it."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_wav(tmp_path / "file" / "a.wav", np.zeros(8), 8000)
    gc.collect()


def test_resampling_and_mixing_keep_pitch_and_level(tmp_path: Path) -> None:
    file = tmp_path / "stereo.wav"
    ffmpeg(
        "-f", "lavfi", "-i", "aevalsrc='0.6*sin(2*PI*440*t)|0.2*sin(2*PI*440*t)':s=44100:d=1", file,
    )  # fmt: skip
    wave = read_audio(file, 16000)
    assert wave.dtype == np.float32
    assert wave.size == pytest.approx(16000, abs=2)
    spectrum = np.abs(np.fft.rfft(wave[:16000]))
    assert int(spectrum.argmax()) == 440
    assert np.abs(wave[2000:14000]).max() == pytest.approx(0.4, abs=0.01)  # mean of 0.6 and 0.2


def test_streams_are_chosen_and_missing_ones_named(tmp_path: Path) -> None:
    clip, two = make_clip(tmp_path / "in.mp4", 0.5), tmp_path / "two.mkv"
    ffmpeg(
        "-i", clip, "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-map", "0:v", "-map", "0:a",
        "-map", "1:a", "-t", "0.5", "-c:v", "copy", "-c:a", "pcm_s16le", two,
    )  # fmt: skip
    assert np.abs(read_audio(two, stream=0)).max() > 0.05
    assert np.abs(read_audio(two, stream=1)).max() == 0.0
    with pytest.raises(MediaError, match="has 2 audio stream"):
        read_audio(two, stream=2)


def test_read_wav_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 0.2)
    with pytest.raises(MediaError, match="not a readable wav"):
        read_wav(clip)
    ffmpeg("-i", clip, "-c:a", "pcm_f32le", tmp_path / "float.wav")
    with pytest.raises(MediaError):
        read_wav(tmp_path / "float.wav")
