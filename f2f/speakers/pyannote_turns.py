"""Who speaks when, by pyannote.audio (MIT) and its community pipeline: https://github.com/pyannote/pyannote-audio."""

from __future__ import annotations

import os
from pathlib import Path

from f2f.engines.hub import snapshot_folders
from f2f.engines.status import EngineStatus, has_package, package_version
from f2f.errors import EngineUnavailableError
from f2f.speakers.turns import Turn
from f2f.speech_regions import SAMPLE_RATE_HZ, Waveform

MODEL = "pyannote/speaker-diarization-community-1"
LICENCE = "CC-BY-4.0"
INSTALL = 'pip install "pyannote.audio>=4"'
_FETCH = (
    f"accept its conditions on https://huggingface.co/{MODEL}, then run hf auth login and "
    f"f2f models pull {MODEL}"
)


def status() -> EngineStatus:
    """Say whether it can be used here; its weights are behind conditions that only a person can accept."""

    def answer(ready: bool, reason: str) -> EngineStatus:
        return EngineStatus("pyannote", ready, reason, LICENCE, MODEL)

    if not has_package("pyannote.audio"):
        return answer(False, f"package pyannote.audio is missing: {INSTALL}")
    major = package_version("pyannote.audio").partition(".")[0]
    if major.isdigit() and int(major) < 4:
        return answer(False, f"pyannote.audio {package_version('pyannote.audio')} is too old: {INSTALL}")
    folder = weights_folder()
    if folder is None:
        return answer(False, f"weights of {MODEL} are not here: {_FETCH}")
    return answer(True, f"weights in {folder}")


def weights_folder() -> Path | None:
    """Return the folder of the pipeline in the hub's cache, None where it was not fetched."""
    return next((one for one in snapshot_folders(MODEL) if (one / "config.yaml").is_file()), None)


def identity() -> str:
    """Return what tells this engine and its weights from any other."""
    folder = weights_folder()
    return f"pyannote {package_version('pyannote.audio')} {folder.name if folder else 'missing'}"


def find_turns(waveform: Waveform, n_speakers: int | None, device: str) -> list[Turn]:
    """Return who speaks when, in order, one person at a time, numbered in order of appearance.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz.
        n_speakers: how many people speak, None finds out.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        EngineUnavailableError: package or weights are missing or damaged.
    """
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")  # it reports its use otherwise
    import torch

    folder = weights_folder()
    try:
        from pyannote.audio import Pipeline
    except (ImportError, OSError) as exc:
        raise EngineUnavailableError(f"pyannote.audio cannot be used ({exc}): {INSTALL}") from exc
    try:
        pipeline = None if folder is None else Pipeline.from_pretrained(str(folder))
    except Exception as exc:  # any of a dozen types, for files that are none of its own
        raise EngineUnavailableError(
            f"{MODEL} cannot be loaded ({type(exc).__name__}: {str(exc)[:200]}): fetch it again: {_FETCH}"
        ) from exc
    if pipeline is None:
        raise EngineUnavailableError(f"weights of {MODEL} are not here: {_FETCH}")
    pipeline.to(torch.device(device))
    sound = {"waveform": torch.from_numpy(waveform)[None], "sample_rate": SAMPLE_RATE_HZ}
    found = pipeline(sound, **({} if n_speakers is None else {"num_speakers": n_speakers}))
    tracks = found.exclusive_speaker_diarization.itertracks(yield_label=True)
    turns = sorted(((span.start, span.end, label) for span, _, label in tracks), key=lambda one: one[:2])
    numbers: dict[object, int] = {}
    return [
        Turn(float(start_s), float(end_s), numbers.setdefault(label, len(numbers)))
        for start_s, end_s, label in turns
    ]
