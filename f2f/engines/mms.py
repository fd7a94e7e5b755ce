"""Speech by Meta's MMS: one VITS voice for each of about 1,100 languages, run by ``transformers`` alone.

Models are ``facebook/mms-tts-LLL`` with the ISO 639-3 code of the language, of some languages
``mms-tts-LLL-script_NAME`` (Pratap et al. 2023, https://arxiv.org/abs/2305.13516). They read letters of one
alphabet: no digits, in most languages no capitals and no punctuation, and their tokenizer drops whatever
they do not know without a word, which ``unsayable`` makes known.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.engines.hub import hub_cache, snapshot_folders
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError, Spoken
from f2f.engines.status import (
    STANDARD_INSTALL,
    EngineStatus,
    downloads_allowed,
    has_package,
    is_reachable,
    package_version,
)
from f2f.errors import EngineUnavailableError, UsageError
from f2f.languages import Language, parse_language
from f2f.loudness import trim_silence
from f2f.results import EngineInfo
from f2f.sentences import split_sentences
from f2f.spoken_text import NumberStyle

if TYPE_CHECKING:
    from f2f.loudness import Waveform

LICENCE = "CC-BY-NC-4.0"
NOTICE = "mms: one voice for everybody, clear but plain, and not the speaker's own (non-commercial use only)"
_SIZE = "145 MB"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
# Where MMS names a language, or its usual member, otherwise than by its ISO 639-2 code.
_MEMBERS = {
    "ara": "ara", "msa": "zlm", "swa": "swh", "ori": "ory", "nep": "npi", "aze": "azj", "kur": "kmr",
    "mlg": "plt", "mon": "khk", "lav": "lav", "fil": "tgl", "orm": "gaz", "uzb": "uzb", "que": "quy",
}  # fmt: skip
_SCRIPTS = {"Arab": "arabic", "Cyrl": "cyrillic", "Deva": "devanagari", "Latn": "latin"}
_SEED = 1234
_PIECE_CHARACTERS = 250  # it was trained on verses; longer text only costs memory
_PAUSE_S = 0.25  # between pieces


def model_names(language: Language) -> list[str]:
    """Return the names under which a voice for the language may be published, likeliest first."""
    codes = dict.fromkeys([_MEMBERS.get(language.iso639_2, language.iso639_2), language.iso639_2])
    script = _SCRIPTS.get(language.script)
    scripted = [f"facebook/mms-tts-{code}-script_{script}" for code in codes] if script else []
    return [*(f"facebook/mms-tts-{code}" for code in codes), *scripted]


def is_model(folder: Path) -> bool:
    """Whether ``folder`` holds a VITS model of ``transformers``."""
    return _read_json(folder / "config.json").get("model_type") == "vits"


def status(language: str | None = None, model: str | None = None, profile: str = "auto") -> EngineStatus:
    """Say whether MMS can speak ``language`` (None: any) here. Nothing is loaded.

    Args:
        language: code of the target language.
        model: hub id or local folder; None takes the language's own.
        profile: ``"embedded"`` never downloads.
    """
    missing = [name for name in ("torch", "transformers") if not has_package(name)]
    if missing:
        return _status(model, ready=False, reason=f"not installed ({', '.join(missing)}): {STANDARD_INSTALL}")
    names = [model] if model else model_names(parse_language(language)) if language else []
    found = find_model(names)
    if found is not None:
        return _folder_status(*found)
    if not names:
        here = sorted(
            path.name.rpartition("--")[2] for path in hub_cache().glob("models--facebook--mms-tts-*")
        )
        reason = (
            f"here: {', '.join(here)}" if here else "which model it needs depends on the language: add --to"
        )
        return _status(model, ready=bool(here), reason=reason)
    if Path(names[0]).expanduser().is_dir():
        return _status(names[0], ready=False, reason=f"{names[0]} lacks config.json, vocab.json or weights")
    command = f"f2f models pull {names[0].rpartition('/')[2]}"
    if not downloads_allowed(profile):
        reason = f"{names[0]} is not here and downloads are off: run {command} with a network"
        return _status(names[0], ready=False, reason=reason)
    published = next((name for name in names if is_reachable(_config_url(name))), None)
    if published is not None:
        return _status(
            published, ready=True, reason=f"weights ({_SIZE}) will be fetched from the hub", fetch=True
        )
    reason = f"{names[0]} is not here and the hub does not give it now: run {command}"
    return _status(names[0], ready=False, reason=reason)


def _config_url(name: str) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{name}/resolve/main/config.json"


def _status(model: str | None, *, ready: bool, reason: str, fetch: bool = False) -> EngineStatus:
    return EngineStatus("mms", ready, reason, LICENCE, model or "facebook/mms-tts", fetch)


def _folder_status(name: str, folder: Path) -> EngineStatus:
    settings = _read_json(folder / "tokenizer_config.json")
    for key, package in (("is_uroman", "uroman"), ("phonemize", "phonemizer")):
        if settings.get(key) and not has_package(package):
            reason = f"{folder} reads Latin letters only and needs {package}: pip install {package}"
            return _status(name, ready=False, reason=reason)
    return _status(name, ready=True, reason=f"weights in {folder}")


def find_model(names: list[str]) -> tuple[str, Path] | None:
    """Return name and folder of the first of these on this machine: a folder, or in the hub's cache."""
    for name in names:
        own = Path(name).expanduser()
        folders = [own] if own.is_dir() else snapshot_folders(name)
        for folder in folders:
            has_weights = any(any(folder.glob(pattern)) for pattern in _WEIGHTS)
            if has_weights and (folder / "vocab.json").is_file() and is_model(folder):
                return name, folder
    return None


def identity(language: str, model: str | None) -> str:
    """Return a string that changes with the library and the weights."""
    names = [model] if model else model_names(parse_language(language))
    found = find_model(names)
    version = f"transformers {package_version('transformers')}"
    if found is None:
        return f"{version} {names[0]}"
    folder = found[1]
    files = sorted(file for file in folder.iterdir() if file.is_file())
    stamps = [f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files]
    return f"{version} {folder} {' '.join(stamps)}"


class MmsEngine:
    """A loaded VITS model that speaks one language.

    Args:
        language: code of the target language.
        model: hub id or local folder; None takes the language's own.
        device: where it runs.

    Raises:
        EngineUnavailableError: it is not here and cannot be fetched, or cannot be loaded.
    """

    numbers = NumberStyle.WORDS
    n_attempts = 3
    has_rate = True

    def __init__(self, language: str, model: str | None = None, device: str = "cpu") -> None:
        try:
            import torch
            from transformers import VitsModel, VitsTokenizer
        except ImportError as error:
            raise EngineUnavailableError(f"mms cannot be imported ({error}): {STANDARD_INSTALL}") from error
        chosen = status(language, model)
        if not chosen.ready:
            raise EngineUnavailableError(f"mms: {chosen.reason}")
        names = [model] if model else model_names(parse_language(language))
        self._name, self._device = chosen.detail, device
        found = find_model(names)
        where = found[1] if found else self._name
        try:
            self._tokenizer: Any = VitsTokenizer.from_pretrained(where)
            network: Any = VitsModel.from_pretrained(where, dtype=torch.float32)
            self._network = network.to(device).eval()
        except Exception as error:  # the libraries have many kinds for a damaged file
            raise EngineUnavailableError(f"mms cannot load {where}: {_words(error)}") from error
        self._noise = float(self._network.noise_scale), float(self._network.noise_scale_duration)

    def info(self) -> EngineInfo:
        """Return library version, licence of the weights and the model."""
        version = package_version("transformers")
        return EngineInfo(
            name="mms", version=f"transformers {version}", licence=LICENCE, detail=self._name, notice=NOTICE
        )

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the model's voice; of several the one that belongs to the person's index."""
        voices = self._voices()
        if speaker.voice is None:
            return voices[speaker.index % len(voices)]
        if speaker.voice not in voices:
            raise UsageError(f"mms has no voice {speaker.voice!r}; allowed: {', '.join(voices)}")
        return speaker.voice

    def _voices(self) -> list[str]:
        name, n_voices = Path(self._name).name, int(self._network.config.num_speakers)
        return [f"{name} {number}" for number in range(n_voices)] if n_voices > 1 else [name]

    def unsayable(self, text: str) -> str:
        """Return the letters, marks and digits that are not in the model's alphabet."""
        if self._tokenizer.is_uroman or self._tokenizer.phonemize:
            return "".join(dict.fromkeys(character for character in text if character.isdecimal()))
        normalised = self._tokenizer.normalize_text(text)
        known = self._tokenizer.encoder
        return "".join(dict.fromkeys(one for one in normalised if one.isalnum() and one not in known))

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, manner: Manner = Manner()) -> Spoken:  # noqa: B008
        """Write ``text`` to ``wav`` at the model's rate, outer silence trimmed; see ``SpeechEngine.say``."""
        import numpy as np

        from lipsync_core.media import write_wav

        rate = int(self._network.config.sampling_rate)
        longest = _PIECE_CHARACTERS if manner.attempt < 2 else _PIECE_CHARACTERS // 3
        pause = np.zeros(round(_PAUSE_S * rate), np.float32)
        parts: list[Waveform] = []
        for piece in split_sentences(text, longest):
            spoken = trim_silence(self._speak(piece, speaker, manner), rate)
            if spoken.size:
                parts += [pause, spoken] if parts else [spoken]
        if not parts:
            raise SpeechProblemError(f"mms voice {Path(self._name).name} finds nothing to say in it")
        waveform = np.concatenate(parts)
        write_wav(wav, waveform, rate)
        return Spoken(len(waveform), rate)

    def _speak(self, text: str, speaker: SpeakerProfile, manner: Manner) -> Waveform:
        import numpy as np
        import torch

        torch.manual_seed(
            _SEED + manner.attempt + 100 * speaker.take
        )  # the model samples; the same text must give the same take
        scale = 1 / (1 + manner.attempt)  # less noise is less lively, and safer
        self._network.noise_scale = self._noise[0] * scale
        self._network.noise_scale_duration = self._noise[1] * scale
        tokens = self._tokenizer(text, return_tensors="pt").to(self._device)
        if tokens["input_ids"].shape[1] <= 1:  # nothing but the blank between letters
            return np.zeros(0, np.float32)
        voices = self._voices()
        arguments = {"speaker_id": voices.index(self.choose_voice(speaker))} if len(voices) > 1 else {}
        usual = float(self._network.config.speaking_rate)
        try:
            with torch.inference_mode():
                output = self._network(**tokens, **arguments, speaking_rate=usual * manner.rate)
        except (RuntimeError, IndexError, ValueError) as error:
            raise SpeechProblemError(f"mms: {_words(error)}") from error
        waveform: Waveform = output.waveform[0].cpu().numpy().astype(np.float32)
        if not np.isfinite(waveform).all():
            raise SpeechProblemError("mms: the model gave samples that are no numbers")
        return waveform

    def close(self) -> None:
        """Let the model go."""
        self._network = self._tokenizer = None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _words(error: Exception) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= 200 else f"{text[:199]}…"
