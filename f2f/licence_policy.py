"""``licence: permissive``: no weights whose licence forbids commercial use, unless nothing was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from f2f.engines.status import Choice, EngineStatus
from f2f.errors import EngineUnavailableError, UsageError
from f2f.models.licences import commercial_use

C = TypeVar("C", bound=BaseModel)

_KEYS = {
    "transcribe": ("engine", "--asr"),
    "translate": ("engine", "--mt"),
    "synthesize": ("engine", "--tts"),
    "lipsync": ("engine", "--lips"),
    "evaluate": ("syncnet", "--set evaluate.syncnet="),
}
"""By stage: the key of its configuration that names the engine, and the option that sets it."""


def choose(stage: str, licence: str, config: C, plan: Callable[[C], Choice]) -> Choice:
    """Return the stage's own choice, or with ``permissive`` the best whose licence allows commercial use.

    Args:
        stage: name of the stage.
        licence: ``"any"`` or ``"permissive"``.
        config: of the stage, as the user gave it.
        plan: the stage's choice for a configuration.

    Raises:
        UsageError: a non-commercial engine or model was named.
        EngineUnavailableError: no other engine can do the work; the message has the remedies.
    """
    if licence == "any":
        return plan(config)
    key, _ = _KEYS[stage]
    named = getattr(config, key) != "auto" or getattr(config, "model", None) is not None
    if named and (known := _known_licence(stage, config)):
        raise UsageError(_refusal(stage, getattr(config, key), known))
    choice = plan(config)
    status = _status(choice)
    if status is None or commercial_use(status.licence) is not False:
        return _with_doubt(choice, status)
    if named:
        name = getattr(config, "model", None) or status.name
        raise UsageError(_refusal(stage, name, status.licence))
    return _next_best(stage, config, plan, choice)


def _next_best(stage: str, config: C, plan: Callable[[C], Choice], choice: Choice) -> Choice:
    """Ask for the other engines by name: those that are here first."""
    key, _ = _KEYS[stage]
    passed = [one for one in choice.statuses if one.ready and commercial_use(one.licence) is False]
    others = [one for one in choice.statuses if commercial_use(one.licence) is not False]
    reasons = []
    for other in sorted(others, key=lambda one: (not one.ready, one.needs_download)):
        try:
            found = plan(config.model_copy(update={key: other.name}))
        except EngineUnavailableError as error:
            reasons.append(str(error))
            continue
        words = [*(f"{one.name} is passed over: {_why(one.licence)}" for one in passed), found.notice]
        return replace(found, notice="; ".join(word for word in words if word))
    told = "; ".join([*(f"{one.name}: {_why(one.licence)}" for one in passed), *reasons])
    raise EngineUnavailableError(
        f"nothing else here can {stage} under --licence permissive ({told}); make another engine ready, or "
        "say --licence any"
    )


def _status(choice: Choice) -> EngineStatus | None:
    return next((one for one in choice.statuses if one.name == choice.engine), None)


def _known_licence(stage: str, config: BaseModel) -> str | None:
    """Return the licence of a named engine's own weights if it forbids commercial use: known without them."""
    from f2f.models.registry import all_models

    named: Any = getattr(config, _KEYS[stage][0])
    if getattr(config, "model", None) is not None:
        return None
    fetched = [model for model in all_models() if not model.made_from]
    licences = [model.licence for model in fetched if (model.stage, model.engine) == (stage, named)]
    forbidding = [licence for licence in licences if commercial_use(licence) is False]
    return forbidding[0] if forbidding and len(forbidding) == len(licences) else None


def _with_doubt(choice: Choice, status: EngineStatus | None) -> Choice:
    """Say where nobody here knows the licence: of a model or file of the user's own."""
    if status is None or not status.licence or commercial_use(status.licence) or status.name == "captions":
        return choice
    doubt = f"{status.name}: its licence is not known here ({status.licence}); see that it is permissive"
    return replace(choice, notice="; ".join(word for word in (choice.notice, doubt) if word))


def _refusal(stage: str, name: str, licence: str) -> str:
    option = _KEYS[stage][1]
    back = f"{option}auto" if option.endswith("=") else f"{option} auto"
    return (
        f"{name} was named for {stage}, but {_why(licence)}, and --licence permissive was asked for: leave "
        f"the choice to {back}, or say --licence any"
    )


def _why(licence: str) -> str:
    return f"its licence ({licence}) does not allow commercial use"
