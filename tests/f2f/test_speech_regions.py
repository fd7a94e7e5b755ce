"""The real detector on synthesised speech, pauses, music and noise."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from spoken import RATE, SENTENCES, chords, silence, speak

from f2f import speech_regions
from f2f.speech_regions import Window, find_speech, plan_windows, speech_share


def test_finds_speech_between_silence_and_music() -> None:
    one, two = speak(SENTENCES[0]), speak(SENTENCES[1], "en-us+f2")
    waveform = np.concatenate([silence(2), one, silence(3), chords(4), two, silence(1)])
    starts_s = [2.0, 2 + one.size / RATE + 7]
    ends_s = [starts_s[0] + one.size / RATE, starts_s[1] + two.size / RATE]
    regions = find_speech(waveform)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(regions))
    for start_s, end_s in zip(starts_s, ends_s, strict=True):
        assert speech_share(regions, start_s, end_s) > 0.8
    assert speech_share(regions, 0, 1.8) == 0
    assert speech_share(regions, ends_s[0] + 0.5, starts_s[1] - 0.5) < 0.1


def test_real_speech_is_found_whole(shared_media: Path) -> None:
    from lipsync_core.media import read_audio

    waveform = read_audio(shared_media / "speech" / "jfk.flac", RATE)
    regions = find_speech(waveform)
    # Five phrases; the pauses are known from the waveform's energy.
    assert speech_share(regions, 0.4, 2.2) == speech_share(regions, 5.5, 7.6) == 1
    assert speech_share(regions, 2.5, 3.1) == speech_share(regions, 4.6, 5.2) == 0


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(0, np.float32),
        np.zeros(RATE, np.float32),
        np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32),
        (0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)).astype(np.float32),
    ],
    ids=["nothing", "muted", "noise", "tone"],
)
def test_what_is_no_voice_is_no_speech(waveform: np.ndarray) -> None:
    assert find_speech(waveform) == []


def test_lanes_side_by_side_find_what_one_lane_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = np.concatenate([speak(SENTENCES[0]), silence(1), speak(SENTENCES[2]), silence(1.5)])
    waveform = np.tile(voice, 3)
    alone = find_speech(waveform)
    monkeypatch.setattr(speech_regions, "_LANE_CHUNKS", waveform.size // 512 // 3)
    together = find_speech(waveform)
    assert len(alone) >= 6
    probe_s = np.arange(0, waveform.size / RATE, 0.05)
    inside = [[any(a <= t < b for a, b in regions) for t in probe_s] for regions in (alone, together)]
    assert np.mean(np.equal(*inside)) > 0.97


def test_threads_of_the_process_stay_as_they_were() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        find_speech(speak(SENTENCES[0])[: RATE // 2])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_windows_join_over_short_pauses_only() -> None:
    waveform = np.zeros(60 * RATE, np.float32)
    regions = [(0.0, 4.0), (4.5, 10.0), (13.0, 20.0), (21.0, 40.0)]
    assert plan_windows(waveform, regions, 28.0) == [Window(0.0, 10.0), Window(13.0, 40.0)]
    assert plan_windows(waveform, regions, 20.0) == [
        Window(0.0, 10.0),
        Window(13.0, 20.0),
        Window(21.0, 40.0),
    ]


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    rng = np.random.default_rng(0)
    waveform = rng.normal(0, 0.1, 50 * RATE).astype(np.float32)
    quiet = slice(round(24.3 * RATE), round(24.5 * RATE))
    waveform[quiet] = 0
    windows = plan_windows(waveform, [(0.0, 50.0)], 28.0)
    assert 24.3 <= windows[0].end_s <= 24.5
    assert (windows[0].start_s, windows[-1].end_s) == (0.0, 50.0)
    assert all(one.end_s == two.start_s for one, two in itertools.pairwise(windows))
    assert sum(window.cut(waveform).size for window in windows) == pytest.approx(waveform.size, abs=2)
