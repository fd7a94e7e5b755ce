"""Arguments, rules and messages of the coqui engine, on a stand-in that checks what the library checks."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import fake_coqui as fake
import numpy as np
import pytest

from f2f.config import SynthesizeConfig
from f2f.engines import coqui_models
from f2f.engines.coqui import CoquiEngine
from f2f.engines.coqui_models import XTTS_V2
from f2f.engines.speech import SpeakerProfile, SpeechProblemError
from f2f.errors import EngineUnavailableError, UsageError
from lipsync_core.media import read_wav

WOMAN, MAN = SpeakerProfile(0, "female"), SpeakerProfile(1, "male")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of models, and nobody has agreed to anything."""
    monkeypatch.setenv("TTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)
    return tmp_path / "home" / "tts"


@pytest.fixture
def made(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[fake.FakeTTS]:
    return fake.install(monkeypatch)


@pytest.fixture
def agreed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COQUI_TOS_AGREED", "1")


def put_weights(home: Path) -> Path:
    folder = home / XTTS_V2.replace("/", "--")
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(b"weights")
    return folder


def put_model(folder: Path, model: str = "xtts", languages: list[str] | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model": model, "languages": languages or ["en", "hi"]}))
    (folder / "model.pth").write_bytes(b"weights")
    return folder


@pytest.mark.skipif(importlib.util.find_spec("TTS") is not None, reason="coqui-tts is installed here")
def test_missing_package_says_what_to_install(home: Path) -> None:
    status = coqui_models.status("hi")
    assert not status.ready and "pip install 'f2f[tts]'" in status.reason
    with pytest.raises(EngineUnavailableError, match=r"pip install 'f2f\[tts\]'"):
        CoquiEngine("hi")


def test_agreement_is_the_users_to_give(made: list[fake.FakeTTS], home: Path) -> None:
    put_weights(home)
    status = coqui_models.status("hi")
    assert not status.ready
    assert "COQUI_TOS_AGREED=1" in status.reason and "non-commercial" in status.reason
    with pytest.raises(EngineUnavailableError, match="COQUI_TOS_AGREED"):
        CoquiEngine("hi")
    assert made == []  # the library, which would ask on the terminal, was not even called


def test_agreement_given_to_the_library_itself_counts(made: list[fake.FakeTTS], home: Path) -> None:
    (put_weights(home) / "tos_agreed.txt").write_text("I have read …")
    assert coqui_models.status("hi").ready


@pytest.mark.usefixtures("made", "agreed")
def test_weights_of_either_cache_are_found(home: Path, tmp_path: Path) -> None:
    assert not coqui_models.status("hi", profile="embedded").ready
    snapshot = tmp_path / "hub" / "models--tts-hub--XTTS-v2" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.pth").write_bytes(b"weights")
    status = coqui_models.status("hi", profile="embedded")
    assert status.ready and str(snapshot) in status.reason and not status.needs_download
    put_weights(home)
    assert str(home) in coqui_models.status("hi", profile="embedded").reason


@pytest.mark.usefixtures("made", "agreed")
def test_download_is_offered_only_where_allowed_and_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(coqui_models, "is_reachable", lambda url: bool(asked.append(url) or True))
    assert not coqui_models.status("hi", profile="embedded").ready
    assert asked == []
    status = coqui_models.status("hi")
    assert status.ready and status.needs_download
    assert asked and asked[0].startswith("https://huggingface.co/")
    assert "1.9 GB" in (coqui_models.notice(status, SynthesizeConfig(consent=True)) or "")


@pytest.mark.usefixtures("made", "agreed")
@pytest.mark.parametrize(("language", "speaks"), [("hi", True), ("pt-BR", True), ("zh", True), ("bn", False)])
def test_languages_of_xtts(home: Path, language: str, speaks: bool) -> None:
    put_weights(home)
    status = coqui_models.status(language)
    assert status.ready is speaks
    assert speaks or "does not speak 'bn'" in status.reason


@pytest.mark.usefixtures("made")
def test_local_folder_is_checked(tmp_path: Path) -> None:
    folder = put_model(tmp_path / "mine")
    assert coqui_models.status("hi", str(folder)).ready
    assert "does not speak 'es'; it speaks en, hi" in coqui_models.status("es", str(folder)).reason
    (folder / "model.pth").unlink()
    assert "lacks model.pth" in coqui_models.status("hi", str(folder)).reason
    (folder / "model.pth").write_bytes(b"weights")
    (folder / "config.json").write_text("{broken")
    assert "cannot be read" in coqui_models.status("hi", str(folder)).reason
    assert "neither a folder nor an id" in coqui_models.status("hi", "nonsense").reason


def test_identity_changes_with_the_weights(tmp_path: Path) -> None:
    folder = put_model(tmp_path / "mine")
    before = coqui_models.identity(str(folder))
    (folder / "model.pth").write_bytes(b"other weights")
    assert coqui_models.identity(str(folder)) != before
    assert XTTS_V2 in coqui_models.identity(None)


@pytest.mark.usefixtures("agreed")
def test_xtts_is_called_with_language_and_stock_voice(made: list[fake.FakeTTS], tmp_path: Path) -> None:
    engine = CoquiEngine("zh-CN", device="cuda")
    spoken = engine.say("你好世界", WOMAN, tmp_path / "a.wav")
    engine.say("再见世界", MAN, tmp_path / "b.wav")
    (tts,) = made
    assert tts.init["model_name"] == XTTS_V2 and tts.init["progress_bar"] == "False"
    assert tts.device == "cuda"
    assert [call["speaker"] for call in tts.calls] == ["Claribel Dervla", "Damien Black"]
    assert {call["language"] for call in tts.calls} == {"zh-cn"}
    assert {call["speaker_wav"] for call in tts.calls} == {None}
    waveform, rate = read_wav(tmp_path / "a.wav")
    assert (rate, len(waveform)) == (24_000, spoken.n_samples)
    assert spoken.duration_s == pytest.approx(4 / 20 + 0.02, abs=0.002)  # the padding of zeros is gone
    engine.close()


@pytest.mark.usefixtures("agreed")
def test_reference_clones_the_voice(made: list[fake.FakeTTS], tmp_path: Path) -> None:
    reference = tmp_path / "reference.wav"
    profile = SpeakerProfile(0, "female", reference)
    engine = CoquiEngine("es", voice="Some Other")
    engine.say("hola a todos", profile, tmp_path / "a.wav")
    assert made[0].calls[0]["speaker_wav"] == [str(reference)] and made[0].calls[0]["speaker"] is None
    assert "clone" in engine.choose_voice(profile)


@pytest.mark.usefixtures("made", "agreed")
def test_voice_must_exist() -> None:
    assert CoquiEngine("es", voice="Some Other").choose_voice(WOMAN) == "Some Other"
    with pytest.raises(UsageError, match=r"no voice 'Nobody'; allowed: Claribel Dervla, Daisy"):
        CoquiEngine("es", voice="Nobody")


def test_local_xtts_folder_is_the_model_path(made: list[fake.FakeTTS], tmp_path: Path) -> None:
    folder = put_model(tmp_path / "mine")
    CoquiEngine("hi", str(folder)).say("नमस्ते", WOMAN, tmp_path / "a.wav")
    assert made[0].init["model_path"] == str(folder)
    assert made[0].init["config_path"] == str(folder / "config.json")
    CoquiEngine("hi", str(put_model(tmp_path / "vits", model="vits")))
    assert made[1].init["model_path"] == str(tmp_path / "vits" / "model.pth")


def test_single_voice_model_gets_neither_speaker_nor_language(
    made: list[fake.FakeTTS], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake.FakeTTS, "speaker_names", [])
    engine = CoquiEngine("de", "tts_models/de/thorsten/vits")
    engine.say("guten Tag", WOMAN, tmp_path / "a.wav")
    assert made[0].calls[0] == {"text": "guten Tag", "speaker": None, "language": None, "speaker_wav": None}
    assert engine.choose_voice(WOMAN) == "the model's voice"


@pytest.mark.usefixtures("made", "agreed")
def test_hindi_digits_are_a_problem_of_one_segment(tmp_path: Path) -> None:
    engine = CoquiEngine("hi")
    with pytest.raises(SpeechProblemError, match="NotImplementedError"):
        engine.say("2024 में", WOMAN, tmp_path / "a.wav")
    assert engine.say("फिर भी", WOMAN, tmp_path / "b.wav").n_samples > 0
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.usefixtures("made", "agreed")
@pytest.mark.parametrize(
    ("samples", "message"),
    [([0.0] * 5000, "silence"), ([], "silence"), ([float("nan")] * 10, "no numbers")],
)
def test_useless_sound_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: list[float], message: str
) -> None:
    monkeypatch.setattr(fake.FakeTTS, "tts", lambda self, **_: np.array(samples))
    with pytest.raises(SpeechProblemError, match=message):
        CoquiEngine("hi").say("नमस्ते", WOMAN, tmp_path / "a.wav")


@pytest.mark.usefixtures("made", "agreed")
def test_loader_failure_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: fake.FakeTTS, device: str) -> None:
        raise RuntimeError("CUDA is not here\n" + "and more words, " * 100)

    monkeypatch.setattr(fake.FakeTTS, "to", fail)
    with pytest.raises(EngineUnavailableError, match=r"cannot load .*xtts_v2: RuntimeError: CUDA") as caught:
        CoquiEngine("hi")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.usefixtures("made", "agreed")
def test_info_states_the_licence() -> None:
    info = CoquiEngine("hi").info()
    assert info.name == "coqui" and "non-commercial" in info.licence and info.detail == XTTS_V2
