"""Real Whisper code on a tiny random checkpoint in Whisper's own file format."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_whisper import make_checkpoint

from f2f.engines import whisper_asr
from f2f.engines.fetch import fetch_verified
from f2f.engines.whisper_asr import WhisperRecogniser
from f2f.errors import EngineUnavailableError, UsageError
from f2f.speech_regions import SAMPLE_RATE_HZ
from f2f.words import whole_words

RATE = SAMPLE_RATE_HZ
GREEDY = {
    "temperature": 0.0, "sample_len": 12, "word_timestamps": True, "condition_on_previous_text": False,
    "no_speech_threshold": None, "logprob_threshold": None, "compression_ratio_threshold": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.pt")


@pytest.fixture(scope="module")
def recogniser(checkpoint: Path) -> Iterator[WhisperRecogniser]:
    engine = WhisperRecogniser(str(checkpoint), "cpu")
    yield engine
    engine.close()


def _voice(seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * 220 * time_s) * np.sin(2 * np.pi * 3 * time_s)).astype(np.float32)


def test_decodes_windows_into_timed_words(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper_asr, "DECODINGS", (GREEDY,))
    heard = recogniser.hear([_voice(3), _voice(4)], "en", 0)
    assert len(heard) == 2
    assert all(heard)
    for words in heard:
        assert all(0 <= word.start_s <= word.end_s <= 30.1 for word in words)
        assert all(word.text == word.text.strip() != "" for word in words)
        assert all(0 <= (word.confidence or 0) <= 1 for word in words)


def test_each_attempt_has_other_settings(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        whisper, "transcribe", lambda *_, **options: asked.append(options) or {"segments": []}
    )
    for attempt in range(recogniser.n_attempts):
        assert recogniser.hear([_voice(1)], "hi", attempt) == [[]]
    assert [options["temperature"][0] for options in asked] == [0.0, 0.4, 0.8]
    assert all(options["condition_on_previous_text"] is False for options in asked)
    assert all(options["word_timestamps"] and options["language"] == "hi" for options in asked)


def test_detects_one_of_whispers_languages(recogniser: WhisperRecogniser) -> None:
    from whisper.tokenizer import LANGUAGES

    assert recogniser.detect_language([_voice(3), _voice(28)]) in LANGUAGES


def test_a_segment_that_was_not_aligned_is_one_piece() -> None:
    word = {"word": " Hello", "start": 1.0, "end": 1.5, "probability": 0.5}
    bare = {"text": " there now.", "start": 2.0, "end": 3.0, "avg_logprob": -0.5}
    words = whole_words(whisper_asr._pieces([{"words": [word]}, bare]))
    assert [(one.text, one.start_s, one.end_s) for one in words] == [
        ("Hello", 1.0, 1.5),
        ("there now.", 2.0, 3.0),
    ]
    assert [one.confidence for one in words] == pytest.approx([0.5, np.exp(-0.5)])


def test_an_english_model_refuses_other_languages(tmp_path: Path) -> None:
    english = WhisperRecogniser(str(make_checkpoint(tmp_path / "en.pt", multilingual=False)), "cpu")
    assert english.detect_language([_voice(1)]) == "en"
    with pytest.raises(UsageError, match="only English"):
        english.hear([_voice(1)], "hi", 0)


def test_closing_frees_the_model(checkpoint: Path) -> None:
    import weakref

    engine = WhisperRecogniser(str(checkpoint), "cpu")
    network = weakref.ref(engine._model)
    engine.close()
    assert network() is None


def test_published_models_are_those_of_the_package() -> None:
    import whisper

    assert whisper_asr.published_models() == whisper._MODELS


def test_status_follows_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not whisper_asr.status("small", "embedded").ready
    assert "f2f models pull whisper-small" in whisper_asr.status("small", "embedded").reason
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "small.pt").write_bytes(b"weights")
    assert whisper_asr.status("small", "embedded").ready
    assert whisper_asr.status(str(checkpoint)).ready
    assert "large-v3" in whisper_asr.status("smal").reason
    assert "only English" in whisper_asr.status("small.en", "auto", "hi").reason


def test_status_asks_for_the_weights_only_where_downloads_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[str] = []
    monkeypatch.setattr(whisper_asr, "is_reachable", lambda url: bool(asked.append(url)) or True)
    found = whisper_asr.status("small")
    assert found.ready
    assert found.needs_download
    assert asked == [whisper_asr.published_models()["small"]]
    whisper_asr.status("small", "embedded")
    assert len(asked) == 1


def test_identity_is_the_published_hash_or_the_file(checkpoint: Path) -> None:
    assert whisper_asr.identity("small").split()[-1] in whisper_asr.published_models()["small"]
    assert str(checkpoint.stat().st_size) in whisper_asr.identity(str(checkpoint))


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"<html>404</html>")
    with pytest.raises(EngineUnavailableError, match=r"broken\.pt"):
        WhisperRecogniser(str(broken), "cpu")


class _Weights(http.server.BaseHTTPRequestHandler):
    content = b"w" * 3_000_000

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def weights_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Weights) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/weights"
        server.shutdown()


def test_a_download_arrives_whole_or_not_at_all(tmp_path: Path, weights_url: str) -> None:
    told: list[tuple[float, float | None]] = []
    path = tmp_path / "cache" / "w.pt"
    sha256 = hashlib.sha256(_Weights.content).hexdigest()
    fetch_verified(weights_url, path, sha256, lambda *now: told.append(now))
    assert path.read_bytes() == _Weights.content
    assert told[-1] == (3_000_000, 3_000_000)
    other = tmp_path / "other.pt"
    with pytest.raises(EngineUnavailableError, match="another file"):
        fetch_verified(weights_url, other, "0" * 64)
    with pytest.raises(EngineUnavailableError, match="connection lost"):
        fetch_verified("http://127.0.0.1:9/x", other, sha256)
    assert [one.name for one in tmp_path.iterdir()] == ["cache"]
