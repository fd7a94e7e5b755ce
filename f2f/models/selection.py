"""Which models a translation into a language would use: the first of each stage that may be taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from f2f.config import Config
from f2f.engines import mms
from f2f.engines.coqui_models import has_agreed
from f2f.engines.status import has_package
from f2f.errors import UsageError
from f2f.languages import Language, parse_language
from f2f.models.registry import Model, find_model, marian_name


@dataclass
class Selection:
    """Models for one language.

    Attributes:
        models: one for each stage that has any.
        notes: what was passed over, and why.
    """

    models: list[Model] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def select_for(target: str, source: str | None, config: Config) -> Selection:
    """Choose models for a target language.

    Args:
        target: language to translate into, as code or English name.
        source: spoken language, None where it is not known; Marian's models are for pairs.
        config: names the Whisper model; ``licence: permissive`` passes over non-commercial weights.

    Raises:
        UsageError: unknown language.
    """
    whisper = config.transcribe.whisper_model
    wanted, spoken = parse_language(target), parse_language(source) if source else None
    selection = Selection()
    for names in (
        [f"faster-whisper-{whisper}", f"whisper-{whisper}"],
        _translators(wanted, spoken),
        _voices(wanted),
        ["wav2lip_gan"],
        ["htdemucs"],
        ["syncnet_v2"],
    ):
        _take_first(names, config, selection)
    return selection


def _take_first(names: list[str], config: Config, selection: Selection) -> None:
    for name in names:
        try:
            model = find_model(name)
        except UsageError:  # a file of one's own as whisper_model, or a package that is not installed
            continue
        obstacle = _obstacle(model, config)
        if obstacle is None:
            selection.models.append(model)
            return
        selection.notes.append(f"{model.name} is passed over: {obstacle}")


def _obstacle(model: Model, config: Config) -> str | None:
    if config.licence == "permissive" and model.commercial_use is False:
        return f"its licence ({model.licence}) does not allow commercial use"
    if model.package and not has_package(model.package):
        return f"the package {model.package} of its engine {model.engine} is not installed"
    return unmet_agreement(model)


def unmet_agreement(model: Model) -> str | None:
    """Return what must be agreed to before this model is fetched, None where nothing is, or it was."""
    return model.agreement if model.agreement and not has_agreed() else None


def _translators(target: Language, spoken: Language | None) -> list[str]:
    if spoken is not None and spoken.primary == target.primary:
        return []
    names = [name for name, code in (
        ("nllb-200-distilled-600M", target.nllb), ("m2m100_418M", target.m2m100),
    ) if code]  # fmt: skip
    return [*names, marian_name(spoken.marian_pair(target))] if spoken else names


def _voices(target: Language) -> list[str]:
    voice = mms.model_names(target)[0].rpartition("/")[2]
    return [*(["xtts-v2"] if target.xtts else []), voice]
