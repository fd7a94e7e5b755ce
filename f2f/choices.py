"""Which engine each stage will use: asked of the stages, then pinned into their configuration.

Checks, doctor and pipeline all ask here, so that what was announced is what is done. Nothing heavy is
loaded; weights are looked up, not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from f2f.config import (
    EvaluateConfig,
    LipsyncConfig,
    MuxConfig,
    SynthesizeConfig,
    TranscribeConfig,
    TranslateConfig,
)
from f2f.engines.status import Choice, EngineStatus
from f2f.errors import EngineUnavailableError
from f2f.licence_policy import choose
from f2f.request import Request
from f2f.stage_call import config_values

C = TypeVar("C", bound=BaseModel)


@dataclass(frozen=True)
class Pinned(Generic[C]):
    """A stage's configuration with ``auto`` replaced by what was chosen.

    Attributes:
        config: for the stage.
        choice: the engine and why.
    """

    config: C
    choice: Choice

    @property
    def key(self) -> dict[str, Any]:
        """Part of the stage's key: own configuration, engine, and the identity of its weights or files."""
        return {"config": config_values(self.config), "identity": self.choice.identity}

    @property
    def notice(self) -> str | None:
        """What a person must know of the choice."""
        return self.choice.notice


def pin_transcribe(request: Request) -> Pinned[TranscribeConfig]:
    """Choose how the speech of the source becomes text.

    Raises:
        EngineUnavailableError: no engine can; the message has the remedies.
        CaptionError: captions were given and cannot be used.
    """
    from f2f.stages.transcribe import plan

    config = request.config.transcribe
    choice = choose(
        "transcribe", request.config.licence, config,
        lambda own: plan(
            request.source, request.source_language, own, request.config.profile, request.targets
        ),
    )  # fmt: skip
    captions = choice.inputs[0] if choice.engine == "captions" and choice.inputs else config.captions
    return Pinned(config.model_copy(update={"engine": choice.engine, "captions": captions}), choice)


def pin_translate(request: Request, source_language: str | None, target: str) -> Pinned[TranslateConfig]:
    """Choose how text becomes text of the target language.

    Raises:
        EngineUnavailableError: no engine can; the message has the remedies.
        CaptionError: a translation was given and cannot be used.
    """
    from f2f.stages.translate import plan

    config = request.config.translate
    choice = choose(
        "translate", request.config.licence, config,
        lambda own: plan(request.source, source_language, target, own, request.config.profile),
    )  # fmt: skip
    translation = choice.inputs[0] if choice.engine == "captions" and choice.inputs else None
    return Pinned(config.model_copy(update={"engine": choice.engine, "translation": translation}), choice)


def pin_synthesize(request: Request, target: str) -> Pinned[SynthesizeConfig]:
    """Choose who speaks the target language.

    Raises:
        EngineUnavailableError: nobody can; the message has the remedies.
        UsageError: the wanted voice does not exist.
    """
    from f2f.stages.synthesize import plan

    config = request.config.synthesize
    choice = choose(
        "synthesize", request.config.licence, config, lambda own: plan(target, own, request.config.profile)
    )
    return Pinned(config.model_copy(update={"engine": choice.engine}), choice)


def pin_lipsync(request: Request, device: str) -> Pinned[LipsyncConfig]:
    """Choose the weights that move the lips; none where the request wants the picture left alone.

    Raises:
        EngineUnavailableError: the weights are not here and cannot be fetched.
        UsageError: the given file cannot be used.
    """
    from f2f.stages.lipsync import plan

    config = request.config.lipsync
    if not request.lipsync:
        config = config.model_copy(update={"engine": "none"})
    choice = choose(
        "lipsync", request.config.licence, config, lambda own: plan(own, request.config.profile, device)
    )
    config = config.model_copy(update={"dask": None})  # who makes the lips does not shape them
    # A file of the user's own stays what it is: the stage takes the path, the key has its hash.
    pinned = config if config.weights is not None else config.model_copy(update={"engine": choice.engine})
    return Pinned(pinned, choice)


def pin_mux(request: Request) -> Pinned[MuxConfig]:
    """Choose what happens to the source's sound under the dub.

    Raises:
        EngineUnavailableError: its speech is to be removed, and what does it is not here.
    """
    from f2f.stages.mux import plan

    config = request.config.mux
    choice = plan(config, request.config.profile)
    return Pinned(config.model_copy(update={"background": choice.engine}), choice)


def pin_evaluate(request: Request, device: str) -> Pinned[EvaluateConfig]:
    """Choose the SyncNet that measures.

    Raises:
        EngineUnavailableError: its weights are not here and cannot be fetched.
    """
    from f2f.stages.evaluate import plan

    config = request.config.evaluate
    choice = choose(
        "evaluate", request.config.licence, config, lambda own: plan(own, request.config.profile, device)
    )
    return Pinned(config.model_copy(update={"syncnet": choice.engine}), choice)


def list_statuses(request: Request, target: str | None) -> dict[str, tuple[EngineStatus, ...]]:
    """Return what every engine says of itself, by stage; for ``target`` where one is given."""
    from f2f.engines import demucs_separation
    from f2f.languages import find_language, parse_language
    from f2f.speakers import diarizer_statuses
    from f2f.stages import evaluate, lipsync, synthesize, transcribe, translate

    config, spoken = request.config, find_language(request.source_language)
    translated = parse_language(target or ("hi" if spoken is None or spoken.code != "hi" else "en"))
    speech = TranscribeConfig(whisper_model=config.transcribe.whisper_model)
    return {
        "transcribe": transcribe.list_engines(request.source, spoken, speech, config.profile, None),
        "speakers": diarizer_statuses(),
        "translate": translate.list_engines(spoken, translated, TranslateConfig(), config.profile, None),
        "synthesize": synthesize.list_engines(target, config.synthesize, config.profile),
        "lipsync": _statuses(lambda: lipsync.plan(LipsyncConfig(), config.profile, "cpu")),
        "mux": (demucs_separation.status(config.mux.separation_model, config.profile),),
        "evaluate": _statuses(lambda: evaluate.plan(EvaluateConfig(), config.profile, "cpu")),
    }


def _statuses(plan: Callable[[], Choice]) -> tuple[EngineStatus, ...]:
    try:
        return plan().statuses
    except EngineUnavailableError as error:
        return (EngineStatus("weights", ready=False, reason=str(error)),)
