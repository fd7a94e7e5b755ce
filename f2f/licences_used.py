"""The licences of everything a run used, and what they mean for its output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from f2f.models.licences import commercial_use
from f2f.results import EngineInfo, Result

if TYPE_CHECKING:
    from f2f.manifest import Job


class LicenceEntry(Result):
    """One thing that a run used, under a licence of its own."""

    stage: str
    name: str
    detail: str = ""
    licence: str
    commercial_use: bool | None
    """None where the licence's words do not tell."""


def licences_used(job: Job) -> tuple[LicenceEntry, ...]:
    """List engines, weights and programs in the order of the stages, each once for its stage."""
    entries = [entry for stage, engine in _engines(job) for entry in _entries(stage, engine)]
    return tuple({(entry.stage, entry.name): entry for entry in entries}.values())


def commercial_words(entries: Sequence[LicenceEntry]) -> str:
    """Say in one sentence whether the output may be used commercially."""
    forbidding = [f"{one.name} ({one.licence})" for one in entries if one.commercial_use is False]
    unknown = [one.detail or one.name for one in entries if one.commercial_use is None]
    if forbidding:
        return f"Not for commercial use, because of {', '.join(dict.fromkeys(forbidding))}."
    if unknown:
        theirs = ", ".join(dict.fromkeys(unknown))
        return f"Licences that are known here allow commercial use; look yourself at that of {theirs}."
    return "All of these licences allow commercial use."


def _engines(job: Job) -> Iterator[tuple[str, EngineInfo]]:
    yield "transcribe", job.transcript.engine
    yield "translate", job.translation.engine
    yield "synthesize", job.speech.engine
    if job.stretched is not None:
        yield "stretch", job.stretched.engine
    yield "lipsync", job.lips.engine
    yield "mux", job.muxed.engine
    if job.muxed.sound is not None and job.muxed.sound.separator is not None:
        yield "mux", job.muxed.sound.separator
    yield "evaluate", job.evaluation.engine


def _entries(stage: str, engine: EngineInfo) -> Iterator[LicenceEntry]:
    parts = [(engine.name, engine.detail, engine.licence)] if engine.name != "none" else []
    parts += [(one.name, "", one.licence) for one in engine.components]
    for name, detail, licence in parts:
        yield LicenceEntry(
            stage=stage, name=name, detail=detail, licence=licence, commercial_use=commercial_use(licence)
        )
