"""What happens to the source's own sound under the dub: chosen before the work, planned from results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from f2f.background import Presence, dubbed_spans, undubbed_spans
from f2f.config import MuxConfig
from f2f.engines import demucs_separation
from f2f.engines.status import Choice, EngineStatus, require_ready
from f2f.mixing import MixPlan
from f2f.results import FittedSpeech, Transcript, Translation


@dataclass(frozen=True)
class Material:
    """What is mixed.

    Attributes:
        source: whose first sound is the background.
        fitted_folder: where ``fitted.wav`` lies.
    """

    source: Path
    transcript: Transcript
    translation: Translation
    fitted: FittedSpeech
    fitted_folder: Path


def choose_background(config: MuxConfig, profile: str) -> Choice:
    """Choose what happens to the source's sound under the dub; nothing heavy is loaded.

    Raises:
        EngineUnavailableError: separation is asked for and cannot be done here.
    """
    wanted, model = config.background, config.separation_model
    duck = EngineStatus("duck", True, f"the source's sound is lowered by {config.duck_db:g} dB", "MIT")
    if wanted in ("duck", "none"):
        return Choice(wanted, wanted, (duck,))
    separate = demucs_separation.status(model, profile)
    if wanted == "separate":
        require_ready(separate)
    elif profile == "embedded" and not demucs_separation.is_file_name(model):
        reason = "profile embedded uses only what is inside the installed packages"
        separate = replace(separate, ready=False, reason=reason)
    if separate.ready:
        return Choice("separate", demucs_separation.identity(model), (separate, duck))
    notice = (
        f"the speaker's own voice stays audible, {config.duck_db:g} dB lower, under the dub: "
        f"it is not removed ({separate.reason})"
    )
    return Choice("duck", "duck", (separate, duck), notice)


def plan_mix(material: Material, config: MuxConfig, end_s: float, device: str) -> MixPlan:
    """Return what `f2f.mixing.write_mix` needs; a separator is loaded here where one is wanted.

    Args:
        material: results of the stages before.
        config: of the mux stage; ``auto`` is decided here.
        end_s: length of the finished sound.
        device: on which a separator runs.

    Raises:
        EngineUnavailableError: speech is to be removed, and what does it is not here.
    """
    method = choose_background(config, "auto").engine
    separator = info = None
    if method == "separate":
        separator = demucs_separation.DemucsSeparator(config.separation_model, device)
        info = demucs_separation.engine_info(config.separation_model)
    parts = (material.transcript, material.translation, material.fitted)
    segments = (*material.transcript.segments, *(one.segment for one in material.translation.segments))
    return MixPlan(
        source=material.source,
        dub=material.fitted_folder / material.fitted.wav,
        end_s=end_s,
        presence=Presence(tuple(dubbed_spans(*parts))),
        own_speech=tuple(undubbed_spans(*parts)),
        speech=tuple((segment.start_s, segment.end_s) for segment in segments),
        method=cast(Literal["separate", "duck", "none"], method),
        duck_db=config.duck_db,
        source_gain_db=material.fitted.source_gain_db,
        target_lufs=None if config.loudness_lufs == "source" else config.loudness_lufs,
        separator=separator,
        separator_info=info,
    )
