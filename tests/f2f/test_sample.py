"""The sample lecture, looked at and listened to."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from f2f import sample
from f2f.captions import read_captions
from f2f.config import FitConfig
from f2f.engines.espeak import EspeakEngine
from f2f.engines.speech import SpeakerProfile
from f2f.errors import UsageError
from f2f.fitting import Line, plan_fit
from f2f.loudness import speech_rms, to_dbfs
from f2f.sample import SampleFiles, make_sample
from f2f.sample.mouth import with_lips_together
from f2f.sample.picture import Portrait, draw_slide
from f2f.sample.script import LANGUAGES, LINES, SLIDE_FACTS, SLIDE_LINES, SLIDE_TITLE
from f2f.stage import SilentObserver
from lipsync_core.faces import CenterFace
from lipsync_core.media import probe_media, read_audio, read_frames


class Ears(SilentObserver):
    """Remembers how far it got."""

    def __init__(self) -> None:
        self.last: tuple[float, float | None, str] | None = None

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        self.last = (done, total, unit)


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    ears = Ears()
    files = make_sample(tmp_path_factory.mktemp("sample") / "lecture.mp4", observer=ears)
    assert ears.last == (625, 625, "frames")
    return files


def cue_times(lecture: SampleFiles, language: str) -> list[tuple[float, float]]:
    return [(cue.start_s, cue.end_s) for cue in read_captions(lecture.captions[language], language)]


def test_files_are_there_and_nothing_else(lecture: SampleFiles) -> None:
    names = ["lecture.en.srt", "lecture.es.srt", "lecture.hi.srt", "lecture.mp4"]
    assert sorted(file.name for file in lecture.video.parent.iterdir()) == names
    assert sorted(file.name for file in lecture) == names
    assert next(iter(lecture)) == lecture.video


def test_video_is_what_it_says(lecture: SampleFiles) -> None:
    info = probe_media(lecture.video)
    assert info.duration_s == pytest.approx(25, abs=0.05)
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.fps) == (640, 480, Fraction(25))
    assert info.audio[0].sample_rate_hz == 48_000 and info.audio[0].language == "eng"
    assert lecture.video.stat().st_size < 4e6
    assert b"Synthetic sample" in lecture.video.read_bytes()


def test_face_while_she_is_seen_and_none_on_the_slide(lecture: SampleFiles) -> None:
    detector = CenterFace()
    times = cue_times(lecture, "en")
    slide_from_s, slide_to_s = times[SLIDE_LINES[0]][0], times[SLIDE_LINES[1]][1]
    assert 4 < slide_to_s - slide_from_s < 9
    centres = []
    for i, frame in enumerate(read_frames(lecture.video)):
        if i % 60 != 10:
            continue
        faces = detector.detect(frame)
        if slide_from_s <= i / 25 < slide_to_s:
            assert faces == [], f"frame {i}"
        elif not slide_from_s - 0.3 < i / 25 < slide_to_s + 0.3:
            assert len(faces) == 1, f"frame {i}"
            assert 90 < faces[0].y2 - faces[0].y1 < 240
            centres.append((faces[0].x1 + faces[0].x2) / 2)
    assert len(centres) >= 5
    assert 1 < np.ptp(centres) < 30  # the head moves, a little


def test_head_moves_smoothly() -> None:
    portrait = Portrait()
    frames = [portrait.frame(i / 25).astype(np.float32) for i in range(36)]
    steps = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(frames)]
    assert max(steps) < 4  # of 255: no jump
    assert np.abs(frames[0] - frames[30]).mean() > 2 * max(np.median(steps), 0.3)
    np.testing.assert_array_equal(portrait.frame(3.2), Portrait().frame(3.2))


def test_smile_is_closed_and_nothing_else_changes() -> None:
    smiling = data.astronaut()
    resting = with_lips_together(smiling)
    white_teeth = (smiling.min(axis=2) > 185)[143:150, 211:241]
    assert white_teeth.sum() > 60  # the photograph shows them
    assert (resting.min(axis=2) > 185)[143:150, 211:241].sum() < white_teeth.sum() / 5
    np.testing.assert_array_equal(resting[:116], smiling[:116])  # eyes and nose
    np.testing.assert_array_equal(resting[190:], smiling[190:])
    np.testing.assert_array_equal(resting[:, :184], smiling[:, :184])
    np.testing.assert_array_equal(resting[:, 265:], smiling[:, 265:])
    border = np.abs(resting[116:190, 184:265].astype(int) - smiling[116:190, 184:265])
    assert max(border[0].max(), border[-1].max(), border[:, 0].max(), border[:, -1].max()) <= 12  # no edge


def test_slide_shows_text_and_is_the_same_every_time() -> None:
    slide = draw_slide(SLIDE_TITLE, SLIDE_FACTS)
    assert slide.shape == (480, 640, 3) and slide.dtype == np.uint8
    assert slide[:76].std() > 20 and slide[76:].std() > 20
    np.testing.assert_array_equal(slide, draw_slide(SLIDE_TITLE, SLIDE_FACTS))


def test_sound_is_speech_in_the_cues_and_soft_noise_between(lecture: SampleFiles) -> None:
    rate = 16_000
    sound = read_audio(lecture.video, rate)
    times = cue_times(lecture, "en")
    for start_s, end_s in times:
        spoken = sound[round(start_s * rate) : round(end_s * rate)]
        assert to_dbfs(speech_rms(spoken, rate)) == pytest.approx(-20, abs=2.5)
    for (_, end_s), (start_s, _) in itertools.pairwise(times):
        assert start_s - end_s >= 0.5
        pause = sound[round((end_s + 0.1) * rate) : round((start_s - 0.1) * rate)]
        assert -56 < to_dbfs(float(np.sqrt(np.mean(pause**2)))) < -44


def test_captions_of_all_languages_share_their_times(lecture: SampleFiles) -> None:
    assert cue_times(lecture, "en") == cue_times(lecture, "hi") == cue_times(lecture, "es")
    for language in LANGUAGES:
        texts = [" ".join(cue.text.split()) for cue in read_captions(lecture.captions[language], language)]
        assert texts == [line[language] for line in LINES]
    assert cue_times(lecture, "en")[-1][1] < 24.5


@pytest.mark.parametrize("language", ["hi", "es"])
def test_translations_fit_without_hurry(lecture: SampleFiles, tmp_path: Path, language: str) -> None:
    lines = []
    with EspeakEngine(language) as engine:
        for i, (times, line) in enumerate(zip(cue_times(lecture, "en"), LINES, strict=True)):
            spoken = engine.say(line[language], SpeakerProfile(0, "female"), tmp_path / "a.wav")
            lines.append(Line(i, *times, spoken.duration_s))
    plan = plan_fit(lines, 25, FitConfig())
    assert plan.warnings == () and plan.overflow_s == 0
    assert all(0.85 <= placement.tempo <= 1.2 for placement in plan.placements)


def test_same_speech_every_time(tmp_path: Path) -> None:
    first, second = sample._speak(tmp_path), sample._speak(tmp_path)
    assert first.times_s == second.times_s
    np.testing.assert_array_equal(first.waveform, second.waveform)


def test_never_overwrites_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "lecture.hi.srt"
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"already there: .*lecture\.hi\.srt.*--force"):
        make_sample(tmp_path / "lecture.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["lecture.hi.srt"]
    monkeypatch.setattr(sample, "FPS", Fraction(2))
    monkeypatch.setattr(Portrait, "frame", lambda self, time_s: np.zeros((480, 640, 3), np.uint8))
    assert make_sample(tmp_path / "lecture.mp4", force=True).captions["hi"] == mine
    assert mine.read_text(encoding="utf-8").startswith("1\n00:00:00,600")


@pytest.mark.parametrize(
    ("name", "message"),
    [("lecture.avi", "lecture.mp4"), ("lecture", "lecture.mp4"), ("no/such/a.mp4", "no folder")],
)
def test_bad_path_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_sample(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Portrait, time_s: float) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(Portrait, "frame", fail)
    with pytest.raises(KeyboardInterrupt):
        make_sample(tmp_path / "lecture.mp4")
    assert not list(tmp_path.iterdir())
