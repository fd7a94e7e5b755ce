"""The sound under slowed pictures: pitch kept, no click, no stutter, the rest sample for sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import write_wav

from f2f.slowed_sound import RATE_HZ, write_slowed_sound
from f2f.time_map import SlowedStretch, TimeMap
from lipsync_core.media.sound import read_sound

LONG = TimeMap(
    fps="25/1",
    n_frames=150,
    slowed=(
        SlowedStretch(first_frame=50, n_frames=40, n_added=16),
        SlowedStretch(first_frame=90, n_frames=20, n_added=10),
    ),
)


def slowed(folder: Path, waveform: np.ndarray, time_map: TimeMap = LONG) -> tuple[np.ndarray, np.ndarray]:
    """Return source and result as left channels, and look that nothing else is left in the folder."""
    source = write_wav(folder / "source.wav", waveform, RATE_HZ)
    path = folder / "out" / "sound.flac"
    path.parent.mkdir()
    write_slowed_sound(source, time_map, path, lambda done_s: None)
    assert list(path.parent.iterdir()) == [path]
    both = [np.concatenate(list(read_sound(file, sample_rate_hz=RATE_HZ))) for file in (source, path)]
    assert np.array_equal(both[1][:, 0], both[1][:, 1])
    return both[0][:, 0], both[1][:, 0]


def tone(seconds: float, hertz: float = 331.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(
        np.float32
    )


def test_what_is_not_slowed_stays_sample_for_sample(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(round(6.3 * RATE_HZ)).astype(np.float32)
    source, result = slowed(tmp_path, noise)
    assert len(result) == len(source) + round(LONG.added_s * RATE_HZ)
    assert np.array_equal(result[: 2 * RATE_HZ - 480], source[: 2 * RATE_HZ - 480])
    begin = round(LONG.output_s(4.4) * RATE_HZ)
    assert np.array_equal(result[begin:], source[round(4.4 * RATE_HZ) :])


def test_pitch_stays_and_the_background_does_not_stutter(tmp_path: Path) -> None:
    _, result = slowed(tmp_path, tone(6))
    begin, end = (round(LONG.output_s(time_s) * RATE_HZ) for time_s in (2.1, 4.3))
    spectrum = np.abs(np.fft.rfft(result[begin:end] * np.hanning(end - begin)))
    assert np.argmax(spectrum) * RATE_HZ / (end - begin) == pytest.approx(331, abs=1)
    frames = result[: len(result) // 960 * 960].reshape(-1, 960)  # 20 ms
    levels_db = 20 * np.log10(np.sqrt(np.mean(frames[2:-2] ** 2, axis=1)))
    assert levels_db.max() - levels_db.min() < 3
    # A click is a jump: a sine of 331 Hz never moves further than this between two samples.
    assert np.abs(np.diff(result)).max() < 2 * 0.3 * 2 * np.pi * 331 / RATE_HZ


def test_events_lie_where_the_map_says(tmp_path: Path) -> None:
    waveform, bursts_s = np.zeros(6 * RATE_HZ, np.float32), (0.5, 2.5, 3.0, 3.7, 4.0, 5.0)
    for burst_s in bursts_s:
        at = round(burst_s * RATE_HZ)
        waveform[at : at + 4800] = tone(0.1, 500)
    _, result = slowed(tmp_path, waveform)
    for burst_s in bursts_s:
        middle_s = LONG.output_s(burst_s + 0.05)
        begin = round((middle_s - 0.2) * RATE_HZ)
        energy = result[begin : begin + round(0.4 * RATE_HZ)] ** 2
        found_s = (begin + np.average(np.arange(len(energy)), weights=energy)) / RATE_HZ
        assert found_s == pytest.approx(middle_s, abs=0.02)


def test_sound_that_is_slowed_from_the_start_or_ends_early_is_filled_up(tmp_path: Path) -> None:
    stretches = ((0, 20, 10), (60, 40, 20))
    time_map = TimeMap(
        fps="25/1",
        n_frames=100,
        slowed=tuple(SlowedStretch(first_frame=a, n_frames=n, n_added=more) for a, n, more in stretches),
    )
    _, result = slowed(tmp_path, tone(3.0), time_map)
    assert len(result) == round((4.0 + time_map.added_s) * RATE_HZ)
    assert np.sqrt(np.mean(result[4800 : 2 * RATE_HZ] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert np.abs(result[round((time_map.output_s(3.0) + 0.2) * RATE_HZ) :]).max() < 1e-3
