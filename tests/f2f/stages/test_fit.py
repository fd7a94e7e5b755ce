"""The wav that fit writes, measured: place, length, pitch, level, peaks, edges."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from made_results import Listener
from synthetic import write_wav

from f2f.config import FitConfig
from f2f.loudness import speech_rms, to_dbfs, true_peak
from f2f.results import EngineInfo, FittedSpeech, Segment, Speech, Take, TranslatedSegment, Translation
from f2f.stage import StageContext
from f2f.stages import fit as fit_module
from f2f.stages.fit import fit
from lipsync_core.errors import MediaError
from lipsync_core.media import read_wav
from lipsync_core.media.sound import measure_loudness

RATE = 48_000
TAKE_RATE = 22_050
STILL = FitConfig(early_s=0, late_s=0)  # no start moves without need
INFO = EngineInfo(name="test", version="1", licence="none")


class Studio:
    """Makes takes that are tones, and fits them."""

    def __init__(self, folder: Path) -> None:
        self.takes_folder, self.out = folder / "takes", folder / "out"
        self.takes_folder.mkdir()
        self.out.mkdir()
        self.segments: list[TranslatedSegment] = []
        self.takes: list[Take] = []
        self.ears = Listener()

    def add(
        self, start_s: float, end_s: float, speech_s: float, hz: float = 400, amplitude: float = 0.3
    ) -> None:
        number = len(self.segments) + 1
        segment = Segment(id=number, start_s=start_s, end_s=end_s, text="x")
        self.segments.append(TranslatedSegment(segment=segment, text="y" if speech_s else ""))
        if not speech_s:
            return
        time_s = np.arange(round(speech_s * TAKE_RATE)) / TAKE_RATE
        tone = amplitude * np.sin(2 * np.pi * hz * time_s)
        write_wav(self.takes_folder / f"{number:04d}.wav", tone, TAKE_RATE)
        self.takes.append(
            Take(segment_id=number, wav=f"{number:04d}.wav", duration_s=len(tone) / TAKE_RATE,
                 sample_rate_hz=TAKE_RATE, voice="tone")
        )  # fmt: skip

    def fit(
        self, video_s: float, level_dbfs: float | None = -20.0, config: FitConfig | None = None
    ) -> tuple[FittedSpeech, np.ndarray]:
        translation = Translation(
            source_language="en", target_language="hi", segments=tuple(self.segments), engine=INFO
        )
        speech = Speech(takes=tuple(self.takes), engine=INFO, source_level_dbfs=level_dbfs)
        context = StageContext("fit", self.out, observer=self.ears)
        fitted = fit(translation, speech, self.takes_folder, video_s, config or STILL, context)
        waveform, rate = read_wav(self.out / fitted.wav)
        assert rate == fitted.sample_rate_hz == RATE
        assert len(waveform) / RATE == fitted.duration_s
        return fitted, waveform


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def part(waveform: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    return waveform[round(start_s * RATE) : round(end_s * RATE)]


def loudest_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax()) * RATE / len(sound)


def test_each_take_at_its_time_and_silence_between(studio: Studio) -> None:
    studio.add(1, 2, 1, hz=300)
    studio.add(3, 4, 1, hz=500)
    studio.add(6, 7, 1, hz=700)
    fitted, waveform = studio.fit(9.04)
    assert len(waveform) == round(9.04 * RATE)
    assert [p.tempo for p in fitted.placements] == [1, 1, 1]
    for start_s, hz in ((1, 300), (3, 500), (6, 700)):
        assert loudest_hz(part(waveform, start_s, start_s + 1)) == pytest.approx(hz, abs=2)
        assert speech_rms(part(waveform, start_s, start_s + 1), RATE) == pytest.approx(0.1, rel=0.02)
    for start_s, end_s in ((0, 1), (2, 3), (4, 6), (7, 9.04)):
        assert not part(waveform, start_s, end_s).any()
    assert fitted.warnings == () and studio.ears.notices == []


@pytest.mark.parametrize(("speech_s", "tempo"), [(1.7, 0.85), (1.8, 0.9), (2.6, 1.1556), (3.2, 1.4222)])
def test_tempo_keeps_the_pitch_and_every_sound(studio: Studio, speech_s: float, tempo: float) -> None:
    studio.add(0.5, 2.5, speech_s, hz=440)
    studio.add(2.8, 3.8, 1, hz=900)
    fitted, waveform = studio.fit(5)
    first = fitted.placements[0]
    assert first.tempo == pytest.approx(tempo, abs=1e-3)
    tone = part(waveform, first.start_s, first.end_s)
    assert loudest_hz(tone) == pytest.approx(440, abs=3)
    # The tone fills its place up to the last 30 ms, so nothing was cut; and nothing lies behind it.
    assert np.abs(tone[-round(0.03 * RATE) :]).max() > 0.05
    assert np.abs(tone[: round(0.03 * RATE)]).max() > 0.05
    assert not part(waveform, first.end_s + 1e-4, 2.8).any()
    assert loudest_hz(part(waveform, 2.8, 3.8)) == pytest.approx(900, abs=2)


def test_hurry_is_told_on_console_and_in_the_result(studio: Studio) -> None:
    studio.add(0, 2, 2.6)
    studio.add(2, 3, 0.9)
    fitted, _ = studio.fit(4)
    assert fitted.placements[0].tempo == pytest.approx(2.6 / 1.95, abs=1e-3)
    assert len(fitted.warnings) == 1 and list(fitted.warnings) == studio.ears.notices


def test_overflow_lengthens_the_wav_and_is_reported(studio: Studio) -> None:
    """OpenCreator PR#306, subtitleedit#14480: the tail of the last line is cut."""
    studio.add(1, 2, 3)
    fitted, waveform = studio.fit(2.5)
    assert fitted.placements[0].tempo == 1.5
    assert fitted.overflow_s == pytest.approx(0.5, abs=1e-4)
    assert len(waveform) == pytest.approx(3 * RATE, abs=2)
    assert "0.50 s too long" in fitted.warnings[0]
    assert np.abs(waveform[-round(0.03 * RATE) :]).max() > 0.05  # the last sound is there


def test_moved_starts_are_where_the_plan_has_them(studio: Studio) -> None:
    studio.add(1, 3.9, 3.5, hz=300)
    studio.add(4, 6, 1.5, hz=800)
    fitted, waveform = studio.fit(8, config=FitConfig())
    first, second = fitted.placements
    assert first.start_s < 1 and second.start_s > 4.1 and first.tempo < 1.1
    assert np.abs(part(waveform, first.start_s, first.start_s + 0.1)).max() > 0.05
    assert not part(waveform, first.end_s + 1e-4, second.start_s - 1e-4).any()
    assert loudest_hz(part(waveform, second.start_s, second.end_s)) == pytest.approx(800, abs=2)


def test_overflow_moves_the_next_take(studio: Studio) -> None:
    studio.add(0, 1, 3, hz=300)
    studio.add(1, 2, 1, hz=800)
    fitted, waveform = studio.fit(6)
    first, second = fitted.placements
    assert first.end_s == pytest.approx(2, abs=1e-4)
    assert second.start_s == pytest.approx(2.05, abs=1e-4)
    assert second.delayed_s == pytest.approx(1.05, abs=1e-4)
    assert not part(waveform, 2.001, 2.049).any()
    assert loudest_hz(part(waveform, 2.05, 3.05)) == pytest.approx(800, abs=2)


def test_takes_share_the_sources_level_whatever_their_own(studio: Studio) -> None:
    for i, amplitude in enumerate((0.9, 0.05, 0.3)):
        studio.add(2 * i, 2 * i + 1, 1, amplitude=amplitude)
    _, waveform = studio.fit(6, level_dbfs=-23)
    levels = [to_dbfs(speech_rms(part(waveform, 2 * i, 2 * i + 1), RATE)) for i in range(3)]
    assert levels == pytest.approx([-23] * 3, abs=0.2)


@pytest.mark.parametrize(("source_dbfs", "dub_dbfs"), [(-3, -20), (-50, -30), (None, -20)])
def test_level_stays_in_a_sane_range(studio: Studio, source_dbfs: float | None, dub_dbfs: float) -> None:
    studio.add(0, 1, 1)
    fitted, waveform = studio.fit(1, level_dbfs=source_dbfs)
    assert to_dbfs(speech_rms(waveform, RATE)) == pytest.approx(dub_dbfs, abs=0.2)
    # The source's own lines are brought to the same level in the mix.
    assert fitted.source_gain_db == (0.0 if source_dbfs is None else dub_dbfs - source_dbfs)


def test_no_line_jumps_out(studio: Studio, tmp_path: Path) -> None:
    """Adjacent lines of one voice are within 3 dB, whatever their own level, length and pauses."""
    voice = np.sin(2 * np.pi * 140 * np.arange(4 * TAKE_RATE) / TAKE_RATE)
    buzz = sum(np.sin(2 * np.pi * 140 * k * np.arange(4 * TAKE_RATE) / TAKE_RATE) / k for k in range(1, 20))
    shapes = (0.05 * buzz, 0.3 * voice, 0.4 * buzz * (np.arange(4 * TAKE_RATE) // 4000 % 3 > 0))
    for k, (shape, seconds) in enumerate(zip(shapes, (0.8, 4.0, 3.0), strict=True)):
        studio.add(5 * k, 5 * k + 4.5, seconds)
        write_wav(studio.takes_folder / f"{k + 1:04d}.wav", shape[: round(seconds * TAKE_RATE)], TAKE_RATE)
    fitted, waveform = studio.fit(15)
    loudness = []
    for placement in fitted.placements:
        write_wav(tmp_path / "line.wav", part(waveform, placement.start_s, placement.end_s), RATE)
        loudness.append(measure_loudness(tmp_path / "line.wav").integrated_lufs)
    assert max(loudness) - min(loudness) < 3


def test_peaks_stay_below_the_ceiling(studio: Studio) -> None:
    studio.add(0, 2, 2)
    clicks = np.zeros(2 * TAKE_RATE, np.float32)
    clicks[::1000] = 1.0  # hardly any power, all of it in peaks
    write_wav(studio.takes_folder / "0001.wav", clicks, TAKE_RATE)
    _, waveform = studio.fit(2, level_dbfs=-16)
    assert to_dbfs(true_peak(waveform)) == pytest.approx(-1, abs=0.05)


def test_edges_are_faded(studio: Studio) -> None:
    studio.add(1, 2, 1, hz=5000)
    _, waveform = studio.fit(3)
    inside = part(waveform, 1, 2)
    assert abs(inside[0]) < 0.01 and abs(inside[-1]) < 0.01
    assert np.abs(inside[:48]).max() < 0.25 * np.abs(inside[480:4800]).max()


def test_segments_without_a_take_stay_silent_and_lend_their_time(studio: Studio) -> None:
    studio.add(0, 1, 2.5)
    studio.add(1, 2, 0)
    studio.add(3, 4, 1)
    fitted, _ = studio.fit(5)
    assert [p.segment_id for p in fitted.placements] == [1, 3]
    assert fitted.placements[0].tempo == 1


def test_what_is_not_dubbed_keeps_its_own_sound(studio: Studio) -> None:
    for k in range(5):
        studio.add(k, k + 0.9, 0.5 if k == 0 else 0)
    texts = ["hello", "[Music]", "a song", "part of the line before", "a voice that failed"]
    for k, text in enumerate(texts):
        one = studio.segments[k]
        segment = one.segment.model_copy(update={"text": text, "keep_original": "music" if k == 2 else None})
        said = "y" if k in (0, 4) else ""
        studio.segments[k] = one.model_copy(update={"segment": segment, "text": said})
    fitted, _ = studio.fit(6)
    assert fitted.undubbed == (2, 3, 5)


def test_nothing_to_say_gives_a_silent_wav(studio: Studio) -> None:
    fitted, waveform = studio.fit(1.5)
    assert len(waveform) == 1.5 * RATE and not waveform.any()
    assert fitted.placements == ()


def test_progress_counts_segments(studio: Studio) -> None:
    studio.add(0, 1, 1)
    studio.add(1, 2, 0.9)
    studio.fit(3)
    assert studio.ears.progress == [(0, 2, "segments"), (1, 2, "segments"), (2, 2, "segments")]


def test_without_rubberband_atempo_keeps_pitch_and_it_is_said(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f2f.tempo_filter.has_rubberband", lambda: False)
    monkeypatch.setattr(fit_module, "has_rubberband", lambda: False)
    studio.add(0, 1, 1.3, hz=440)
    fitted, waveform = studio.fit(1.1)
    assert loudest_hz(waveform) == pytest.approx(440, abs=3)
    assert len(waveform) == pytest.approx(1.1 * RATE, abs=1)
    assert any("no rubberband" in notice for notice in studio.ears.notices)
    assert fitted.placements[0].tempo == pytest.approx(1.3 / 1.1, abs=1e-3)


def test_same_input_same_bytes_and_nothing_else_left(studio: Studio) -> None:
    studio.add(0, 1, 1.2)
    studio.fit(1.1)
    first = (studio.out / "speech.wav").read_bytes()
    studio.fit(1.1)
    assert (studio.out / "speech.wav").read_bytes() == first
    assert [file.name for file in studio.out.iterdir()] == ["speech.wav"]


def test_unreadable_take_leaves_no_half_written_wav(studio: Studio) -> None:
    studio.add(0, 1, 1)
    (studio.takes_folder / "0001.wav").write_bytes(b"RIFF, not really")
    with pytest.raises(MediaError, match=r"0001\.wav"):
        studio.fit(2)
    assert not list(studio.out.glob("*speech*"))


def test_memory_does_not_grow_with_the_video(studio: Studio) -> None:
    studio.add(0, 1, 1)
    studio.add(290, 291, 1)
    studio.fit(1)  # imports and caches
    tracemalloc.start()
    try:
        translation = Translation(
            source_language="en", target_language="hi", segments=tuple(studio.segments), engine=INFO
        )
        speech = Speech(takes=tuple(studio.takes), engine=INFO)
        fit(translation, speech, studio.takes_folder, 300, FitConfig(), StageContext("fit", studio.out))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    with wave.open(str(studio.out / "speech.wav")) as file:
        assert file.getnframes() == 300 * RATE
    assert peak_bytes < 8e6  # the wav has 29 MB
