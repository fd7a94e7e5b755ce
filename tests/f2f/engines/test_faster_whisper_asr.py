"""Real CTranslate2 on a tiny random model in the folder that faster-whisper loads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_results import context_in
from spoken import RATE, SENTENCES, silence, speak
from synthetic import write_wav
from tiny_ct2_whisper import make_ct2_model

pytest.importorskip("faster_whisper")

from f2f.engines import faster_whisper_asr
from f2f.engines.faster_whisper_asr import FasterWhisperRecogniser, identity, status, weights_folder
from f2f.errors import EngineUnavailableError, UsageError
from f2f.hearing import hear
from f2f.repetition import find_loop
from f2f.results import SourceVideo
from f2f.speech_regions import Window


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ct2_model(tmp_path_factory.mktemp("ct2"))


@pytest.fixture(scope="module")
def recogniser(folder: Path) -> Iterator[FasterWhisperRecogniser]:
    engine = FasterWhisperRecogniser(str(folder), "cpu", 1)
    yield engine
    engine.close()


def test_a_batch_of_windows_gives_each_its_own_words(recogniser: FasterWhisperRecogniser) -> None:
    """Each window alone says the same as in a batch, so no word came to the wrong window."""
    sounds = [speak(SENTENCES[0]), speak(SENTENCES[1]), speak(SENTENCES[3])[: 2 * RATE]]
    together = recogniser.hear(sounds, "en", 0)
    alone = [recogniser.hear([sound], "en", 0)[0] for sound in sounds]
    assert [[word.text for word in words] for words in together] == [
        [word.text for word in words] for words in alone
    ]
    assert all(together)
    for words, sound in zip(together, sounds, strict=True):
        assert all(-0.01 <= word.start_s <= word.end_s <= sound.size / RATE + 2 for word in words)
        assert all(0 <= (word.confidence or 0) <= 1 for word in words)


def test_a_loop_of_the_real_engine_is_found_and_decoded_again(recogniser: FasterWhisperRecogniser) -> None:
    """A network without meaning loops by itself; the other settings forbid what it does."""
    sound = speak(SENTENCES[0])
    assert find_loop([word.text for word in recogniser.hear([sound], "en", 0)[0]]) is not None
    heard = hear(recogniser, sound, [Window(0, sound.size / RATE)], "en", lambda done, total: None)
    assert heard.n_repeated == 1
    assert find_loop([word.text for word in heard.words]) is None
    assert all(0 <= word.start_s <= word.end_s <= sound.size / RATE for word in heard.words)


def test_the_stage_uses_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from f2f.config import TranscribeConfig
    from f2f.stages.transcribe import transcribe

    monkeypatch.setattr(FasterWhisperRecogniser, "n_attempts", 1)
    pause = silence(3)
    sound = np.concatenate([pause, speak(SENTENCES[0]), pause, speak(SENTENCES[3])[: 2 * RATE]])
    source = write_wav(tmp_path / "lecture.wav", sound, RATE)
    video = SourceVideo(
        sha256="0", duration_s=sound.size / RATE, width=320, height=240, sample_aspect_ratio="1:1", fps="25",
        n_frames=100, audio_codec="pcm", audio_sample_rate_hz=RATE, audio_channels=1,
    )  # fmt: skip
    context, listener = context_in(tmp_path / "stage", "transcribe")
    config = TranscribeConfig(engine="faster-whisper", whisper_model=str(folder))
    # A network without meaning may get stuck everywhere; then there is nothing to dub, and that is said.
    monkeypatch.setattr("f2f.hearing.find_loop", lambda words: None)
    monkeypatch.setattr("f2f.hearing.find_long_loops", lambda words: [])
    transcript = transcribe(source, video, "es", config, context)
    assert transcript.engine.name == "faster-whisper"
    assert "CTranslate2" in transcript.engine.detail
    assert all(2.8 <= one.start_s < one.end_s and one.words for one in transcript.segments)
    assert all(one.end_s <= two.start_s for one, two in pairwise(transcript.segments))
    assert listener.progress[-1][2] == "s"


def test_detects_one_of_whispers_languages(recogniser: FasterWhisperRecogniser) -> None:
    from whisper.tokenizer import LANGUAGES

    assert recogniser.detect_language([speak(SENTENCES[0])]) in LANGUAGES


def test_an_english_model_refuses_other_languages(tmp_path: Path) -> None:
    engine = FasterWhisperRecogniser(str(make_ct2_model(tmp_path, multilingual=False)), "cpu", 1)
    assert engine.detect_language([np.zeros(RATE, np.float32)]) == "en"
    with pytest.raises(UsageError, match="only English"):
        engine.hear([np.zeros(RATE, np.float32)], "hi", 0)
    engine.close()


def test_a_damaged_model_is_named(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.bin").write_bytes(b"<html>404</html>")
    with pytest.raises(EngineUnavailableError, match=r"broken.*cannot be loaded by CTranslate2"):
        FasterWhisperRecogniser(str(broken), "cpu")


def test_published_models_are_those_of_the_package() -> None:
    from faster_whisper.utils import _MODELS

    assert faster_whisper_asr.published_models() == _MODELS


def test_status_follows_the_hubs_cache(tmp_path: Path, folder: Path) -> None:
    missing = status("small", "embedded")
    assert not missing.ready
    assert "f2f models pull faster-whisper-small" in missing.reason
    place = tmp_path / "hub" / "models--Systran--faster-whisper-small" / "snapshots" / "0123"
    shutil.copytree(folder, place)
    assert status("small", "embedded").ready
    assert weights_folder("small") == place
    assert "0123" in identity("small")
    (place / "tokenizer.json").unlink()
    assert not status("small", "embedded").ready


def test_status_says_what_is_wrong(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert status(str(folder)).ready
    assert "no CTranslate2 model" in status(str(tmp_path)).reason
    assert "large-v3" in status("smal").reason
    assert "only English" in status("small.en", "auto", "hi").reason
    monkeypatch.setattr(faster_whisper_asr, "has_package", lambda name: False)
    assert 'pip install "f2f[fast]"' in status("small").reason


def test_status_asks_the_hub_only_where_downloads_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(faster_whisper_asr, "is_reachable", lambda url: bool(asked.append(url)) or True)
    found = status("small")
    assert found.ready
    assert found.needs_download
    status("small", "embedded")
    assert asked == ["https://huggingface.co/Systran/faster-whisper-small/resolve/main/config.json"]


def test_identity_follows_the_files(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = identity(str(copy))
    with (copy / "config.json").open("a") as file:
        file.write(" ")
    assert identity(str(copy)) != before
