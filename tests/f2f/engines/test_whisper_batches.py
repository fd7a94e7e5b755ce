"""The same words from windows together as one by one, by the real code on a tiny random checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tiny_whisper import make_checkpoint

from f2f.engines import whisper_asr
from f2f.engines.whisper_asr import WhisperRecogniser
from f2f.speech_regions import SAMPLE_RATE_HZ
from f2f.words import SpokenWord

SURE = {
    "temperature": 0.0, "sample_len": 6, "word_timestamps": True, "condition_on_previous_text": False,
    "no_speech_threshold": None, "logprob_threshold": None, "compression_ratio_threshold": None,
}  # fmt: skip
DOUBTING = {**SURE, "temperature": (0.0, 0.4), "logprob_threshold": -1.0}  # random words are never likely


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperRecogniser]:
    engine = WhisperRecogniser(str(make_checkpoint(tmp_path_factory.mktemp("whisper") / "tiny.pt")), "cpu")
    yield engine
    engine.close()


@pytest.fixture
def asked(recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """What the network was asked to decode: number of windows (0: one alone), temperature."""
    noted: list[tuple[int, float]] = []
    decode = recogniser._model.decode

    def note(mel: Any, options: Any) -> Any:
        noted.append((len(mel) if mel.ndim == 3 else 0, options.temperature))
        return decode(mel, options)

    monkeypatch.setattr(recogniser._model, "decode", note, raising=False)
    return noted


def _voices() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32) for seconds in (1, 1.5)]


def _hear(recogniser: WhisperRecogniser, sounds: list[np.ndarray]) -> list[list[SpokenWord]]:
    torch.manual_seed(0)
    return recogniser.hear(sounds, "en", 0)


@pytest.mark.parametrize("decoding", [SURE, DOUBTING], ids=["sure", "doubting"])
def test_windows_together_give_the_words_of_each_alone(
    recogniser: WhisperRecogniser,
    asked: list[tuple[int, float]],
    decoding: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whisper_asr, "DECODINGS", (decoding,))
    sounds = _voices()
    assert recogniser.n_at_once >= len(sounds)
    torch.manual_seed(0)
    alone = [recogniser.hear([sound], "en", 0)[0] for sound in sounds]
    n_alone = len(asked)
    assert all(n_windows == 0 for n_windows, _ in asked)
    asked.clear()
    together = _hear(recogniser, sounds)
    for one, other in zip(alone, together, strict=True):
        assert one
        assert [(word.text, word.start_s, word.end_s) for word in one] == [
            (word.text, word.start_s, word.end_s) for word in other
        ]
        expected = [word.confidence for word in one]
        assert [word.confidence for word in other] == pytest.approx(expected, abs=1e-5)
    # Each window's first question was answered by the batch, all others by the network as ever.
    assert asked[0] == (2, 0.0)
    assert len(asked) == n_alone - 2 + 1
    assert all(n_windows == 0 for n_windows, _ in asked[1:])
    assert any(temperature > 0 for _, temperature in asked) is (decoding is DOUBTING)


def test_without_memory_for_a_batch_windows_go_one_by_one(
    recogniser: WhisperRecogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper_asr, "DECODINGS", (SURE,))
    decode, n_windows = recogniser._model.decode, []

    def refuse(mel: Any, options: Any) -> Any:
        n_windows.append(len(mel) if mel.ndim == 3 else 0)
        if mel.ndim == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(mel, options)

    monkeypatch.setattr(recogniser._model, "decode", refuse, raising=False)
    assert all(_hear(recogniser, _voices()))
    assert n_windows == [2, 0, 0]
