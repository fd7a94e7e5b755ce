"""The finished sound, measured: what of the old voice is left, how loud the room stays, how loud all is.

The source is a made-up lecture whose parts are known one by one: an old voice (a buzz at 150 Hz and its
harmonics, at even multiples only in one channel), music and the hiss of a room.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import ENGINE, context_in
from synthetic import ffmpeg, write_wav

from f2f import mixing
from f2f.background import Presence
from f2f.mixing import MixPlan, write_mix
from f2f.results import SoundMix
from f2f.separation import without_speech
from lipsync_core.media.sound import SoundWriter, measure_loudness, read_sound

RATE = 48_000
OLD_HZ, DUB_HZ, MUSIC_HZ = 1500.0, 700.0, 330.0
SPEECH = ((1.0, 3.0), (5.0, 8.0), (9.0, 10.0))  # of the source; the last is not dubbed
DUB = ((1.0, 3.4), (5.0, 6.0))  # longer than its segment, and much shorter
SECONDS = 12.0


def tone(hz: float, spans: tuple[tuple[float, float], ...], amplitude: float) -> np.ndarray:
    time_s = np.arange(round(SECONDS * RATE)) / RATE
    speaks = sum(((time_s >= start) & (time_s < end)).astype(float) for start, end in spans)
    return amplitude * speaks * np.sin(2 * np.pi * hz * time_s)


class Lecture:
    """Its sound and the parts of it, each (N, 2)."""

    def __init__(self, folder: Path) -> None:
        noise = np.random.default_rng(1).standard_normal((2, round(SECONDS * RATE)))
        self.voice = np.stack([tone(OLD_HZ, SPEECH, 0.2)] * 2, axis=1)
        music = tone(MUSIC_HZ, ((0.0, SECONDS),), 0.02)
        self.rest = np.stack([music, 0.2 * music], axis=1) + 0.003 * noise.T
        self.source, self.dub = folder / "lecture.flac", folder / "dub.wav"
        with SoundWriter(self.source, RATE) as writer:
            writer.write((self.voice + self.rest).astype(np.float32))
        write_wav(self.dub, tone(DUB_HZ, DUB, 0.2), RATE)

    def plan(self, **changes: object) -> MixPlan:
        plan = MixPlan(
            source=self.source,
            dub=self.dub,
            end_s=SECONDS,
            presence=Presence(((0.9, 3.6), (4.9, 8.2))),
            own_speech=((9.0, 10.0),),
            speech=SPEECH,
            method="duck",
            target_lufs=-16.0,
        )
        return replace(plan, **changes)  # type: ignore[arg-type]


class PerfectSeparator:
    """Knows the voice and takes it away, wherever in the recording the sound is from."""

    def __init__(self, lecture: Lecture, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.calls: list[int] = []

    def remove_speech(self, sound: np.ndarray) -> np.ndarray:
        """Take out the voice's frequency: the projection on its sine and cosine, 20 ms at a time."""
        self.calls.append(len(sound))
        step = round(0.02 * self.sample_rate_hz)  # 30 periods
        clean = sound.copy()
        for start in range(0, len(sound), step):
            time_s = np.arange(start, min(start + step, len(sound))) / self.sample_rate_hz
            waves = np.stack([np.sin(2 * np.pi * OLD_HZ * time_s), np.cos(2 * np.pi * OLD_HZ * time_s)])
            part = clean[start : start + step]
            part -= (waves.T @ np.linalg.lstsq(waves.T, part, rcond=None)[0]).astype(np.float32)
        return clean


@pytest.fixture
def lecture(tmp_path: Path) -> Lecture:
    return Lecture(tmp_path)


def mixed(plan: MixPlan, folder: Path) -> tuple[np.ndarray, SoundMix]:
    """Return the finished sound at the natural level (the gain taken back), and what was reported."""
    target = folder / "mix.flac"
    result = write_mix(plan, target, context_in(folder / "mux")[0])
    assert sorted(path.name for path in folder.glob("mix*")) == ["mix.flac"], "no scratch may be left"
    sound = np.concatenate(list(read_sound(target)))
    assert sound.shape == (round(plan.end_s * RATE), 2)
    return sound / 10 ** (result.gain_db / 20), result


def unfinished(plan: MixPlan) -> np.ndarray:
    """The mix before loudness and limiter, where those do not matter."""
    return np.concatenate(list(mixing._mixed(plan, Path("not needed"))))


def level_dbfs(sound: np.ndarray, start_s: float, end_s: float, hz: float | None = None) -> float:
    """RMS level of a stretch, or of one frequency in it (the mean of both channels)."""
    part = sound[round(start_s * RATE) : round(end_s * RATE)].mean(axis=1)
    if hz is None:
        return float(10 * np.log10(np.mean(part**2) + 1e-20))
    time_s = np.arange(len(part)) / RATE
    amplitude = 2 * abs(np.mean(part * np.exp(-2j * np.pi * hz * time_s)))
    return float(20 * np.log10(amplitude / np.sqrt(2) + 1e-10))


@pytest.fixture(scope="module")
def ducked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lecture, np.ndarray]:
    folder = tmp_path_factory.mktemp("ducked")
    lecture = Lecture(folder)
    return lecture, mixed(lecture.plan(), folder)[0]


OLD_DBFS = 20 * np.log10(0.2 / np.sqrt(2))


@pytest.mark.parametrize("depth_db", [18.0, 24.0])
def test_ducking_lowers_the_old_voice_by_the_chosen_depth(lecture: Lecture, depth_db: float) -> None:
    sound = unfinished(lecture.plan(duck_db=depth_db))
    for start_s, end_s in SPEECH[:2]:
        assert level_dbfs(sound, start_s, end_s, OLD_HZ) == pytest.approx(OLD_DBFS - depth_db, abs=0.3)
    assert level_dbfs(sound, 1.1, 3.3, DUB_HZ) == pytest.approx(OLD_DBFS, abs=0.2)


def test_what_is_not_dubbed_comes_back_at_full_level(ducked: tuple[Lecture, np.ndarray]) -> None:
    lecture, sound = ducked
    assert level_dbfs(sound, 9.0, 10.0, OLD_HZ) == pytest.approx(OLD_DBFS, abs=0.1)
    for start_s, end_s in ((0.0, 0.8), (3.9, 4.8), (8.5, 9.0), (10.0, 12.0)):
        expected = level_dbfs(lecture.rest, start_s, end_s)
        assert level_dbfs(sound, start_s, end_s) == pytest.approx(expected, abs=0.1)


def test_no_trace_of_the_old_voice_with_separation(lecture: Lecture, tmp_path: Path) -> None:
    """SoniTranslate#130, pyvideotrans#928: the original voice leaks."""
    separator = PerfectSeparator(lecture, 44_100)
    plan = lecture.plan(method="separate", separator=separator, separator_info=ENGINE)
    sound, result = mixed(plan, tmp_path)
    for start_s, end_s in ((1.0, 2.0), (2.0, 3.0), (5.0, 6.5), (6.5, 8.0)):
        assert level_dbfs(sound, start_s, end_s, OLD_HZ) < -60
    assert level_dbfs(sound, 9.0, 10.0, OLD_HZ) == pytest.approx(OLD_DBFS, abs=0.1)  # not dubbed
    # pyvideotrans#93: the music is lost. Here it keeps its level, and its place between the channels.
    for channel, expected in ((0, 0.02), (1, 0.004)):
        music = np.repeat(sound[:, channel : channel + 1], 2, axis=1)
        assert level_dbfs(music, 5.0, 8.0, MUSIC_HZ) == pytest.approx(
            20 * np.log10(expected / np.sqrt(2)), abs=0.3
        )
    assert result.background == "separate" and result.separator == ENGINE and result.duck_db is None


def test_the_room_never_goes_dead(ducked: tuple[Lecture, np.ndarray]) -> None:
    """pyvideotrans#703: a dub that is shorter than its segment leaves dead silence."""
    lecture, sound = ducked

    def hiss_dbfs(of: np.ndarray, start_s: float, end_s: float) -> float:
        part = of[round(start_s * RATE) : round(end_s * RATE), 0]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        hz = np.fft.rfftfreq(len(part), 1 / RATE)
        return float(10 * np.log10(spectrum[(hz > 4000) & (hz < 16_000)].mean() / len(part)))

    room = hiss_dbfs(lecture.rest, 6.3, 7.9)
    assert hiss_dbfs(sound, 6.3, 7.9) == pytest.approx(room, abs=1.5)  # behind the short dub
    assert hiss_dbfs(sound, 3.9, 4.8) == pytest.approx(room, abs=1.0)  # the source itself
    assert hiss_dbfs(sound, 1.2, 3.2) == pytest.approx(room, abs=1.5)  # under the dub


def test_none_leaves_the_dub_and_what_is_not_dubbed(lecture: Lecture) -> None:
    sound = unfinished(lecture.plan(method="none"))
    assert not sound[round(3.9 * RATE) : round(4.8 * RATE)].any()
    assert level_dbfs(sound, 9.0, 10.0, OLD_HZ) == pytest.approx(OLD_DBFS, abs=0.1)
    assert level_dbfs(sound, 5.0, 8.0, OLD_HZ) < -80


def test_the_dub_is_in_the_middle_and_the_source_stays_wide(ducked: tuple[Lecture, np.ndarray]) -> None:
    sound = ducked[1]
    left, right = (np.repeat(sound[:, k : k + 1], 2, axis=1) for k in (0, 1))
    assert level_dbfs(left, 1, 3, DUB_HZ) == pytest.approx(level_dbfs(right, 1, 3, DUB_HZ), abs=0.05)
    difference = level_dbfs(left, 10, 12, MUSIC_HZ) - level_dbfs(right, 10, 12, MUSIC_HZ)
    assert difference == pytest.approx(14, abs=0.3)  # a fifth of it on the right


@pytest.mark.parametrize("target", [-20.0])
def test_loudness_and_peak_are_the_wanted_ones(lecture: Lecture, tmp_path: Path, target: float) -> None:
    _, result = mixed(lecture.plan(target_lufs=target), tmp_path)
    measured = measure_loudness(tmp_path / "mix.flac")
    assert measured.integrated_lufs == pytest.approx(target, abs=0.3)
    assert measured.true_peak_dbtp <= -1.5
    assert (result.background, result.duck_db, result.separator) == ("duck", 20.0, None)
    assert (result.loudness_lufs, result.true_peak_dbtp) == pytest.approx(
        (measured.integrated_lufs, measured.true_peak_dbtp), abs=0.05
    )


def test_peaks_stay_low_when_the_sound_must_be_pressed(tmp_path: Path) -> None:
    lecture = Lecture(tmp_path)
    clicks = tone(DUB_HZ, DUB, 0.05)
    clicks[:: RATE // 20] = 0.95  # twenty peaks a second far above the rest
    write_wav(lecture.dub, clicks, RATE)
    _, _ = mixed(lecture.plan(), tmp_path)
    ffmpeg("-i", tmp_path / "mix.flac", "-c:a", "aac", "-b:a", "160k", tmp_path / "mix.m4a")
    assert measure_loudness(tmp_path / "mix.flac").integrated_lufs == pytest.approx(-16, abs=0.5)
    assert measure_loudness(tmp_path / "mix.m4a").true_peak_dbtp <= -1.0


def test_the_source_s_own_loudness_can_be_kept(lecture: Lecture, tmp_path: Path) -> None:
    before = measure_loudness(lecture.source).integrated_lufs
    mixed(lecture.plan(target_lufs=None), tmp_path)
    assert measure_loudness(tmp_path / "mix.flac").integrated_lufs == pytest.approx(before, abs=0.3)


def test_silence_stays_silence(tmp_path: Path) -> None:
    lecture = Lecture(tmp_path)
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "12", lecture.source)
    write_wav(lecture.dub, np.zeros(RATE), RATE)
    sound, result = mixed(lecture.plan(), tmp_path)
    assert not sound.any() and result.loudness_lufs is None and result.true_peak_dbtp is None


def test_what_is_hardly_audible_is_raised_by_30_db_at_most(tmp_path: Path) -> None:
    lecture = Lecture(tmp_path)
    write_wav(lecture.dub, np.zeros(RATE), RATE)
    quiet = 1e-3 * lecture.rest
    with SoundWriter(lecture.source, RATE) as writer:
        writer.write((quiet + 3e-4 * lecture.voice / 0.2).astype(np.float32))
    _, result = mixed(lecture.plan(method="none", own_speech=((0.0, 12.0),), presence=Presence(())), tmp_path)
    assert result.gain_db == 30
    assert result.loudness_lufs is not None and result.loudness_lufs < -30


def test_quiet_speech_of_the_source_is_raised_with_its_room(lecture: Lecture) -> None:
    sound = unfinished(lecture.plan(source_gain_db=6.0))
    assert level_dbfs(sound, 9.0, 10.0, OLD_HZ) == pytest.approx(OLD_DBFS + 6, abs=0.1)
    assert level_dbfs(sound, 1.1, 3.3, DUB_HZ) == pytest.approx(OLD_DBFS, abs=0.2)


def test_windows_of_separation_join_without_a_seam() -> None:
    rate = 1000
    time_s = np.arange(50 * rate) / rate
    sound = np.stack([np.sin(2 * np.pi * 3 * time_s), np.cos(2 * np.pi * 3 * time_s)], axis=1).astype(
        np.float32
    )

    class Same:
        sample_rate_hz = rate

        def remove_speech(self, part: np.ndarray) -> np.ndarray:
            return part

    blocks = [sound[k : k + 700] for k in range(0, len(sound), 700)]
    for n_samples in (50 * rate, 20 * rate, 20 * rate + 10, 300, 52 * rate):
        pieces = list(without_speech(blocks, n_samples, Same(), Presence(((0.0, 60.0),))))
        joined = np.concatenate(pieces)
        assert joined.shape == (n_samples, 2)
        known = min(n_samples, len(sound))
        assert np.allclose(joined[:known], sound[:known], atol=1e-6) and not joined[known:].any()


def test_only_what_is_dubbed_is_separated(lecture: Lecture) -> None:
    separator = PerfectSeparator(lecture, 1000)
    silence = (np.zeros((1000, 2), np.float32) for _ in range(100))
    list(without_speech(silence, 100_000, separator, Presence(((45.0, 47.0),))))
    assert separator.calls == [22_000]


def test_memory_does_not_grow_with_the_sound(tmp_path: Path) -> None:
    lecture = Lecture(tmp_path)

    def peak_bytes(minutes: float) -> int:
        long = tmp_path / f"{minutes}.flac"
        ffmpeg("-stream_loop", "-1", "-i", lecture.source, "-t", str(60 * minutes), "-c:a", "flac", long)
        plan = lecture.plan(source=long, end_s=60 * minutes)
        tracemalloc.start()
        try:
            n_samples = sum(len(block) for block in mixing._mixed(plan, tmp_path / "none"))
            assert n_samples == round(60 * minutes * RATE)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(1.2) < 1.1 * peak_bytes(0.2) + 6e6  # the sound has 23 MB more
