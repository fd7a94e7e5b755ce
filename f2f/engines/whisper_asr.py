"""Speech to text by openai-whisper: https://arxiv.org/abs/2212.04356, code and weights MIT."""

from __future__ import annotations

import ast
import functools
import gc
import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from f2f.engines.fetch import fetch_verified
from f2f.engines.status import (
    STANDARD_INSTALL,
    EngineStatus,
    downloads_allowed,
    has_package,
    is_reachable,
    package_version,
)
from f2f.engines.whisper_batches import decode_together
from f2f.errors import EngineUnavailableError, UsageError
from f2f.speech_regions import WINDOW_S, Waveform
from f2f.words import SpokenWord, whole_words

LICENCE = "MIT"
Progress = Callable[[float, float], None]

# Thresholds are those of the paper (section 4.5); text of one window does not prompt the next, because an
# error would then be repeated to the end (the repository's own advice against "failure loops").
_COMMON: Mapping[str, Any] = {
    "compression_ratio_threshold": 2.4,
    "logprob_threshold": -1.0,
    "no_speech_threshold": 0.6,
    "condition_on_previous_text": False,
    "word_timestamps": True,
    "hallucination_silence_threshold": 2.0,
}
DECODINGS: tuple[Mapping[str, Any], ...] = (
    {**_COMMON, "temperature": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)},
    {**_COMMON, "temperature": (0.4, 0.7), "best_of": 3},
    {**_COMMON, "temperature": (0.8, 1.0), "best_of": 3, "no_speech_threshold": None},
)
"""Options of ``whisper.transcribe`` by attempt."""
N_AT_ONCE = {"cpu": 4, "cuda": 8}
"""Windows decoded together, by device; each takes memory (110 MB for keys and values of "small" in fp32)."""


@functools.lru_cache(maxsize=1)
def published_models() -> dict[str, str]:
    """Return name → URL of the models that the installed package can fetch, without importing it."""
    spec = importlib.util.find_spec("whisper") if has_package("whisper") else None
    if spec is None or spec.origin is None:
        return {}
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "_MODELS":
            return dict(ast.literal_eval(node.value))
    return {}


def cache_folder() -> Path:
    """Where openai-whisper keeps its weights."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def weights_path(model: str) -> Path | None:
    """Return the weights of ``model`` (a published name or a file) if they are on this machine."""
    url = published_models().get(model)
    path = cache_folder() / url.rsplit("/", 1)[1] if url else Path(model).expanduser()
    return path if path.is_file() and path.stat().st_size > 0 else None


def status(model: str, profile: str = "auto", language: str | None = None) -> EngineStatus:
    """Say whether ``model`` can be used here; ``language`` is Whisper's own code where it is known."""

    def answer(ready: bool, reason: str, needs_download: bool = False) -> EngineStatus:
        return EngineStatus("whisper", ready, reason, LICENCE, f"Whisper {model}", needs_download)

    if not has_package("whisper"):
        return answer(False, f"package openai-whisper is missing: {STANDARD_INSTALL}")
    names, path = published_models(), weights_path(model)
    if model not in names and path is None:
        return answer(
            False, f"no Whisper model {model!r}; take a checkpoint file or one of {', '.join(names)}"
        )
    if language not in (None, "en") and model.endswith(".en"):
        return answer(False, f"model {model} knows only English: use {model[:-3]}")
    if path is not None:
        return answer(True, f"weights in {path}")
    command = f"f2f models pull whisper-{model}"
    if not downloads_allowed(profile):
        return answer(False, f"weights are not here and downloads are off: run {command} with a network")
    if is_reachable(names[model]):
        return answer(True, f"weights will be fetched into {cache_folder()}", needs_download=True)
    return answer(
        False, f"weights are not here and {names[model].split('/')[2]} does not answer: run {command}"
    )


def identity(model: str) -> str:
    """Return what tells this model from any other: the published hash, or size and time of a file."""
    url = published_models().get(model)
    if url:
        return f"whisper {model} {url.split('/')[-2]}"
    path = Path(model).expanduser()
    known = path.stat() if path.is_file() else None
    return f"whisper {path.resolve()} {known.st_size if known else 0} {known.st_mtime_ns if known else 0}"


def load_model(model: str, device: str, progress: Progress | None = None) -> Any:
    """Load a model, fetching its weights first where they are not here.

    Raises:
        EngineUnavailableError: package or weights are missing or damaged.
    """
    if weights_path(model) is None and model in published_models():
        url = published_models()[model]
        target = cache_folder() / url.rsplit("/", 1)[1]
        fetch_verified(url, target, url.split("/")[-2], lambda done, total: _tell(progress, done, total))
    try:
        import whisper
    except ImportError as exc:
        raise EngineUnavailableError(f"openai-whisper cannot be used ({exc}): {STANDARD_INSTALL}") from exc
    try:
        return whisper.load_model(model, device=device)
    except Exception as exc:  # any of a dozen types, for a file that is none of Whisper's
        raise EngineUnavailableError(
            f"Whisper model {model!r} cannot be loaded ({type(exc).__name__}: {str(exc)[:200]}): delete "
            f"{weights_path(model)} and run again, or name another model"
        ) from exc


class WhisperRecogniser:
    """Whisper in PyTorch, windows in batches.

    Args:
        model: published name or checkpoint file.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        progress: told of a download in bytes done and bytes in all.

    Raises:
        EngineUnavailableError: package or weights are missing or damaged.
    """

    window_s = WINDOW_S
    n_attempts = len(DECODINGS)

    def __init__(self, model: str, device: str, progress: Progress | None = None) -> None:
        # Word times need float64, which mps lacks.
        self._model = load_model(model, "cpu" if device == "mps" else device, progress)
        self.n_at_once = N_AT_ONCE.get(device, N_AT_ONCE["cpu"])

    def detect_language(self, sounds: Sequence[Waveform]) -> str:
        """Return Whisper's code of the language that is spoken in all of ``sounds``."""
        import torch
        import whisper

        if not self._model.is_multilingual:
            return "en"
        chances: dict[str, float] = {}
        for sound in sounds:
            mel = whisper.log_mel_spectrogram(
                whisper.pad_or_trim(torch.from_numpy(sound)), self._model.dims.n_mels
            )
            _, found = self._model.detect_language(mel.to(self._model.device))
            for code, chance in found.items():
                chances[code] = chances.get(code, 0.0) + chance
        return max(chances, key=lambda code: chances[code])

    def hear(self, sounds: Sequence[Waveform], language: str, attempt: int) -> list[list[SpokenWord]]:
        """Return the words of each window, timed from its start.

        Raises:
            UsageError: the model knows only English and another language is wanted.
        """
        import whisper

        if not self._model.is_multilingual and language != "en":
            raise UsageError(
                f"this Whisper model knows only English, not {language!r}: name one without '.en'"
            )
        fp16 = self._model.device.type == "cuda"
        options = {"language": language, "fp16": fp16, "verbose": None, **DECODINGS[attempt]}
        models = [self._model] * len(sounds)
        if attempt == 0 and len(sounds) > 1:
            models = decode_together(self._model, sounds, options)
        pairs = zip(models, sounds, strict=True)
        found = (whisper.transcribe(model, sound, **options)["segments"] for model, sound in pairs)
        return [whole_words(_pieces(segments)) for segments in found]

    def close(self) -> None:
        """Free the model's memory."""
        free_model(self)


def free_model(owner: Any) -> None:
    """Drop ``owner._model`` and give its memory back, on a graphics processor too."""
    import torch

    owner._model = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def describe(model: str) -> str:
    """Name the engine with its version, for the manifest."""
    return f"openai-whisper {package_version('openai-whisper')}, model {Path(model).name}"


def _tell(progress: Progress | None, done: float, total: float | None) -> None:
    if progress and total:
        progress(done, total)


def _pieces(segments: Iterable[Mapping[str, Any]]) -> list[SpokenWord]:
    """Return what Whisper calls words; a segment without any (too short to align) is one piece."""
    pieces: list[SpokenWord] = []
    for segment in segments:
        words = segment.get("words") or (
            {**segment, "word": segment["text"], "probability": np.exp(min(0.0, segment["avg_logprob"]))},
        )
        pieces += [
            SpokenWord(float(one["start"]), float(one["end"]), one["word"], float(one["probability"]))
            for one in words
        ]
    return pieces
