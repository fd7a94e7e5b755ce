"""Speech to text by openai-whisper: https://arxiv.org/abs/2212.04356, code and weights MIT."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from f2f.cues import Cue, clean_lines, ends_sentence, join_texts
from f2f.engines.fetch import fetch_verified
from f2f.engines.status import (
    STANDARD_INSTALL,
    EngineStatus,
    downloads_allowed,
    has_package,
    is_reachable,
    package_version,
)
from f2f.errors import EngineUnavailableError, UsageError

LICENCE = "MIT"
SAMPLE_RATE_HZ = 16_000
# Longer files are recognised in pieces of this length, so that memory does not grow with the video.
BLOCK_S = 120.0
_CUT_SEARCH_S = 20.0
_SILENCE_RMS = 1e-4  # -80 dBFS: nothing was recorded, and Whisper invents text for such stretches

Waveform = npt.NDArray[np.float32]
Progress = Callable[[float, float], None]

# Thresholds are those of the paper (section 4.5); text of one window does not prompt the next, because an
# error would then be repeated to the end (the repository's own advice against "failure loops").
DECODING: Mapping[str, Any] = {
    "temperature": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "compression_ratio_threshold": 2.4,
    "logprob_threshold": -1.0,
    "no_speech_threshold": 0.6,
    "condition_on_previous_text": False,
    "word_timestamps": True,
    "hallucination_silence_threshold": 2.0,
}


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
    command = f'python -c "import whisper; whisper.load_model({model!r})"'
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


def detect_language(model: Any, waveform: Waveform) -> str:
    """Return Whisper's code of the language spoken in up to three 30 s windows spread over the recording."""
    import torch
    import whisper

    if not model.is_multilingual:
        return "en"
    window = 30 * SAMPLE_RATE_HZ
    starts = {max(0, int(share * waveform.size) - window // 2) for share in (1 / 6, 1 / 2, 5 / 6)}
    chances: dict[str, float] = {}
    for start in sorted(starts):
        piece = torch.from_numpy(np.array(waveform[start : start + window], np.float32))
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(piece), model.dims.n_mels)
        _, found = model.detect_language(mel.to(model.device))
        for code, chance in found.items():
            chances[code] = chances.get(code, 0.0) + chance
    return max(chances, key=lambda code: chances[code])


def recognise(
    model: Any,
    waveform: Waveform,
    language: str,
    progress: Progress | None = None,
    decoding: Mapping[str, Any] = DECODING,
) -> list[Cue]:
    """Return what is said in ``waveform``, cut at sentence ends.

    Args:
        model: from :func:`load_model`.
        waveform: (N,) float32 in -1...1 at 16 kHz; may be mapped from a file, it is read in blocks.
        language: Whisper's code.
        progress: called with seconds done and seconds in all.
        decoding: options of ``whisper.transcribe``.

    Raises:
        UsageError: the model knows only English and another language is wanted.
    """
    import whisper

    if not model.is_multilingual and language != "en":
        raise UsageError(f"this Whisper model knows only English, not {language!r}: name one without '.en'")
    cues: list[Cue] = []
    for first, last in cut_blocks(waveform):
        block = np.array(waveform[first:last], np.float32)
        if block.size and float(np.sqrt(np.mean(np.square(block)))) > _SILENCE_RMS:
            fp16 = model.device.type == "cuda"
            found = whisper.transcribe(model, block, language=language, fp16=fp16, verbose=None, **decoding)
            cues += [cue for segment in found["segments"] for cue in _cues(segment, first / SAMPLE_RATE_HZ)]
        _tell(progress, last / SAMPLE_RATE_HZ, waveform.size / SAMPLE_RATE_HZ)
    return cues


def cut_blocks(waveform: Waveform, block_s: float = BLOCK_S) -> Iterator[tuple[int, int]]:
    """Yield (first, last) samples of blocks of at most ``block_s``, cut where it is quietest near the end."""
    frame = SAMPLE_RATE_HZ // 5
    size, reach = int(block_s * SAMPLE_RATE_HZ), int(min(_CUT_SEARCH_S, block_s / 2) * SAMPLE_RATE_HZ)
    first = 0
    while waveform.size - first > size:
        tail = np.array(waveform[first + size - reach : first + size], np.float32)
        energy = np.square(tail[: tail.size // frame * frame]).reshape(-1, frame).sum(axis=1)
        last = first + size - reach + int(energy.argmin()) * frame + frame // 2
        yield first, last
        first = last
    if waveform.size > first:
        yield first, waveform.size


def describe(model: str) -> str:
    """Name the engine with its version, for the manifest."""
    return f"openai-whisper {package_version('openai-whisper')}, model {Path(model).name}"


def _tell(progress: Progress | None, done: float, total: float | None) -> None:
    if progress and total:
        progress(done, total)


def _cues(segment: Mapping[str, Any], offset_s: float) -> list[Cue]:
    """Cut one of Whisper's segments where a sentence ends, by the times of its words."""
    words = [word for word in segment.get("words") or () if word["word"].strip()]
    if not words:
        chance = float(np.exp(min(0.0, segment["avg_logprob"])))
        words = [
            {"word": segment["text"], "start": segment["start"], "end": segment["end"], "probability": chance}
        ]
    cues: list[Cue] = []
    begin = 0
    for i, word in enumerate(words):
        if i + 1 < len(words) and not ends_sentence(word["word"]):
            continue
        part, begin = words[begin : i + 1], i + 1
        text = _text(part)
        start_s, end_s = float(part[0]["start"]) + offset_s, float(part[-1]["end"]) + offset_s
        if text and end_s > start_s:
            confidence = float(np.mean([one["probability"] for one in part]))
            cues.append(Cue(start_s, end_s, text, confidence=confidence))
    return cues


def _text(words: list[Mapping[str, Any]]) -> str:
    """Return the spoken text; Whisper's words bring their own leading spaces, and notes such as "[Music]"."""
    lines, _ = clean_lines("".join(word["word"] for word in words))
    text = ""
    for line in lines:
        text = join_texts(text, line)
    return text
