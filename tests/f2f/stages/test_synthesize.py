"""The stage with the real espeak-ng, on sources whose voices are known."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import fake_coqui
import numpy as np
import pytest
from synthetic import write_wav

from f2f.config import SynthesizeConfig
from f2f.engines import coqui_models, espeak
from f2f.errors import EngineUnavailableError, StageError, UsageError
from f2f.results import EngineInfo, Segment, Speech, TranslatedSegment, Translation
from f2f.source_speech import median_pitch_hz
from f2f.stage import SilentObserver, StageContext
from f2f.stages.synthesize import plan, synthesize
from lipsync_core.media import read_wav

INFO = EngineInfo(name="test", version="1", licence="none")
ESPEAK = SynthesizeConfig(engine="espeak")
RATE = 16_000


class Ears(SilentObserver):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.progress: list[tuple[float, float | None]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        assert (stage, unit) == ("synthesize", "segments")
        self.progress.append((done, total))


def buzz(hz: float, seconds: float, level: float = 0.1) -> np.ndarray:
    """A voice of 3 syllables a second."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in range(1, 12))
    return (level * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time_s))).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """8 s of a low voice, then 8 s of a high one."""
    return write_wav(tmp_path / "source.wav", np.concatenate([buzz(110, 8), buzz(210, 8)]), RATE)


def translation(*lines: tuple[str, float, float, str | None], language: str = "hi") -> Translation:
    """Translate lines given as (text, start, end, speaker)."""
    segments = tuple(
        TranslatedSegment(
            segment=Segment(id=10 + i, start_s=start_s, end_s=end_s, text="x", speaker=speaker), text=text
        )
        for i, (text, start_s, end_s, speaker) in enumerate(lines)
    )
    return Translation(source_language="en", target_language=language, segments=segments, engine=INFO)


def run(
    what: Translation, source: Path, tmp_path: Path, config: SynthesizeConfig = ESPEAK
) -> tuple[Speech, Ears, Path]:
    ears, folder = Ears(), tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return synthesize(what, source, config, StageContext("synthesize", folder, observer=ears)), ears, folder


def test_one_wav_for_each_segment_with_text(source: Path, tmp_path: Path) -> None:
    what = translation(("नमस्ते", 0, 2, None), ("  ", 2, 3, None), ("सुनने के लिए\nधन्यवाद", 3, 5, None))
    speech, ears, folder = run(what, source, tmp_path)
    assert [(take.segment_id, take.wav) for take in speech.takes] == [(10, "0001.wav"), (12, "0003.wav")]
    assert sorted(file.name for file in folder.iterdir()) == ["0001.wav", "0003.wav"]
    for take in speech.takes:
        with wave.open(str(folder / take.wav)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            assert file.getframerate() == take.sample_rate_hz
            assert file.getnframes() / file.getframerate() == take.duration_s
    assert ears.progress == [(0, 2), (1, 2), (2, 2)]
    assert speech.problems == () and speech.engine.name == "espeak"
    assert Speech.model_validate_json(speech.model_dump_json()) == speech


def test_what_cannot_be_said_is_a_problem_and_the_rest_is_said(source: Path, tmp_path: Path) -> None:
    """VideoLingo#351: one bad line ends the whole job."""
    speech, ears, _ = run(translation(("♪ ♪", 0, 1, None), ("नमस्ते", 1, 2, None)), source, tmp_path)
    assert [take.segment_id for take in speech.takes] == [11]
    assert len(speech.problems) == 1
    assert (
        "segment 10" in speech.problems[0] and "♪ ♪" in speech.problems[0] and "silent" in speech.problems[0]
    )
    assert list(speech.problems) == ears.notices


def test_not_one_word_said_is_a_failure(source: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="not one of 2 segments"):
        run(translation(("♪", 0, 1, None), ("…", 1, 2, None)), source, tmp_path)


def test_nothing_to_say_is_no_failure(source: Path, tmp_path: Path) -> None:
    speech, _, folder = run(translation(("", 0, 1, None)), source, tmp_path)
    assert speech.takes == () and speech.source_level_dbfs is None and not list(folder.iterdir())


def test_voices_follow_the_speakers_pitch(source: Path, tmp_path: Path) -> None:
    text = "आपका स्वागत है, सुनने के लिए धन्यवाद"
    what = translation((text, 0, 7, "him"), (text, 9, 16, "her"), (text, 1, 2, "him"))
    speech, _, folder = run(what, source, tmp_path)
    him, her, him_again = (take.voice for take in speech.takes)
    assert him == him_again and him != her
    pitches = [median_pitch_hz(*read_wav(folder / take.wav)) for take in speech.takes]
    assert pitches[0] < 150 < 170 < pitches[1]


def test_speakers_of_one_kind_differ(source: Path, tmp_path: Path) -> None:
    what = translation(("नमस्ते", 0, 3, "a"), ("नमस्ते", 3, 6, "b"))
    speech, _, folder = run(what, source, tmp_path)
    assert speech.takes[0].voice != speech.takes[1].voice
    assert (folder / "0001.wav").read_bytes() != (folder / "0002.wav").read_bytes()


def test_level_of_the_source_is_measured_where_it_speaks(tmp_path: Path) -> None:
    tone = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)
    loud = np.full(RATE, 0.9) * np.sin(np.arange(RATE))
    source = write_wav(tmp_path / "source.wav", np.concatenate([tone, loud]), RATE)
    speech, _, _ = run(translation(("नमस्ते", 0, 2, None)), source, tmp_path)
    assert speech.source_level_dbfs == pytest.approx(-20, abs=0.1)


def test_silent_source_has_no_level(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "source.wav", np.zeros(RATE), RATE)
    speech, _, _ = run(translation(("नमस्ते", 0, 1, None), ("फिर", 5, 9, None)), source, tmp_path)
    assert speech.source_level_dbfs is None and len(speech.takes) == 2


def test_configured_voice_is_used_and_checked(source: Path, tmp_path: Path) -> None:
    what = translation(("नमस्ते", 0, 2, None))
    speech, _, _ = run(what, source, tmp_path, SynthesizeConfig(engine="espeak", voice="hi+f4"))
    assert speech.takes[0].voice == "hi+f4"
    with pytest.raises(UsageError, match="no variant 'zz'"):
        run(what, source, tmp_path, SynthesizeConfig(engine="espeak", voice="hi+zz"))


def test_auto_takes_espeak_last_with_a_loud_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coqui_models, "has_package", lambda name: False)
    choice = plan("hi", SynthesizeConfig())
    assert choice.engine == "espeak"
    assert [status.name for status in choice.statuses] == ["coqui", "mms", "espeak"]
    assert choice.notice is not None and "robotic" in choice.notice and "f2f[tts]" in choice.notice
    assert espeak.read_catalogue().version in choice.identity


def test_identity_changes_with_the_voice() -> None:
    one = plan("hi", SynthesizeConfig(engine="espeak", voice="+f2")).identity
    other = plan("hi", SynthesizeConfig(engine="espeak", voice="+f3")).identity
    assert one != other != plan("es", SynthesizeConfig(engine="espeak", voice="+f3")).identity


def test_wanted_engine_that_is_missing_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coqui_models, "has_package", lambda name: False)
    with pytest.raises(EngineUnavailableError, match=r"'coqui' cannot be used: .*pip install 'f2f\[tts\]'"):
        plan("hi", SynthesizeConfig(engine="coqui"))


def test_language_nobody_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coqui_models, "has_package", lambda name: False)
    with pytest.raises(EngineUnavailableError, match="nothing here speaks 'bo'"):
        plan("bo", SynthesizeConfig())


@pytest.fixture
def coqui_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local model that the stand-in for coqui-tts takes."""
    fake_coqui.install(monkeypatch)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model": "xtts", "languages": ["en", "hi"]}))
    (folder / "model.pth").write_bytes(b"weights")
    return folder


def test_auto_prefers_coqui_where_it_can_speak(coqui_folder: Path) -> None:
    config = SynthesizeConfig(model=str(coqui_folder))
    assert plan("hi", config, "embedded").engine == "coqui"
    assert plan("es", config, "embedded").engine == "espeak"
    named = SynthesizeConfig(model=str(coqui_folder), voice="hi+f2")
    assert plan("hi", named, "embedded").engine == "espeak"


def test_without_consent_a_stock_voice_speaks(coqui_folder: Path, source: Path, tmp_path: Path) -> None:
    config = SynthesizeConfig(engine="coqui", model=str(coqui_folder))
    assert "consent: true" in (plan("hi", config).notice or "")
    speech, _, _ = run(translation(("नमस्ते", 9, 16, None)), source, tmp_path, config)
    calls = fake_coqui.FakeTTS.made[-1].calls
    assert {call["speaker_wav"] for call in calls} == {None}
    assert (
        {call["speaker"] for call in calls} == {speech.takes[0].voice} == {"Claribel Dervla"}
    )  # a high voice
    assert not speech.consent and speech.cloned == ()


def test_with_consent_each_speakers_own_sound_is_the_reference(
    coqui_folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float | None] = []
    original = fake_coqui.FakeTTS.tts

    def listen(self: fake_coqui.FakeTTS, *args: object, **arguments: object) -> list[float]:
        (wav,) = arguments["speaker_wav"]  # type: ignore[misc,attr-defined]
        waveform, rate = read_wav(wav)
        assert rate == 24_000 and 6 <= len(waveform) / rate <= 15
        heard.append(median_pitch_hz(waveform, rate))
        return original(self, *args, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fake_coqui.FakeTTS, "tts", listen)
    config = SynthesizeConfig(engine="coqui", model=str(coqui_folder), consent=True)
    what = translation(("नमस्ते", 0, 7.5, "him"), ("नमस्ते", 8.5, 16, "her"))
    speech, ears, folder = run(what, source, tmp_path, config)
    assert heard[0] == pytest.approx(110, rel=0.03) and heard[-1] == pytest.approx(210, rel=0.03)
    assert all("clone" in take.voice for take in speech.takes)
    assert speech.consent and speech.cloned == ("him", "her")
    assert sorted(file.name for file in folder.iterdir()) == ["0001.wav", "0002.wav"]  # no reference is kept
    assert ears.notices == ["cloned, as consent was stated: the voice of him, her"]


def test_too_little_speech_to_clone_is_said(coqui_folder: Path, source: Path, tmp_path: Path) -> None:
    config = SynthesizeConfig(engine="coqui", model=str(coqui_folder), consent=True)
    speech, ears, _ = run(translation(("नमस्ते", 0, 2, None)), source, tmp_path, config)
    assert any("not enough clean speech" in notice for notice in ears.notices)
    assert speech.consent and speech.cloned == ()
    assert "clone" not in speech.takes[0].voice


def test_hindi_digits_are_spoken_as_words_by_xtts_idiap_coqui_ai_tts_370(
    coqui_folder: Path, source: Path, tmp_path: Path
) -> None:
    config = SynthesizeConfig(engine="coqui", model=str(coqui_folder))
    lines = (("2024 में 3.5%", 0, 2, None), ("२१वीं सदी, 5 km", 3, 5, None))
    speech, _, _ = run(translation(*lines), source, tmp_path, config)
    said = [call["text"] for call in fake_coqui.FakeTTS.made[-1].calls]
    assert said[0] == "दो हज़ार चौबीस में तीन दशमलव पाँच प्रतिशत"
    assert said[-1] == "इक्कीसवीं सदी, पाँच किलोमीटर"
    assert [take.text for take in speech.takes] == ["2024 में 3.5%", "२१वीं सदी, 5 km"]  # as subtitles show it
    assert speech.problems == ()
