"""synthesize: the translated text becomes speech, one wav for each segment."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from f2f.cast import cast_voices, library_voices, listen, pin_people
from f2f.config import SynthesizeConfig
from f2f.engines import coqui, coqui_models, espeak, mms
from f2f.engines.speech import SpeakerProfile, SpeechEngine, SpeechProblemError
from f2f.engines.status import Choice, EngineStatus, require_ready
from f2f.errors import EngineUnavailableError, StageError, UsageError
from f2f.models.bringing import bring
from f2f.results import Speech, Take, TranslatedSegment, Translation
from f2f.stage import StageContext
from f2f.take_making import SpeechLimits, TakeMaker
from f2f.takes import RememberingMaker, TakeMemory

if TYPE_CHECKING:
    from f2f.library.voices import Person

VERSION = 2
_NOBODY = "the speaker"


def list_engines(language: str | None, config: SynthesizeConfig, profile: str) -> tuple[EngineStatus, ...]:
    """Return what every engine says of itself for a language, in order of preference."""
    plain = mms.status(language, _mms_model(config), profile)
    return coqui_models.status(language, config.model, profile), plain, espeak.status(language)


def plan(target_language: str, config: SynthesizeConfig, profile: str = "auto") -> Choice:
    """Decide which engine will speak, without loading it.

    ``auto`` takes coqui where it is installed, speaks the language and has its weights here (or may fetch
    them), else under the same conditions mms, else espeak.

    Raises:
        EngineUnavailableError: the wanted engine cannot work here, or no engine speaks the language.
        UsageError: the wanted voice does not exist.
    """
    statuses = list_engines(target_language, config, profile)
    natural, plain, robotic = statuses
    # "hi+f2" is a way to name a voice that only espeak has.
    wants_espeak = config.engine == "espeak" or (config.engine == "auto" and "+" in (config.voice or ""))
    if config.engine == "coqui":
        return _choose_coqui(require_ready(natural), config, statuses)
    if config.engine == "mms":
        return _choose_mms(require_ready(plain), target_language, config, statuses, mms.NOTICE)
    if wants_espeak:
        return _choose_espeak(require_ready(robotic), target_language, config, statuses, espeak.NOTICE)
    if natural.ready:
        return _choose_coqui(natural, config, statuses)
    if plain.ready and config.voice is None:
        notice = f"{mms.NOTICE} (coqui: {natural.reason})"
        return _choose_mms(plain, target_language, config, statuses, notice)
    if robotic.ready:
        notice = f"{espeak.NOTICE} (coqui: {natural.reason}; mms: {plain.reason})"
        return _choose_espeak(robotic, target_language, config, statuses, notice)
    reasons = "; ".join(f"{status.name}: {status.reason}" for status in statuses)
    raise EngineUnavailableError(f"nothing here speaks {target_language!r}: {reasons}")


def _mms_model(config: SynthesizeConfig) -> str | None:
    """Return the configured model where it is one of mms's, not one of coqui's."""
    if config.model is None:
        return None
    folder = Path(config.model).expanduser()
    is_hub_id = config.model.count("/") == 1 and not folder.exists()
    return config.model if config.engine == "mms" or is_hub_id or mms.is_model(folder) else None


def _choose_mms(
    status: EngineStatus,
    language: str,
    config: SynthesizeConfig,
    statuses: tuple[EngineStatus, ...],
    notice: str,
) -> Choice:
    if config.voice is not None:
        raise UsageError(f"voice {config.voice!r}: mms has one voice for a language; leave --voice out")
    fetched = f"; {status.reason}" if status.needs_download else ""
    return Choice("mms", mms.identity(language, _mms_model(config)), statuses, notice + fetched)


def _choose_coqui(
    status: EngineStatus, config: SynthesizeConfig, statuses: tuple[EngineStatus, ...]
) -> Choice:
    return Choice("coqui", coqui_models.identity(config.model), statuses, coqui_models.notice(status, config))


def _choose_espeak(
    status: EngineStatus,
    language: str,
    config: SynthesizeConfig,
    statuses: tuple[EngineStatus, ...],
    notice: str,
) -> Choice:
    code, variant = espeak.resolve_voice(language, config.voice)
    version = espeak.read_catalogue().version
    return Choice("espeak", f"espeak-ng {version} {code}+{variant or 'by speaker'}", statuses, notice)


def synthesize(
    translation: Translation,
    source: Path,
    config: SynthesizeConfig,
    context: StageContext,
    memory: TakeMemory | None = None,
    limits: SpeechLimits = SpeechLimits(),  # noqa: B008 - immutable
    people: Mapping[str | None, Person] = MappingProxyType({}),
) -> Speech:
    """Speak every segment of ``translation`` that has text, each into ``NNNN.wav`` of the context's folder.

    The source's own sound decides between female and male voices (by pitch) and, with consent, gives the
    reference for a clone. A text that cannot be said is a problem, not an error: its segment stays silent.

    Args:
        translation: what to say; segments that keep their original sound are left alone.
        source: the video, for the speaker's level, pitch and reference.
        config: engine and voice; ``auto`` is resolved as ``plan`` does.
        context: folder, device and observer.
        memory: takes of earlier runs, which are not spoken again; None has none.
        limits: what takes should fit into.
        people: who the speakers are in the library, where they are known.

    Raises:
        EngineUnavailableError: the engine cannot work here.
        StageError: there is something to say, and not one segment of it could be said.
        UsageError: the wanted voice does not exist.
    """
    wanted = [(number, one) for number, one in enumerate(translation.segments, start=1) if _is_spoken(one)]
    name = plan(translation.target_language, config).engine if config.engine == "auto" else config.engine
    clones = name == "coqui" and config.consent
    takes: list[Take] = []
    problems: list[str] = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="f2f-voice-")))
        heard = [one.segment for one in translation.segments] if wanted else []
        speakers, level_dbfs = listen(source, heard, scratch if clones else None)
        engine = stack.enter_context(contextlib.closing(_load(name, translation, config, context)))
        speakers = cast_voices(engine, pin_people(speakers, people))
        known = library_voices(engine, speakers, people, context.notice)
        speaking = TakeMaker(engine, translation.target_language, limits, context.folder)
        maker = RememberingMaker(speaking, engine, memory, context.folder)
        slots_s = limits.slots_s([one.segment for one in translation.segments if _takes_time(one)])
        for done, (number, one) in enumerate(wanted):
            context.progress(done, len(wanted), "segments")
            profile = replace(speakers[one.segment.speaker], voice=one.voice, take=one.take)
            try:
                made = maker.make(one, profile, slots_s[one.segment.id], f"{number:04d}")
            except SpeechProblemError as problem:
                problems.append(_describe(one, f"stays silent: {problem}"))
            else:
                takes.append(made.take)
                problems += [_describe(one, problem) for problem in made.problems]
        context.progress(len(wanted), len(wanted), "segments")
        info = engine.info()
    if wanted and not takes:
        raise StageError("synthesize", f"not one of {len(wanted)} segments could be said; {problems[0]}")
    cloned = _tell(context, [one for _, one in wanted], takes, problems, speakers if clones else {})
    return Speech(
        takes=tuple(takes), engine=info, problems=tuple(problems), source_level_dbfs=level_dbfs,
        consent=config.consent, cloned=cloned, library=known,
    )  # fmt: skip


def _is_spoken(one: TranslatedSegment) -> bool:
    return bool(one.text.strip()) and one.segment.keep_original is None


def _takes_time(one: TranslatedSegment) -> bool:
    """Whether sound of this segment, new or old, must not be spoken into."""
    return _is_spoken(one) or one.segment.keep_original is not None


def _load(
    name: str, translation: Translation, config: SynthesizeConfig, context: StageContext
) -> SpeechEngine:
    if name == "coqui":
        bring(config.model or coqui_models.XTTS_V2, context.progress)
        return coqui.CoquiEngine(translation.target_language, config.model, config.voice, context.device)
    if name == "mms":
        bring(mms.status(translation.target_language, _mms_model(config)).detail, context.progress)
        return mms.MmsEngine(translation.target_language, _mms_model(config), context.device)
    return espeak.EspeakEngine(translation.target_language, config.voice)


def _tell(
    context: StageContext,
    wanted: Sequence[TranslatedSegment],
    takes: Sequence[Take],
    problems: Sequence[str],
    cloning: dict[str | None, SpeakerProfile],
) -> tuple[str, ...]:
    """Tell what a person must know, and return whose voices were cloned."""
    for problem in problems:
        context.notice(problem)
    heard = dict.fromkeys(one.segment.speaker for one in wanted)
    without = [speaker or _NOBODY for speaker in heard if cloning and cloning[speaker].reference is None]
    if without:
        context.notice(
            f"not enough clean speech (6 s, unclipped, nobody else near, little background) to clone "
            f"{', '.join(without)}: a stock voice speaks instead"
        )
    speakers = {one.segment.id: one.segment.speaker or _NOBODY for one in wanted}
    cloned = tuple(dict.fromkeys(speakers[take.segment_id] for take in takes if take.voice == coqui.CLONE))
    if cloned:
        context.notice(f"cloned, as consent was stated: the voice of {', '.join(cloned)}")
    texts = {one.segment.id: " ".join(one.text.split()) for one in wanted}
    shorter = sum(take.text != texts[take.segment_id] for take in takes)
    if shorter:
        context.notice(f"{shorter} of {len(takes)} segments are said in shorter words, to fit their time")
    return cloned


def _describe(one: TranslatedSegment, problem: str) -> str:
    text = " ".join(one.text.split())
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    return f"segment {one.segment.id} ({one.segment.start_s:.1f} s, “{shown}”): {problem}"
