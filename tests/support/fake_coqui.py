"""A stand-in for ``TTS.api`` (coqui-tts 0.28) with the same names, rules and errors; its voice is a tone."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from typing import Any

import numpy as np
import pytest

RATE = 24_000
STOCK = ["Claribel Dervla", "Daisy Studious", "Andrew Chipper", "Damien Black", "Some Other"]


class FakeTTS:
    """Checks arguments as the library does and records every call."""

    made: list[FakeTTS]
    speaker_names: list[str] = STOCK

    def __init__(
        self, model_name: str = "", *, model_path: str | None = None, config_path: str | None = None,
        progress_bar: bool = True, gpu: bool = False,
    ) -> None:  # fmt: skip
        if not (model_name or (model_path and config_path)):
            raise ValueError("Need to initialize a TTS or VC model via tts_checkpoint/vc_checkpoint")
        self.init = {"model_name": model_name, "model_path": model_path, "config_path": config_path}
        self.init["progress_bar"] = str(progress_bar)
        self.device = "cpu"
        self.calls: list[dict[str, Any]] = []
        self.is_multi_lingual = "xtts" in model_name or bool(model_path)
        # What tells XTTS from VITS, and carries the speed of the latter.
        parts = {"get_gpt_cond_latents": None} if self.is_multi_lingual else self.vits_settings()
        self.synthesizer = types.SimpleNamespace(
            output_sample_rate=RATE, tts_model=types.SimpleNamespace(**parts)
        )
        FakeTTS.made.append(self)

    @staticmethod
    def vits_settings() -> dict[str, float]:
        return {"length_scale": 1.0, "inference_noise_scale": 0.667}

    def to(self, device: str) -> FakeTTS:
        self.device = device
        return self

    @property
    def is_multi_speaker(self) -> bool:
        return bool(self.speaker_names)

    @property
    def speakers(self) -> list[str] | None:
        return list(self.speaker_names) or None

    def tts(
        self, text: str, speaker: str | None = None, language: str | None = None,
        speaker_wav: str | list[str] | None = None, emotion: str | None = None, split_sentences: bool = True,
        **kwargs: Any,
    ) -> list[float]:  # fmt: skip
        if self.is_multi_lingual and language is None:
            raise ValueError("Model is multi-lingual but no `language` is provided.")
        if not self.is_multi_speaker and speaker is not None:
            raise ValueError("Model is not multi-speaker but `speaker` is provided.")
        if not self.is_multi_lingual and language is not None:
            raise ValueError("Model is not multi-lingual but `language` is provided.")
        if language == "hi" and any(character.isdigit() for character in text):
            raise NotImplementedError("num2words does not know hi")  # idiap/coqui-ai-TTS#370
        self.calls.append(
            {"text": text, "speaker": speaker, "language": language, "speaker_wav": speaker_wav, **kwargs}
        )
        model = self.synthesizer.tts_model
        slowness = getattr(model, "length_scale", 1) / kwargs.get("speed", 1)
        time_s = np.arange(round(len(text) * RATE / 20 * slowness)) / RATE
        return [*(0.3 * np.sin(2 * np.pi * 200 * time_s)), *[0.0] * 10_000]  # the library pads with zeros


def install(monkeypatch: pytest.MonkeyPatch) -> list[FakeTTS]:
    """Make ``from TTS.api import TTS`` give the stand-in; return the list of instances made from now on."""
    FakeTTS.made = []
    for name in ("TTS", "TTS.api", "torchaudio", "torchcodec"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["TTS.api"], "TTS", FakeTTS, raising=False)
    monkeypatch.setattr(sys.modules["TTS"], "api", sys.modules["TTS.api"], raising=False)
    return FakeTTS.made
