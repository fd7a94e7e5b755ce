"""MMS on a model of random weights in the published files: loaded and speaking for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_mms import LATIN, make_tiny_mms

from f2f.config import SynthesizeConfig
from f2f.engines import coqui_models, mms
from f2f.engines.mms import MmsEngine
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError
from f2f.errors import EngineUnavailableError, UsageError
from f2f.languages import parse_language
from f2f.stages.synthesize import plan
from lipsync_core.media import read_wav

SOMEBODY = SpeakerProfile()
TEXT = "नमस्ते दुनिया, यह एक लंबा वाक्य है"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_mms(tmp_path_factory.mktemp("mms") / "mms-tts-hin")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[MmsEngine]:
    loaded = MmsEngine("hi", str(folder))
    yield loaded
    loaded.close()


def test_it_speaks_and_the_same_take_each_time(engine: MmsEngine, tmp_path: Path) -> None:
    spoken = engine.say(TEXT, SOMEBODY, tmp_path / "a.wav")
    waveform, rate = read_wav(tmp_path / "a.wav")
    assert (rate, len(waveform)) == (16_000, spoken.n_samples)
    assert 0.5 < spoken.duration_s < 8 and np.abs(waveform).mean() > 0.001
    engine.say(TEXT, SOMEBODY, tmp_path / "b.wav")
    engine.say(TEXT, SOMEBODY, tmp_path / "c.wav", Manner(attempt=1))
    engine.say(TEXT, SpeakerProfile(take=1), tmp_path / "d.wav")
    takes = [(tmp_path / f"{name}.wav").read_bytes() for name in "abcd"]
    assert takes[0] == takes[1] and len(set(takes)) == 3


def test_native_rate_is_obeyed(engine: MmsEngine, tmp_path: Path) -> None:
    usual, fast, slow = (
        engine.say(TEXT * 3, SOMEBODY, tmp_path / "a.wav", Manner(rate)).duration_s for rate in (1, 1.15, 0.9)
    )
    assert fast < 0.97 * usual and slow > 1.02 * usual


def test_letters_that_it_does_not_know_are_named(engine: MmsEngine, tmp_path: Path) -> None:
    assert engine.unsayable("नमस्ते, कैसे हैं?") == ""
    assert engine.unsayable("OK, 2 बार, 22") == "ok2"
    with pytest.raises(SpeechProblemError, match="nothing to say"):
        engine.say("2024 …", SOMEBODY, tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


def test_one_voice_for_everybody(engine: MmsEngine) -> None:
    assert engine.choose_voice(SpeakerProfile(3)) == "mms-tts-hin"
    with pytest.raises(UsageError, match="no voice 'Asha'; allowed: mms-tts-hin"):
        engine.choose_voice(SpeakerProfile(voice="Asha"))


def test_info_states_the_licence(engine: MmsEngine) -> None:
    info = engine.info()
    assert info.name == "mms" and info.licence == "CC-BY-NC-4.0" and "transformers" in info.version
    assert info.notice is not None and "non-commercial" in info.notice


def test_long_text_is_spoken_in_pieces(engine: MmsEngine, tmp_path: Path) -> None:
    one = engine.say(TEXT + "।", SOMEBODY, tmp_path / "a.wav").duration_s
    many = engine.say((TEXT + "। ") * 12, SOMEBODY, tmp_path / "b.wav").duration_s
    assert many > 8 * one


@pytest.mark.parametrize(
    ("language", "name"),
    [("hi", "mms-tts-hin"), ("es-MX", "mms-tts-spa"), ("sw", "mms-tts-swh"), ("yo", "mms-tts-yor"),
     ("ur", "mms-tts-urd-script_arabic"), ("or", "mms-tts-ory")],
)  # fmt: skip
def test_names_of_models(language: str, name: str) -> None:
    assert f"facebook/{name}" in mms.model_names(parse_language(language))


def test_the_hubs_cache_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert not mms.status().ready and "--to" in mms.status().reason
    missing = mms.status("yo")
    assert not missing.ready and "f2f models pull mms-tts-yor" in missing.reason
    make_tiny_mms(tmp_path / "models--facebook--mms-tts-yor" / "snapshots" / "abc", LATIN)
    found = mms.status("yo", profile="embedded")
    assert mms.status().ready and "mms-tts-yor" in mms.status().reason
    assert found.ready and "weights in" in found.reason and found.detail == "facebook/mms-tts-yor"
    assert "abc" in mms.identity("yo", None)
    engine = MmsEngine("yo")
    assert engine.choose_voice(SOMEBODY) == "mms-tts-yor"
    assert engine.say("bawo ni", SOMEBODY, tmp_path / "a.wav").n_samples > 0
    assert engine.unsayable("bà Ọ") == "àọ"


def test_download_is_offered_only_where_allowed_and_reachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(mms, "is_reachable", lambda url: bool(asked.append(url) or "script_arabic" in url))
    assert not mms.status("ur", profile="embedded").ready and asked == []
    status = mms.status("ur")
    assert status.ready and status.needs_download and status.detail == "facebook/mms-tts-urd-script_arabic"
    assert asked[0] == "https://huggingface.co/facebook/mms-tts-urd/resolve/main/config.json"


def test_damaged_and_foreign_folders_are_refused(tmp_path: Path, folder: Path) -> None:
    broken = make_tiny_mms(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(EngineUnavailableError, match="cannot load"):
        MmsEngine("hi", str(broken))
    (broken / "vocab.json").unlink()
    assert "lacks" in mms.status("hi", str(broken)).reason
    romanised = make_tiny_mms(tmp_path / "romanised", LATIN, is_uroman=True)
    assert "pip install uroman" in mms.status("am", str(romanised)).reason
    assert mms.is_model(folder) and not mms.is_model(tmp_path)


def test_auto_takes_mms_before_espeak_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coqui_models, "has_package", lambda name: False)
    config = SynthesizeConfig(model=str(folder))
    choice = plan("hi", config)
    assert choice.engine == "mms" and str(folder) in choice.identity
    assert (
        choice.notice is not None and "one voice" in choice.notice and "coqui: not installed" in choice.notice
    )
    assert plan("hi", SynthesizeConfig(model=str(folder), voice="+f2")).engine == "espeak"
    with pytest.raises(UsageError, match="mms has one voice"):
        plan("hi", SynthesizeConfig(engine="mms", model=str(folder), voice="Asha"))


def test_wanted_mms_that_is_missing_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EngineUnavailableError, match="'mms' cannot be used"):
        plan("hi", SynthesizeConfig(engine="mms"))
