"""True, if tiny, models are fetched, bundled, carried over and loaded by their engines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import tiny_translators
from hub import Hub
from made_results import context_in, make_transcript
from tiny_whisper import make_checkpoint
from typer.testing import CliRunner

from f2f import cli
from f2f.config import TranslateConfig
from f2f.engines import whisper_asr
from f2f.engines.machine_translation import Translator
from f2f.engines.translation_models import FAMILIES
from f2f.languages import Language
from f2f.stages.translate import translate

REPOSITORY = "Helsinki-NLP/opus-mt-en-hi"


def f2f(*words: str | Path) -> Any:
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_carried_translation_model_is_loaded(
    hub: Hub, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    monkeypatch.setattr(tiny_translators, "_teach", lambda *args: None)  # what it says is of no matter here
    tiny_translators.make_marian(made)
    hub.files[REPOSITORY] = {path.name: path.read_bytes() for path in made.iterdir()}
    hub.files[REPOSITORY] |= {"tf_model.h5": b"another framework", "README.md": b"# OPUS-MT"}
    context, told = context_in(tmp_path / "stage")
    translation = translate(
        make_transcript(((0.2, 0.9),)), "hi", TranslateConfig(engine="marian", runtime="torch"), context
    )
    assert translation.engine.name == "marian"
    assert {unit for *_, unit in told.progress} >= {"MB", "segments"}  # it was fetched by the run itself
    f2f("models", "export", tmp_path / "b.tar")
    monkeypatch.setenv("HOME", str(elsewhere))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    f2f("models", "import", tmp_path / "b.tar")
    f2f("models", "verify", "opus-mt-en-hi")
    assert "opus-mt-en-hi" in f2f("models", "list", "--here").stdout
    translator = Translator(FAMILIES["marian"], REPOSITORY, Language("en"), Language("hi"), "cpu")
    [candidates] = translator.nbest(["thank you for coming"], 1)
    assert len(candidates) == 1
    f2f("models", "remove", "opus-mt-en-hi")
    assert not list(elsewhere.rglob("*.safetensors"))


def test_a_carried_whisper_is_loaded(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    whisper_asr.cache_folder().mkdir(parents=True)
    path = make_checkpoint(whisper_asr.cache_folder() / "tiny.pt")
    url = f"https://example.org/{hashlib.sha256(path.read_bytes()).hexdigest()}/tiny.pt"
    monkeypatch.setattr(whisper_asr, "published_models", lambda: {"tiny": url})
    monkeypatch.setitem(whisper._MODELS, "tiny", url)
    monkeypatch.setitem(whisper._ALIGNMENT_HEADS, "tiny", None)  # they fit the published number of layers
    f2f("models", "export", tmp_path / "b.tar", "whisper-tiny")
    monkeypatch.setenv("HOME", str(elsewhere))
    f2f("models", "import", tmp_path / "b.tar")
    assert whisper_asr.weights_path("tiny") == elsewhere / ".cache/whisper/tiny.pt"
    assert whisper.load_model("tiny", device="cpu").dims.n_audio_layer == 1  # it checks the hash itself
