"""Speech to text by faster-whisper: Whisper in CTranslate2, windows in batches, int8 on a processor (MIT)."""

from __future__ import annotations

import ast
import functools
import importlib.util
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from f2f.engines.hub import snapshot_folders
from f2f.engines.status import EngineStatus, downloads_allowed, has_package, is_reachable, package_version
from f2f.errors import EngineUnavailableError, UsageError
from f2f.speech_regions import SAMPLE_RATE_HZ, WINDOW_S, Waveform
from f2f.words import SpokenWord, whole_words

LICENCE = "MIT"
INSTALL = 'pip install "f2f[fast]"'
_FILES = ("model.bin", "config.json", "tokenizer.json")
_HUB = "https://huggingface.co"
_GAP_S = 0.5  # of silence between the windows of a batch

# The first decodes windows together; the others one by one, as only that way of the library samples. Text of
# one window never prompts the next.
_AGAIN: Mapping[str, Any] = {"condition_on_previous_text": False, "word_timestamps": True, "best_of": 3}
DECODINGS: tuple[Mapping[str, Any], ...] = (
    {"beam_size": 5, "word_timestamps": True},
    {**_AGAIN, "temperature": [0.0, 0.4, 0.7], "no_repeat_ngram_size": 4},
    {**_AGAIN, "temperature": [0.8, 1.0], "no_repeat_ngram_size": 3, "repetition_penalty": 1.2},
)
"""Options of ``transcribe`` by attempt."""


@functools.lru_cache(maxsize=1)
def published_models() -> dict[str, str]:
    """Return name → hub repository of the models that the installed package knows, without importing it."""
    spec = importlib.util.find_spec("faster_whisper") if has_package("faster_whisper") else None
    if spec is None or spec.origin is None:
        return {}
    for node in ast.parse(Path(spec.origin).with_name("utils.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "_MODELS":
            return dict(ast.literal_eval(node.value))
    return {}


def weights_folder(model: str) -> Path | None:
    """Return the folder of ``model`` (a published name, a hub id or a folder) if it is on this machine."""
    own = Path(model).expanduser()
    folders = [own] if own.is_dir() else snapshot_folders(published_models().get(model, model))
    return next((one for one in folders if all((one / name).is_file() for name in _FILES)), None)


def status(model: str, profile: str = "auto", language: str | None = None) -> EngineStatus:
    """Say whether ``model`` can be used here; ``language`` is Whisper's own code where it is known."""

    def answer(ready: bool, reason: str, needs_download: bool = False) -> EngineStatus:
        detail = f"Whisper {model} for CTranslate2"
        return EngineStatus("faster-whisper", ready, reason, LICENCE, detail, needs_download)

    if not has_package("faster_whisper"):
        return answer(False, f"package faster-whisper is missing: {INSTALL}")
    folder, repository = weights_folder(model), published_models().get(model)
    own = Path(model).expanduser()
    if folder is None and own.exists():
        return answer(False, f"{model} is no CTranslate2 model: a folder with {', '.join(_FILES)} is needed")
    if folder is None and repository is None and model.count("/") != 1:
        return answer(False, f"no model {model!r}; take a folder or one of {', '.join(published_models())}")
    if language not in (None, "en") and model.endswith(".en"):
        return answer(False, f"model {model} knows only English: use {model[:-3]}")
    if folder is not None:
        return answer(True, f"weights in {folder}")
    command = f"f2f models pull faster-whisper-{model}" if repository else f"hf download {model}"
    if not downloads_allowed(profile):
        return answer(False, f"weights are not here and downloads are off: run {command} with a network")
    if is_reachable(f"{_HUB}/{repository or model}/resolve/main/config.json"):
        return answer(True, "weights will be fetched from the hub", needs_download=True)
    return answer(False, f"weights are not here and {_HUB} has no answer for them: run {command}")


def identity(model: str) -> str:
    """Return what tells this model from any other: hub id and commit, or sizes and times of a folder."""
    folder = weights_folder(model)
    if folder is None:
        return f"faster-whisper {published_models().get(model, model)}"
    known = [(folder / name).stat() for name in _FILES]
    sizes = " ".join(f"{one.st_size}:{one.st_mtime_ns}" for one in known)
    return f"faster-whisper {folder.resolve()} {sizes}"


def describe(model: str) -> str:
    """Name the engine with its versions, for the manifest."""
    versions = f"{package_version('faster-whisper')}, CTranslate2 {package_version('ctranslate2')}"
    return f"faster-whisper {versions}, model {Path(model).name}"


class FasterWhisperRecogniser:
    """Whisper in CTranslate2, eight windows at a time.

    Args:
        model: published name, hub id, or folder of a converted model.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"`` (for which CTranslate2 has nothing: the processor works).
        n_threads: threads on a processor, 0 lets CTranslate2 choose.

    Raises:
        EngineUnavailableError: package or weights are missing or damaged.
    """

    n_at_once = 8
    n_attempts = len(DECODINGS)
    window_s = WINDOW_S

    def __init__(self, model: str, device: str, n_threads: int = 0) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of what ctranslate2 imports
                import ctranslate2
                from faster_whisper import BatchedInferencePipeline, WhisperModel
        except ImportError as exc:
            raise EngineUnavailableError(f"faster-whisper cannot be used ({exc}): {INSTALL}") from exc
        place = {"device": "cuda", "compute_type": "float16"} if device == "cuda" else {"device": "cpu"}
        options = {"compute_type": "int8", "cpu_threads": n_threads, **place}
        try:
            self._model = WhisperModel(str(weights_folder(model) or model), **options)
        except Exception as exc:  # any of a dozen types, for files that are none of CTranslate2's
            raise EngineUnavailableError(
                f"Whisper model {model!r} cannot be loaded by CTranslate2 ({type(exc).__name__}: "
                f"{str(exc)[:200]}): fetch it again, or name another model"
            ) from exc
        ctranslate2.set_random_seed(0)
        self._pipeline = BatchedInferencePipeline(self._model)

    def detect_language(self, sounds: Sequence[Waveform]) -> str:
        """Return Whisper's code of the language that is spoken in all of ``sounds``."""
        if not self._model.model.is_multilingual:
            return "en"
        chances: dict[str, float] = {}
        for sound in sounds:
            _, _, found = self._model.detect_language(np.asarray(sound, np.float32))
            for code, chance in found:
                chances[code] = chances.get(code, 0.0) + chance
        return max(chances, key=lambda code: chances[code])

    def hear(self, sounds: Sequence[Waveform], language: str, attempt: int) -> list[list[SpokenWord]]:
        """Return the words of each window, timed from its start.

        Raises:
            UsageError: the model knows only English and another language is wanted.
        """
        if not self._model.model.is_multilingual and language != "en":
            raise UsageError(
                f"this Whisper model knows only English, not {language!r}: name one without '.en'"
            )
        if attempt == 0:
            return self._hear_together(sounds, language)
        options = {"language": language, **DECODINGS[attempt]}
        found = (self._model.transcribe(np.asarray(sound, np.float32), **options)[0] for sound in sounds)
        return [whole_words(_pieces(segments, 0.0)) for segments in found]

    def close(self) -> None:
        """Free the model's memory."""
        self._model.model.unload_model()

    def _hear_together(self, sounds: Sequence[Waveform], language: str) -> list[list[SpokenWord]]:
        gap = np.zeros(round(_GAP_S * SAMPLE_RATE_HZ), np.float32)
        joined = np.concatenate([part for sound in sounds for part in (sound, gap)])
        lengths_s = [sound.size / SAMPLE_RATE_HZ for sound in sounds]
        starts_s = [sum(lengths_s[:i]) + i * _GAP_S for i in range(len(sounds))]
        clips = [
            {"start": start_s, "end": start_s + length_s}
            for start_s, length_s in zip(starts_s, lengths_s, strict=True)
        ]
        segments, _ = self._pipeline.transcribe(
            joined, language=language, clip_timestamps=clips, batch_size=len(sounds), **DECODINGS[0]
        )
        owned: list[list[Any]] = [[] for _ in sounds]
        for segment in segments:  # its seek is its window's start in frames of 10 ms, rounded down
            owner = max(i for i, start_s in enumerate(starts_s) if int(start_s * 100) <= segment.seek)
            owned[owner].append(segment)
        return [whole_words(_pieces(mine, start_s)) for mine, start_s in zip(owned, starts_s, strict=True)]


def _pieces(segments: Iterable[Any], offset_s: float) -> list[SpokenWord]:
    """Return what Whisper calls words; a segment without any (too short to align) is one piece."""
    pieces: list[SpokenWord] = []
    for segment in segments:
        for word in segment.words or ():
            start_s, end_s = float(word.start) - offset_s, float(word.end) - offset_s
            pieces.append(SpokenWord(start_s, end_s, word.word, float(word.probability)))
        if not segment.words and segment.text.strip():
            start_s, end_s = float(segment.start) - offset_s, float(segment.end) - offset_s
            chance = float(np.exp(min(0.0, segment.avg_logprob)))
            pieces.append(SpokenWord(start_s, end_s, segment.text, chance))
    return pieces
