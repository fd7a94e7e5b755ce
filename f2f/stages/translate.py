"""Text to text: a translation that a person made where there is one, else NLLB, M2M-100 or Marian."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from f2f.config import TranslateConfig
from f2f.engines.segment_translation import translate_texts
from f2f.engines.status import Choice, EngineStatus, first_ready, require_ready
from f2f.engines.translation_models import FAMILIES, family_of, identity, status
from f2f.engines.translation_runtime import choose_runtime, describe_runtime, load_model
from f2f.errors import EngineUnavailableError, UsageError
from f2f.glossary import Term, choose_terms, find_terms, read_glossary
from f2f.languages import Language, parse_language
from f2f.length_control import Pace
from f2f.models.bringing import bring
from f2f.placeholders import Requirement, find_requirements
from f2f.results import EngineInfo, Segment, Transcript, TranslatedSegment, Translation
from f2f.sentences import spoken_text
from f2f.stage import StageContext
from f2f.wordings import ChoiceTerms, Wording, choose_wordings
from f2f.written_translation import LICENCE, choose_captions, find_translation, lay_over

VERSION = 7
_TOLD_PROBLEMS = 5  # on the console
_NON_COMMERCIAL = "{model} is licensed {licence}: the translation may not be used commercially"


def plan(
    source: Path | None,
    source_language: str | None,
    target_language: str,
    config: TranslateConfig,
    profile: str,
) -> Choice:
    """Choose the engine for one target language; nothing heavy is loaded.

    Args:
        source: the video, beside which a translation may lie; None looks for none.
        source_language: code of the spoken language, None where it is not known yet.
        target_language: code of the wanted language.
        config: of the stage.
        profile: ``"auto"`` or ``"embedded"``.

    Raises:
        EngineUnavailableError: no engine can do it; the message has the remedies.
        CaptionError: a translation was found or given and cannot be used.
        UsageError: unknown language, a model that fits no engine, or a glossary that cannot be used.
    """
    target = parse_language(target_language)
    spoken = parse_language(source_language) if source_language else None
    terms = _read_terms(config, target)
    captions = find_translation(source, target, config)
    if captions is not None:
        statuses = list_engines(spoken, target, config, profile, captions)
        notice = f"the glossary is not applied: {captions.name} is what a person wrote" if terms else None
        return choose_captions(captions, target, statuses, notice)
    if spoken is not None and is_same_language(spoken, target) and config.engine in ("auto", "none"):
        reason = f"{spoken} is spoken already; the text stays as it is"
        return Choice("none", "none", (EngineStatus("none", True, reason),), notice=reason)
    statuses = list_engines(spoken, target, config, profile, None)
    if config.engine == "none":
        raise UsageError(
            f"translate.engine is 'none', but {spoken or 'the speech'} is not {target}: choose another"
        )
    if config.engine != "auto":
        found = require_ready(next(one for one in statuses if one.name == config.engine))
    else:
        candidates = first_ready(statuses)
        if candidates is None:
            raise EngineUnavailableError(_remedies(source, target, statuses))
        found = candidates
    known = identity(FAMILIES[found.name], found.detail)
    if choose_runtime(config.runtime, config.model) == "ctranslate2":
        known += " by CTranslate2 in int8"
    if terms:
        text = "\n".join(f"{term.source}\t{term.target}" for term in terms)
        known += f" glossary {hashlib.sha256(text.encode()).hexdigest()}"
    return Choice(found.name, known, statuses, notice=_notice(found))


def is_same_language(source: Language, target: Language) -> bool:
    """Whether text needs no translation: another region of the same language in the same script."""
    return source.primary == target.primary and source.script == target.script


def list_engines(
    spoken: Language | None, target: Language, config: TranslateConfig, profile: str, captions: Path | None
) -> tuple[EngineStatus, ...]:
    """Say of every engine whether it could do the work, best first; the network is asked only if need be."""
    reason = (
        str(captions.name) if captions else f"no translation: put NAME.{target.code}.srt beside the video"
    )
    first = EngineStatus("captions", captions is not None, reason, LICENCE, reason)
    names = [config.engine] if config.engine in FAMILIES else list(FAMILIES)
    if config.model is not None and config.engine not in FAMILIES:
        family = family_of(config.model)
        if family is None:
            raise UsageError(
                f"translate.model {config.model!r} is no model folder or hub id of a kind known here: set "
                f"translate.engine to one of {', '.join(FAMILIES)}"
            )
        names = [family]

    def ask(name: str, *, probe: bool) -> EngineStatus:
        found = status(FAMILIES[name], config.model, spoken, target, profile, probe=probe)
        is_own = config.model is not None and Path(config.model).expanduser().is_dir()
        if profile == "embedded" and config.engine == "auto" and not is_own:
            return replace(
                found, ready=False, reason="profile embedded uses only what is inside the installed packages"
            )
        return found

    here = [ask(name, probe=False) for name in names]
    if captions is None and not any(one.ready for one in here):
        here = [ask(name, probe=True) for name in names]
    return (first, *here)


def translate(
    transcript: Transcript,
    target_language: str,
    config: TranslateConfig,
    context: StageContext,
    pace: Pace | None = None,
) -> Translation:
    """Say every segment of ``transcript`` in the target language.

    Args:
        transcript: what is spoken.
        target_language: code of the wanted language.
        config: engine, model and translation file; ``auto`` chooses as :func:`plan` does without a video.
        context: told of progress in segments.
        pace: decides which of a model's translations fits; None takes the usual limits and rates.

    Raises:
        EngineUnavailableError: an engine or its weights are missing.
        CaptionError: the translation cannot be used.
    """
    target, spoken = parse_language(target_language), parse_language(transcript.language)
    choice = plan(None, transcript.language, target_language, config, "auto")
    rate = None
    if choice.engine == "captions":
        texts, engine = lay_over(choice.inputs[0], target, transcript, context)
        segments = [
            _translated(one, Wording.only(text)) for one, text in zip(transcript.segments, texts, strict=True)
        ]
    elif choice.engine == "none":
        segments = [_translated(one, Wording.only(one.text)) for one in transcript.segments]
        engine = EngineInfo(name="none", version="", licence="", detail="text kept", notice=choice.notice)
    else:
        pace = pace or Pace()
        segments, engine = _from_model(choice, (spoken, target), transcript, config, context, pace)
        rate = pace.rates.rate(target.code, pace.voice)
    context.progress(len(segments), len(segments), "segments")
    return Translation(
        source_language=transcript.language,
        target_language=target.code,
        segments=tuple(segments),
        engine=engine,
        characters_per_s=rate,
    )


def _translated(segment: Segment, wording: Wording) -> TranslatedSegment:
    """Say the chosen candidate; nothing where the original sound stays."""
    said = wording.candidates[wording.chosen]
    if segment.keep_original is not None:
        unsaid = said.text if said.text != segment.text else ""
        told = (f"not said, the original sound stays ({segment.keep_original}): {unsaid[:40]!r}",)
        return TranslatedSegment(segment=segment, text="", problems=told if unsaid else ())
    others = tuple(one.text for one in wording.candidates if one is not said and one.text)
    problems = tuple(dict.fromkeys(said.problems))
    if segment.text.strip() and not said.text:
        reason = "no translation of it" if spoken_text(segment.text) else "a sound or music, nothing is said"
        problems = (*problems, f"{reason}: {segment.text[:40]!r}")
    return TranslatedSegment(
        segment=segment,
        text=said.text,
        alternatives=others,
        problems=problems,
        by_context=wording.is_by_context,
    )


def _report(segments: Sequence[TranslatedSegment], context: StageContext) -> None:
    """Tell of the first problems one by one, and how many more there are."""
    told = [(one.segment, problem) for one in segments for problem in one.problems]
    for segment, problem in told[:_TOLD_PROBLEMS]:
        context.notice(f"segment {segment.id} at {segment.start_s:.1f} s: {problem}")
    if len(told) > _TOLD_PROBLEMS:
        context.notice(
            f"{len(told) - _TOLD_PROBLEMS} more problems of the translation: the manifest lists them all"
        )


def _from_model(
    choice: Choice,
    languages: tuple[Language, Language],
    transcript: Transcript,
    config: TranslateConfig,
    context: StageContext,
    pace: Pace,
) -> tuple[list[TranslatedSegment], EngineInfo]:
    family, segments = FAMILIES[choice.engine], transcript.segments
    model = family.model_id(config.model, *languages)
    runtime = choose_runtime(config.runtime, config.model)
    bring(model, context.progress)
    translator = load_model(runtime, family, model, languages, context.device, context.notice)
    texts = ["" if one.keep_original is not None else one.text for one in segments]
    terms = _read_terms(config, languages[1])
    found = translate_texts(
        translator,
        texts,
        config.beams,
        lambda done, total: context.progress(done, total, "segments"),
        lambda sentence: _require(sentence, terms, languages[1]),
    )
    choice_terms = ChoiceTerms(languages[1].code, pace, config.context)
    wordings = choose_wordings(found, segments, translator, choice_terms, context)
    name = Path(model).name if Path(model).expanduser().is_dir() else model
    engine = EngineInfo(
        name=family.name,
        version=describe_runtime(runtime),
        licence=family.licence if config.model is None else f"that of {model}",
        detail=f"{name} with {describe_runtime(runtime)}",
        notice=choice.notice,
    )
    translated = [_translated(*one) for one in zip(segments, wordings, strict=True)]
    _report(translated, context)
    return translated, engine


def _read_terms(config: TranslateConfig, target: Language) -> tuple[Term, ...]:
    return choose_terms(read_glossary(config.glossary), target) if config.glossary else ()


def _require(sentence: str, terms: Sequence[Term], target: Language) -> list[Requirement]:
    """Return what a translation must hold: the glossary's terms, then what is inside none of them."""
    required = find_terms(sentence, terms)
    others = find_requirements(sentence, target)
    free = [o for o in others if all(o.end <= one.start or one.end <= o.start for one in required)]
    return [*required, *free]


def _notice(found: EngineStatus) -> str | None:
    if "NC" in found.licence and found.detail == FAMILIES[found.name].default_model:
        return _NON_COMMERCIAL.format(model=found.detail, licence=found.licence)
    return None


def _remedies(source: Path | None, target: Language, statuses: tuple[EngineStatus, ...]) -> str:
    name = f"{source.stem if source else 'NAME'}.{target.code}.srt"
    models = "; ".join(f"{one.name}: {one.reason}" for one in statuses if one.name != "captions")
    return (
        f"nothing here can translate into {target}; either give a translation with --translation FILE (or "
        f"put {name} beside the video), or make a model ready ({models})"
    )
