"""Speech by coqui-tts: XTTS v2 by default, with consent in the speaker's own voice, or any other model.

Of VITS models with several speakers each person gets one. Call arguments follow ``TTS.api.TTS`` of coqui-tts
0.27–0.28.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.engines.coqui_clone import add_clone
from f2f.engines.coqui_models import (
    AGREE,
    INSTALL,
    XTTS_V2,
    has_agreed,
    language_code,
    licence,
    weights_path,
)
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError, Spoken
from f2f.engines.status import package_version
from f2f.errors import EngineUnavailableError, UsageError
from f2f.loudness import trim_silence
from f2f.results import EngineInfo
from f2f.sentences import split_sentences
from f2f.spoken_text import NumberStyle

if TYPE_CHECKING:
    from f2f.loudness import Waveform

# Studio speakers inside XTTS v2's own speakers_xtts.pth.
_STOCK = {
    "female": ("Claribel Dervla", "Daisy Studious", "Ana Florence", "Tammie Ema"),
    "male": ("Andrew Chipper", "Damien Black", "Viktor Eka", "Craig Gutsy"),
}
CLONE = "clone of the source's speaker"
_SEED = 1234
# Longer text is spoken in pieces: XTTS cuts its sound off beyond a number of characters that differs by
# language (``VoiceBpeTokenizer.char_limits``).
_PIECE_CHARACTERS = {"hi": 150, "ar": 166, "ja": 71, "ko": 95, "zh-cn": 82, "ru": 182, "cs": 186}
_OTHER_PIECE_CHARACTERS = 200
_PAUSE_S = 0.25  # between pieces
_TEMPERATURES = (None, None, 0.5, 0.35)  # by attempt; None is the model's own, 0.75 for XTTS v2


class CoquiEngine:
    """A loaded Coqui model that speaks one language."""

    numbers = NumberStyle.WORDS
    n_attempts = len(_TEMPERATURES)

    def __init__(
        self, language: str, model: str | None = None, voice: str | None = None, device: str = "cpu"
    ) -> None:
        try:
            from TTS.api import TTS
        except (ImportError, OSError, RuntimeError) as error:  # a torchaudio for another torch: OSError
            raise EngineUnavailableError(f"coqui cannot be imported ({_words(error)}): {INSTALL}") from error
        self._model, self._language, self._voice = model or XTTS_V2, language_code(language), voice
        folder = Path(self._model).expanduser()
        # Without this the library would ask on a terminal that may not be there.
        if self._model == XTTS_V2 and not has_agreed():
            raise EngineUnavailableError(AGREE)
        if folder.is_dir():
            where = {"model_path": str(weights_path(folder)), "config_path": str(folder / "config.json")}
        else:
            where = {"model_name": self._model}
        try:
            self._tts: Any = TTS(**where, progress_bar=False).to(device)
        except Exception as error:
            raise EngineUnavailableError(f"coqui cannot load {self._model}: {_words(error)}") from error
        self._speakers: list[str] = list(self._tts.speakers or [])
        self._find_controls()
        if voice is not None:
            self._require(voice)

    def _require(self, voice: str) -> str:
        if voice not in self._speakers:
            allowed = ", ".join(self._speakers) or "none: it has a single voice"
            raise UsageError(f"{self._model} has no voice {voice!r}; allowed: {allowed}")
        return voice

    def _find_controls(self) -> None:
        """Find out by what means the model speaks faster, and remember its own settings."""
        model = self._tts.synthesizer.tts_model
        self._kind = "other"
        if hasattr(model, "get_gpt_cond_latents"):
            self._kind = "xtts"
        elif hasattr(model, "length_scale") and hasattr(model, "inference_noise_scale"):
            self._kind = "vits"
            self._length_scale, self._noise_scale = model.length_scale, model.inference_noise_scale
        self.has_rate = self._kind != "other"

    def info(self) -> EngineInfo:
        """Return library version, licence of the weights and the model."""
        version = package_version("coqui-tts")
        return EngineInfo(name="coqui", version=version, licence=licence(self._model), detail=self._model)

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the clone where there is a reference, else the configured or a stock voice."""
        if speaker.voice is not None:
            return self._require(speaker.voice)
        if speaker.reference is not None:
            return CLONE
        if self._voice is not None or not self._speakers:
            return self._voice or "the model's voice"
        stock = _STOCK[speaker.gender] if speaker.gender else (*_STOCK["female"], *_STOCK["male"])
        available = [name for name in stock if name in self._speakers] or self._speakers
        return available[speaker.index % len(available)]

    def unsayable(self, text: str) -> str:
        """Return letters and digits that the model's alphabet lacks; XTTS and phoneme models lack none."""
        tokenizer: Any = getattr(self._tts.synthesizer.tts_model, "tokenizer", None)
        characters = getattr(tokenizer, "characters", None)
        if characters is None or getattr(tokenizer, "use_phonemes", False):
            return ""
        cleaned = tokenizer.text_cleaner(text) if tokenizer.text_cleaner is not None else text
        lost = (one for one in cleaned if one.isalnum() and one not in characters.vocab)
        return "".join(dict.fromkeys(lost))

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, manner: Manner = Manner()) -> Spoken:  # noqa: B008
        """Write ``text`` to ``wav`` at the model's rate, outer silence trimmed; see ``SpeechEngine.say``."""
        import numpy as np
        import torch

        from lipsync_core.media import write_wav

        # The model samples; the same text must give the same take.
        torch.manual_seed(_SEED + manner.attempt + 100 * speaker.take)
        rate = int(self._tts.synthesizer.output_sample_rate)
        longest = _PIECE_CHARACTERS.get(self._language, _OTHER_PIECE_CHARACTERS)
        pieces = split_sentences(text, longest if manner.attempt < 2 else longest // 2)
        pause = np.zeros(round(_PAUSE_S * rate), np.float32)
        parts: list[Waveform] = []
        for piece in pieces:
            parts += [pause] if parts else []
            parts.append(_checked(self._speak(piece, speaker, manner), rate))
        if not parts:
            raise SpeechProblemError("coqui: there is nothing to say in it")
        waveform = np.concatenate(parts)
        write_wav(wav, waveform, rate)
        return Spoken(len(waveform), rate)

    def _speak(self, text: str, speaker: SpeakerProfile, manner: Manner) -> Any:
        settings: dict[str, Any] = {}
        if self._kind == "xtts":
            temperature = _TEMPERATURES[min(manner.attempt, len(_TEMPERATURES) - 1)]
            settings = {"speed": manner.rate} | ({"temperature": temperature} if temperature else {})
        elif self._kind == "vits":
            model = self._tts.synthesizer.tts_model
            model.length_scale = self._length_scale / manner.rate
            model.inference_noise_scale = self._noise_scale / (1 + manner.attempt)
        try:
            return self._tts.tts(text=text, split_sentences=False, **self._manner(speaker), **settings)
        except Exception as error:  # whatever one text does to it, the others are still to be said
            raise SpeechProblemError(f"coqui: {_words(error)}") from error

    def _manner(self, speaker: SpeakerProfile) -> dict[str, Any]:
        """Return the arguments that say in which language and voice to speak."""
        arguments: dict[str, Any] = {"language": self._language} if self._tts.is_multi_lingual else {}
        if speaker.reference is None or speaker.voice is not None:
            return {**arguments, "speaker": self.choose_voice(speaker)} if self._speakers else arguments
        name = add_clone(self._tts, speaker.reference)
        return {**arguments, **({"speaker": name} if name else {"speaker_wav": [str(speaker.reference)]})}

    def close(self) -> None:
        """Let the model go."""
        self._tts = None


def _words(error: Exception) -> str:
    """Return kind and message of a foreign error in one line of bounded length."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= 200 else f"{text[:199]}…"


def _checked(samples: Any, sample_rate_hz: int) -> Waveform:
    import numpy as np

    waveform = np.asarray(samples, dtype=np.float32).reshape(-1)
    if not np.isfinite(waveform).all():
        raise SpeechProblemError("coqui: the model gave samples that are no numbers")
    waveform = trim_silence(waveform, sample_rate_hz)
    if not waveform.size:
        raise SpeechProblemError("coqui: the model gave only silence")
    return waveform
