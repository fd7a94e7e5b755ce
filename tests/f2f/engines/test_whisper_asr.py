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
from f2f.errors import EngineUnavailableError, UsageError

RATE = whisper_asr.SAMPLE_RATE_HZ
GREEDY = {
    "temperature": 0.0, "sample_len": 12, "word_timestamps": True, "condition_on_previous_text": False,
    "no_speech_threshold": None, "logprob_threshold": None, "compression_ratio_threshold": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.pt")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Any:
    return whisper_asr.load_model(str(checkpoint), "cpu")


def _voice(seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * 220 * time_s) * np.sin(2 * np.pi * 3 * time_s)).astype(np.float32)


def test_decodes_a_waveform(model: Any) -> None:
    told: list[tuple[float, float]] = []
    cues = whisper_asr.recognise(model, _voice(3), "en", lambda *now: told.append(now), GREEDY)
    assert cues
    assert all(0 <= cue.start_s < cue.end_s <= 30.1 for cue in cues)
    assert all(cue.text and 0 <= (cue.confidence or 0) <= 1 for cue in cues)
    assert told[-1] == (3.0, 3.0)


def test_digital_silence_is_not_sent_to_the_model() -> None:
    class Untouchable:
        is_multilingual = True

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the model was asked for {name}")

    assert whisper_asr.recognise(Untouchable(), np.zeros(RATE, np.float32), "en") == []


def test_times_of_later_blocks_count_from_the_start(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import whisper

    sizes: list[int] = []

    def note(model: Any, block: np.ndarray, **options: Any) -> dict[str, Any]:
        sizes.append(block.size)
        word = {"word": " hello.", "start": 1.0, "end": 1.5, "probability": 0.5}
        return {"segments": [{"words": [word], "text": " hello.", "avg_logprob": -0.1}]}

    monkeypatch.setattr(whisper, "transcribe", note)
    waveform = np.tile(_voice(1), 300)
    quiet = 110 * RATE  # the only pause near the end of the first block
    waveform[quiet : quiet + RATE] = 0
    cues = whisper_asr.recognise(model, waveform, "en")
    assert sum(sizes) == waveform.size
    assert max(sizes) <= whisper_asr.BLOCK_S * RATE
    assert quiet <= sizes[0] <= quiet + RATE
    assert [cue.start_s for cue in cues] == pytest.approx(
        [1 + sum(sizes[:i]) / RATE for i in range(len(sizes))], abs=1e-6
    )


def test_detects_one_of_whispers_languages(model: Any) -> None:
    from whisper.tokenizer import LANGUAGES

    assert whisper_asr.detect_language(model, _voice(40)) in LANGUAGES


def test_a_segment_is_cut_where_a_sentence_ends() -> None:
    words = [
        {"word": f" {word}", "start": i / 2, "end": i / 2 + 0.4, "probability": 0.9}
        for i, word in enumerate(["One", "two.", "Three", "[Music]", "four?"])
    ]
    cues = whisper_asr._cues({"words": words}, 10.0)
    assert [(cue.text, cue.start_s) for cue in cues] == [("One two.", 10.0), ("Three four?", 11.0)]


def test_an_english_model_refuses_other_languages(tmp_path: Path) -> None:
    english = whisper_asr.load_model(str(make_checkpoint(tmp_path / "en.pt", multilingual=False)), "cpu")
    assert whisper_asr.detect_language(english, _voice(1)) == "en"
    with pytest.raises(UsageError, match="only English"):
        whisper_asr.recognise(english, _voice(1), "hi")


def test_published_models_are_those_of_the_package() -> None:
    import whisper

    assert whisper_asr.published_models() == whisper._MODELS


def test_status_follows_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not whisper_asr.status("small", "embedded").ready
    assert "whisper.load_model('small')" in whisper_asr.status("small", "embedded").reason
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
        whisper_asr.load_model(str(broken), "cpu")


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
