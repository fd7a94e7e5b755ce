"""Who speaks when: one interface over all engines that tell speakers apart.

Voice tags in captions come first and need no engine. Without them pyannote.audio, where it is installed and
its weights are here; else embeddings of voices, where the package with the weights is installed; else
clustering of the sound alone, which needs nothing and is said to be the lesser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from f2f.config import TranscribeConfig
from f2f.cues import Cue
from f2f.engines.status import EngineStatus, require_ready
from f2f.results import Component, EngineInfo
from f2f.speakers import pyannote_turns, voice_encoder
from f2f.speakers.turns import Turn, label_words, speaker_at, speaker_name

if TYPE_CHECKING:
    from f2f.speech_regions import Region, Waveform

__all__ = [
    "Turn",
    "choose_diarizer",
    "credit_diarizer",
    "diarizer_for_captions",
    "diarizer_identity",
    "diarizer_statuses",
    "find_turns",
    "label_cues",
    "label_words",
]

_CLUSTERS_NOTICE = (
    "{n} speakers were told apart by timbre alone, without a trained network: on clean clips of two to five "
    "people 13 % of the time went to the wrong one (6 % where their number was given); say "
    "how many people speak with --speakers N (1: do not tell apart), or let a network do it: "
    f"{voice_encoder.INSTALL}"
)


def diarizer_statuses() -> tuple[EngineStatus, ...]:
    """Say of every engine whether it can be used here, best first."""
    reason = "works on the sound alone; voices that are alike are taken for one"
    timbre = EngineStatus("clusters", True, reason, "MIT", "BIC clustering of MFCC")
    return pyannote_turns.status(), voice_encoder.status(), timbre


def choose_diarizer(config: TranscribeConfig) -> str:
    """Return the engine that ``config`` stands for: ``"none"`` where one person is said to speak.

    Raises:
        EngineUnavailableError: the wanted engine cannot be used; the message has the remedy.
    """
    if config.speakers == 1:
        return "none"
    statuses = diarizer_statuses()
    if config.diarizer == "auto":
        return next(one.name for one in statuses if one.ready)
    return require_ready(next(one for one in statuses if one.name == config.diarizer)).name


def diarizer_for_captions(cues: Sequence[Cue], config: TranscribeConfig) -> str:
    """Return the engine for captions: ``"none"`` where they name speakers, or nobody asks for several.

    Raises:
        EngineUnavailableError: as :func:`choose_diarizer`.
    """
    if config.speakers == "auto" or any(cue.speaker for cue in cues):
        return "none"
    return choose_diarizer(config)


def diarizer_identity(name: str) -> str:
    """Return what tells this engine and its weights from any other, for the key of the transcript."""
    own = {"pyannote": pyannote_turns.identity, "embeddings": voice_encoder.identity}
    return f"speakers by {own[name]() if name in own else f'{name} 1'}"


def find_turns(
    name: str,
    waveform: Waveform,
    regions: Sequence[Region],
    config: TranscribeConfig,
    device: str,
    notice: Callable[[str], None],
) -> list[Turn]:
    """Return who speaks when, numbered in order of appearance; nothing where only one person speaks.

    Args:
        name: from :func:`choose_diarizer`.
        waveform: (N,) float32 in -1...1 at 16 kHz.
        regions: stretches with speech.
        config: says how many people speak.
        device: where networks run.
        notice: told what a person must know.

    Raises:
        EngineUnavailableError: the engine cannot be used.
    """
    wanted = None if config.speakers == "auto" else config.speakers
    if name == "none":
        return []
    if name == "pyannote":
        turns = pyannote_turns.find_turns(waveform, wanted, device)
    elif name == "embeddings":
        from f2f.speakers.embedding_turns import find_turns as compare
        from f2f.speakers.voice_encoder import VoiceEncoder

        turns = compare(waveform, regions, VoiceEncoder(device), wanted)
    else:
        from f2f.speakers.clustering import find_turns as cluster

        turns = cluster(waveform, regions, wanted)
    n_found = len({turn.speaker for turn in turns})
    if wanted is not None and n_found < wanted:
        notice(f"{wanted} speakers were wanted, but {n_found} could be told apart")
    if n_found < 2:
        return []
    notice(
        _CLUSTERS_NOTICE.format(n=n_found) if name == "clusters" else f"{n_found} speakers were told apart"
    )
    return turns


def label_cues(cues: Sequence[Cue], turns: Sequence[Turn]) -> list[Cue]:
    """Return captions with the speakers ``"S1"``, ``"S2"`` … who speak most of the time they are shown."""
    if not turns:
        return list(cues)
    return [replace(cue, speaker=speaker_name(speaker_at(turns, cue.start_s, cue.end_s))) for cue in cues]


def credit_diarizer(info: EngineInfo, name: str, turns: Sequence[Turn]) -> EngineInfo:
    """Return ``info`` with the engine that told speakers apart and the licence of its weights."""
    if not turns:
        return info
    used = next(one for one in diarizer_statuses() if one.name == name)
    detail, part = f"{info.detail}; speakers by {used.detail}", Component(name=name, licence=used.licence)
    return info.model_copy(update={"detail": detail, "components": (*info.components, part)})
