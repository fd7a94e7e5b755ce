"""All recognisers of speech by name: the one place that knows which there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from f2f import speech_regions
from f2f.engines import faster_whisper_asr, sphinx, whisper_asr
from f2f.engines.recogniser import Recogniser
from f2f.engines.status import EngineStatus, package_version
from f2f.languages import Language
from f2f.results import Component, EngineInfo

WHISPERS = {"faster-whisper": faster_whisper_asr, "whisper": whisper_asr}
"""Modules of the engines that run Whisper, the faster first; they share names of models and languages."""


def recogniser_statuses(model: str, profile: str, language: Language | None) -> tuple[EngineStatus, ...]:
    """Say of every recogniser whether it could be used, best first.

    Args:
        model: Whisper model: name, checkpoint or folder.
        profile: ``"auto"`` or ``"embedded"``.
        language: what is spoken, None where not known.
    """
    code = language.whisper if language else None
    whispers = [engine.status(model, profile, code) for engine in WHISPERS.values()]
    if language is not None and code is None:
        whispers = [replace(one, ready=False, reason=f"does not know {language}") for one in whispers]
    return *whispers, sphinx.status(language)


def recogniser_identity(name: str, model: str) -> str:
    """Return what tells this recogniser, its weights and the detector of speech before it from any other."""
    own = WHISPERS[name].identity(model) if name in WHISPERS else sphinx.identity()
    return f"{own}, {speech_regions.identity()}"


def load_recogniser(
    name: str, model: str, device: str, progress: Callable[[float, float], None]
) -> Recogniser:
    """Load an engine.

    Args:
        name: ``"faster-whisper"``, ``"whisper"`` or ``"sphinx"``.
        model: Whisper model.
        device: resolved device.
        progress: told of a download in MB done and MB in all.

    Raises:
        EngineUnavailableError: package or weights are missing or damaged.
    """
    if name == "sphinx":
        return sphinx.SphinxRecogniser()
    if name == "faster-whisper":
        return faster_whisper_asr.FasterWhisperRecogniser(model, device)
    return whisper_asr.WhisperRecogniser(model, device, lambda done, total: progress(done / 1e6, total / 1e6))


def recogniser_info(name: str, model: str) -> EngineInfo:
    """Describe the engine, and the detector of speech before it, for manifest and report."""
    detector = Component(name=speech_regions.identity(), licence=speech_regions.LICENCE)
    if name == "sphinx":
        return EngineInfo(
            name=name,
            version=package_version("pocketsphinx"),
            licence=sphinx.LICENCE,
            detail=sphinx.describe(),
            notice=sphinx.NOTICE,
            components=(detector,),
        )
    package = "openai-whisper" if name == "whisper" else name
    return EngineInfo(
        name=name,
        version=package_version(package),
        licence=WHISPERS[name].LICENCE,
        detail=WHISPERS[name].describe(model),
        components=(detector,),
    )
