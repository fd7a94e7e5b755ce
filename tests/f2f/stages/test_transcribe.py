"""The choice of engines, and each engine through the stage on real files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_results import Listener
from spoken import RATE, SENTENCES, chords, silence, speak
from synthetic import ffmpeg, make_clip, write_wav
from tiny_whisper import make_checkpoint

from f2f import speech_regions
from f2f.config import TranscribeConfig
from f2f.doubts import SILENCE_REASON
from f2f.engines import faster_whisper_asr, sphinx, whisper_asr
from f2f.errors import CaptionError, EngineUnavailableError, UsageError
from f2f.repetition import LOOP_REASON
from f2f.results import SourceVideo
from f2f.speech_regions import Window
from f2f.stage import StageContext
from f2f.stages import transcribe as stage
from f2f.stages.transcribe import plan, transcribe
from f2f.words import SOUND_REASON, SpokenWord

EN = (
    "1\n00:00:00,200 --> 00:00:01,900\nToday we shall look at light\n\n"
    "2\n00:00:02,000 --> 00:00:03,500\nand how fast it travels.\n"
)
HI = "1\n00:00:00,200 --> 00:00:03,500\nआज हम देखेंगे कि प्रकाश कितनी तेज़ी से चलता है।\n"
AUTO = TranscribeConfig()


@pytest.fixture(autouse=True)
def _no_weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No developer's own weights decide a test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "no_cache"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "lecture.mp4", seconds=4)


def _video(duration_s: float = 4.0) -> SourceVideo:
    return SourceVideo(
        sha256="0", duration_s=duration_s, width=320, height=240, sample_aspect_ratio="1:1", fps="25",
        n_frames=100, audio_codec="aac", audio_sample_rate_hz=16000, audio_channels=1,
    )  # fmt: skip


def _context(folder: Path) -> tuple[StageContext, Listener]:
    listener = Listener()
    return StageContext("transcribe", folder, observer=listener), listener


def test_captions_beside_the_video_come_first(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lecture.en.srt").write_text(EN)
    choice = plan(source, None, AUTO, "auto")
    assert choice.engine == "captions"
    assert choice.inputs == (tmp_path / "lecture.en.srt",)
    assert [status.name for status in choice.statuses] == ["captions", "faster-whisper", "whisper", "sphinx"]
    context, listener = _context(tmp_path)
    transcript = transcribe(source, _video(), None, AUTO, context)
    assert transcript.language == "en"
    assert [(s.start_s, s.end_s, s.text) for s in transcript.segments] == [
        (0.2, 3.5, "Today we shall look at light and how fast it travels.")
    ]
    assert transcript.engine.detail == "lecture.en.srt"
    assert listener.progress == [(1, 1, "segments")]


def test_given_captions_win_and_their_language_is_recognised(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lecture.en.srt").write_text(EN)
    given = tmp_path / "other.srt"
    given.write_text(HI, "utf-8")
    config = TranscribeConfig(captions=given)
    assert plan(source, None, config, "embedded").inputs == (given,)
    context, listener = _context(tmp_path)
    assert transcribe(source, _video(), None, config, context).language == "hi"
    assert any("recognised as Hindi" in notice for notice in listener.notices)


def test_captions_of_a_target_language_are_not_what_is_spoken(source: Path, tmp_path: Path) -> None:
    for code, text in (("en", EN), ("hi", HI)):
        (tmp_path / f"lecture.{code}.srt").write_text(text, "utf-8")
    assert plan(source, None, AUTO, "embedded", ["hi"]).inputs == (tmp_path / "lecture.en.srt",)
    assert plan(source, None, AUTO, "embedded", ["en"]).inputs == (tmp_path / "lecture.hi.srt",)
    with pytest.raises(UsageError, match=r"lecture\.en\.srt, lecture\.hi\.srt.*--from LANG"):
        plan(source, None, AUTO, "embedded", ["es"])
    assert plan(source, "hi", AUTO, "embedded", ["es"]).inputs == (tmp_path / "lecture.hi.srt",)


def test_the_tag_of_the_sound_tells_which_captions_are_spoken(source: Path, tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.mp4"
    ffmpeg("-i", source, "-c", "copy", "-metadata:s:a:0", "language=hin", tagged)
    for code, text in (("en", EN), ("hi", HI), ("es", EN)):
        (tmp_path / f"tagged.{code}.srt").write_text(text, "utf-8")
    assert plan(tagged, None, AUTO, "embedded", ["es"]).inputs == (tmp_path / "tagged.hi.srt",)


def test_a_text_track_inside_the_file_is_used(source: Path, tmp_path: Path) -> None:
    (tmp_path / "track.srt").write_text(EN)
    inside = tmp_path / "inside.mp4"
    ffmpeg(
        "-i", source, "-i", tmp_path / "track.srt", "-c", "copy", "-c:s", "mov_text",
        "-metadata:s:s:0", "language=eng", inside,
    )  # fmt: skip
    choice = plan(inside, None, AUTO, "embedded")
    assert (choice.engine, choice.inputs) == ("captions", (inside,))
    pinned = TranscribeConfig(engine="captions", captions=inside)
    transcript = transcribe(inside, _video(), None, pinned, _context(tmp_path)[0])
    assert transcript.language == "en"
    assert transcript.segments[0].text.startswith("Today we shall")


def test_identity_follows_the_words_not_the_file(source: Path, tmp_path: Path) -> None:
    captions = tmp_path / "lecture.en.srt"
    captions.write_text(EN)
    before = plan(source, None, AUTO, "auto").identity
    captions.write_bytes(b"\xef\xbb\xbf" + EN.replace("\n", "\r\n").encode())
    assert plan(source, None, AUTO, "auto").identity == before
    captions.write_text(EN.replace("light", "sound"))
    assert plan(source, None, AUTO, "auto").identity != before


def test_unusable_captions_stop_with_the_ways_out(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lecture.srt").write_bytes(b"")
    with pytest.raises(CaptionError, match=r"lecture\.srt is empty.*move it away.*--asr whisper"):
        plan(source, "en", AUTO, "auto")


def test_captions_of_another_video_are_noticed(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "lecture.en.srt"
    path.write_text(EN.replace("00:00:0", "01:00:0"))
    context, listener = _context(tmp_path)
    with pytest.raises(CaptionError, match=r"begins at 3600\.2 s, but lecture\.mp4 ends at 4\.0 s"):
        transcribe(source, _video(), None, AUTO, context)
    path.write_text(
        EN + "\n3\n00:00:03,600 --> 00:00:09,000\nEnd.\n\n4\n01:00:00,000 --> 01:00:01,000\nLate.\n"
    )
    transcript = transcribe(source, _video(), None, AUTO, context)
    assert transcript.segments[-1].end_s == 4.0
    assert any("1 captions begin after the end" in notice for notice in listener.notices)


def test_captions_that_look_like_another_language_are_noticed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lecture.srt").write_text(HI, "utf-8")
    context, listener = _context(tmp_path)
    assert transcribe(source, _video(), "en", AUTO, context).language == "en"
    assert any("looks like Hindi" in notice for notice in listener.notices)


def test_sphinx_is_for_english_and_says_what_it_is(source: Path) -> None:
    choice = plan(source, "en", AUTO, "embedded")
    assert choice.engine == "sphinx"
    assert choice.notice == sphinx.NOTICE
    assert choice.identity.startswith(sphinx.identity())


@pytest.mark.parametrize("language", ["hi", None])
def test_without_an_engine_there_are_two_remedies(source: Path, language: str | None) -> None:
    with pytest.raises(EngineUnavailableError) as caught:
        plan(source, language, AUTO, "embedded")
    assert "--captions FILE" in str(caught.value)
    assert "Whisper" in str(caught.value)
    assert ("--from en" in str(caught.value)) == (language is None)


def test_a_wanted_engine_is_used_or_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lecture.en.srt").write_text(EN)
    assert plan(source, None, TranscribeConfig(engine="sphinx"), "auto").engine == "sphinx"
    with pytest.raises(EngineUnavailableError, match=r"'whisper' cannot be used: .*f2f models pull"):
        plan(source, None, TranscribeConfig(engine="whisper"), "embedded")
    with pytest.raises(EngineUnavailableError, match="only English, not Hindi"):
        plan(source, "hi", TranscribeConfig(engine="sphinx"), "auto")
    (tmp_path / "lecture.en.srt").unlink()
    with pytest.raises(EngineUnavailableError, match=r"put lecture\.srt beside the video"):
        plan(source, "en", TranscribeConfig(engine="captions"), "auto")


def test_whisper_goes_before_sphinx_where_its_weights_are(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = whisper_asr.cache_folder()
    cache.mkdir(parents=True)
    (cache / "small.pt").write_bytes(b"weights")
    try:
        choice = plan(source, "en", AUTO, "auto")
        assert plan(source, "en", AUTO, "embedded").engine == "sphinx"
    finally:
        (cache / "small.pt").unlink()
        cache.rmdir()
    assert choice.engine == "whisper"
    assert choice.identity.startswith(whisper_asr.identity("small"))
    assert "silero-vad" in choice.identity
    assert choice.notice == "speech is recognised by Whisper small"


def test_faster_whisper_goes_first_where_its_weights_are(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "models--Systran--faster-whisper-small" / "snapshots" / "0123"
    place.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (place / name).write_bytes(b"{}")
    choice = plan(source, "en", AUTO, "auto")
    assert choice.engine == "faster-whisper"
    assert choice.notice == "speech is recognised by Whisper small for CTranslate2"
    monkeypatch.setattr(faster_whisper_asr, "has_package", lambda name: False)
    assert plan(source, "en", AUTO, "auto").engine == "sphinx"


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences with four seconds of music between them."""
    parts = [silence(1), speak(SENTENCES[0]), chords(4), speak(SENTENCES[1]), silence(1)]
    return write_wav(tmp_path_factory.mktemp("lecture") / "lecture.wav", np.concatenate(parts), RATE)


def test_whisper_through_the_stage(lecture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random network says nonsense; it must still come out as ordered segments in the wanted language."""
    greedy = {"temperature": 0.0, "sample_len": 12, "no_speech_threshold": None, "word_timestamps": True}
    monkeypatch.setattr(whisper_asr, "DECODINGS", (greedy,))
    monkeypatch.setattr(whisper_asr.WhisperRecogniser, "n_attempts", 1)
    model = make_checkpoint(tmp_path / "tiny.pt")
    config = TranscribeConfig(engine="whisper", whisper_model=str(model))
    context, listener = _context(tmp_path)
    transcript = transcribe(lecture, _video(), "es", config, context)
    assert transcript.language == "es"
    assert transcript.segments
    assert all(one.start_s < one.end_s and one.words for one in transcript.segments)
    assert all(one.end_s <= two.start_s for one, two in pairwise(transcript.segments))
    assert all(0 <= (one.confidence or 0) <= 1 for one in transcript.segments)
    assert transcript.engine.name == "whisper"
    assert "tiny.pt" in transcript.engine.detail
    assert listener.progress[-1][2] == "s"


class Inventor:
    """A recogniser that says what it was told to, whatever it hears."""

    n_at_once, n_attempts, window_s = 4, 1, 28.0

    def __init__(self, *answers: str) -> None:
        self._answers = answers
        self.is_closed = False

    def detect_language(self, sounds: Sequence[np.ndarray]) -> str:
        return "en"

    def hear(self, sounds: Sequence[np.ndarray], language: str, attempt: int) -> list[list[SpokenWord]]:
        return [
            [SpokenWord(i * 0.4, i * 0.4 + 0.35, word, 0.8) for i, word in enumerate(text.split())]
            for text, _ in zip(self._answers, sounds, strict=True)
        ]

    def close(self) -> None:
        self.is_closed = True


def test_loops_and_sounds_keep_the_original_sound_and_are_told(
    lecture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Inventor("It is the fastest thing there is. [Music]", "Thank you. " * 8)
    monkeypatch.setattr(stage, "load_recogniser", lambda *_: engine)
    context, listener = _context(tmp_path)
    transcript = transcribe(lecture, _video(), "en", TranscribeConfig(engine="sphinx"), context)
    kept = {one.text: one.keep_original for one in transcript.segments}
    assert kept.pop("It is the fastest thing there is.") is None
    assert kept.pop("[Music]") == SOUND_REASON
    assert set(kept.values()) == {LOOP_REASON}
    assert sum("the original sound" in notice for notice in listener.notices) == 2
    assert engine.is_closed


def test_speech_in_silence_keeps_the_original_sound(
    lecture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector of speech is another network than the recogniser, which may say anything."""
    engine = Inventor("It is the fastest thing there is.", "Thanks for watching my film.")
    monkeypatch.setattr(stage, "load_recogniser", lambda *_: engine)
    music_s = 1 + speak(SENTENCES[0]).size / RATE
    windows = [Window(1.0, music_s), Window(music_s + 0.5, music_s + 3.5)]
    monkeypatch.setattr(speech_regions, "plan_windows", lambda *_: windows)
    context, listener = _context(tmp_path)
    transcript = transcribe(lecture, _video(), "en", TranscribeConfig(engine="sphinx"), context)
    assert [one.keep_original for one in transcript.segments] == [None, SILENCE_REASON]
    assert any("Thanks for watching" in notice for notice in listener.notices)


def test_nothing_but_invented_text_is_no_speech(
    lecture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "load_recogniser", lambda *_: Inventor("[Music]", "you " * 12))
    with pytest.raises(UsageError, match="no speech was recognised"):
        transcribe(lecture, _video(), "en", TranscribeConfig(engine="sphinx"), _context(tmp_path)[0])


def test_a_tone_is_no_speech(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no speech was recognised in lecture\.mp4"):
        transcribe(source, _video(), "en", TranscribeConfig(engine="sphinx"), _context(tmp_path)[0])


def test_sphinx_through_the_stage(shared_media: Path, tmp_path: Path) -> None:
    speech = shared_media / "speech" / "libri_quilter_en.wav"
    context, listener = _context(tmp_path)
    transcript = transcribe(speech, _video(5.9), "en", TranscribeConfig(engine="sphinx"), context)
    assert transcript.engine.notice == sphinx.NOTICE
    assert "middle classes" in " ".join(segment.text for segment in transcript.segments)
    assert listener.progress[-1][1:] == (pytest.approx(5.855), "s")
