from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from synthetic import ffmpeg, make_clip, write_wav

from lipsync_core.errors import InvalidInputError, MediaError
from lipsync_core.media import read_audio
from lipsync_core.media.sound import SoundWriter, filter_sound, measure_loudness, read_sound

RATE = 48_000


def stereo_tone(seconds: float, left: float, right: float, hz: float = 1000.0) -> np.ndarray:
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([left * wave, right * wave], axis=1).astype(np.float32)


def whole(path: Path, **options: int) -> np.ndarray:
    return np.concatenate(list(read_sound(path, **options)))


@pytest.mark.parametrize("block", [1000, 48_000, 100_000])
def test_what_is_written_is_read_in_blocks_of_any_size(tmp_path: Path, block: int) -> None:
    sound = stereo_tone(1.5, 0.5, -0.25)
    with SoundWriter(tmp_path / "a.flac") as writer:
        for start in range(0, len(sound), 777):
            writer.write(sound[start : start + 777])
        assert not (tmp_path / "a.flac").exists(), "nothing unfinished under the name"
    blocks = list(read_sound(tmp_path / "a.flac", block_samples=block))
    assert {len(one) for one in blocks[:-1]} <= {block} and 0 < len(blocks[-1]) <= block
    assert np.allclose(np.concatenate(blocks), sound, atol=2e-7)  # 24 bits


def test_mono_goes_to_both_sides_at_full_level(tmp_path: Path) -> None:
    wave = stereo_tone(0.5, 0.5, 0.5)[:, 0]
    write_wav(tmp_path / "mono.wav", wave, RATE)
    sound = whole(tmp_path / "mono.wav")
    assert np.array_equal(sound[:, 0], sound[:, 1])
    assert np.allclose(sound[:, 0], wave, atol=1e-4)


def test_surround_is_mixed_down_without_clipping(tmp_path: Path) -> None:
    source = tmp_path / "surround.flac"
    one = "0.9*sin(2*PI*500*t)"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc={'|'.join([one] * 6)}:c=5.1:s=48000:d=0.5", source)
    sound = whole(source)
    assert sound.shape[1] == 2 and 0.5 < np.abs(sound).max() <= 1


def test_zero_is_the_container_s_start_as_for_mono_reading(tmp_path: Path) -> None:
    source = tmp_path / "late.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=2",
        "-itsoffset", "0.6", "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000:duration=1.4",
        "-c:a", "flac", source,
    )  # fmt: skip
    assert np.allclose(whole(source)[:, 0], read_audio(source, RATE), atol=1e-6)


def test_rate_is_the_wanted_one(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 1.0)
    assert len(whole(clip, sample_rate_hz=44_100)) == pytest.approx(44_100, abs=3000)


def test_loudness_is_that_of_the_standard(tmp_path: Path) -> None:
    # ITU-R BS.1770-4: a full-scale sine of 997 Hz on one channel reads −3.01 LKFS.
    with SoundWriter(tmp_path / "left.flac") as writer:
        writer.write(stereo_tone(3, 1.0, 0.0, 997))
    loudness = measure_loudness(tmp_path / "left.flac")
    assert loudness.integrated_lufs == pytest.approx(-3.01, abs=0.1)
    assert loudness.true_peak_dbtp == pytest.approx(0.0, abs=0.1)
    assert measure_loudness(tmp_path / "left.flac", gain_db=-6).integrated_lufs == pytest.approx(-9, abs=0.1)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    with SoundWriter(tmp_path / "s.flac") as writer:
        writer.write(np.zeros((RATE, 2), np.float32))
    loudness = measure_loudness(tmp_path / "s.flac")
    assert loudness.integrated_lufs == loudness.true_peak_dbtp == -math.inf


def test_filters_are_applied_and_gain_keeps_what_exceeds_full_scale(tmp_path: Path) -> None:
    loud = stereo_tone(0.5, 2.0, 2.0)
    with SoundWriter(tmp_path / "a.flac", gain=0.25) as writer:
        writer.write(loud)
    filter_sound(tmp_path / "a.flac", tmp_path / "b.flac", ["volume=-6dB"])
    assert np.allclose(whole(tmp_path / "b.flac"), loud * 0.25 * 10 ** (-6 / 20), atol=1e-4)


def test_wrong_blocks_files_and_filters_are_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidInputError, match=r"\(5,\)"),
        SoundWriter(tmp_path / "a.flac") as writer,
    ):
        writer.write(np.zeros(5, np.float32))
    assert not list(tmp_path.iterdir()), "nothing may be left"
    clip = make_clip(tmp_path / "a.mp4", 0.5)
    with pytest.raises(MediaError, match="stream 3"):
        next(read_sound(clip, stream=3))
    with pytest.raises(MediaError, match="stream 3"):
        measure_loudness(clip, stream=3)
    with pytest.raises(MediaError, match="filtering"):
        filter_sound(clip, tmp_path / "b.flac", ["nosuchfilter"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
