"""synthesize: the translated text becomes speech, one wav for each segment."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import SynthesizeConfig
from f2f.engines import coqui, espeak
from f2f.engines.speech import SpeakerProfile, SpeechEngine, SpeechProblemError, Spoken
from f2f.engines.status import Choice, EngineStatus, first_ready, require_ready
from f2f.errors import EngineUnavailableError, StageError
from f2f.loudness import speech_rms, to_dbfs
from f2f.results import Segment, Speech, Take, TranslatedSegment, Translation
from f2f.source_speech import judge_gender, pick_reference, pick_speech
from f2f.stage import StageContext
from f2f.takes import TakeMemory, remembering

if TYPE_CHECKING:
    from f2f.loudness import Waveform

VERSION = 1
_LISTEN_RATE_HZ = 16_000
_REFERENCE_RATE_HZ = 24_000  # XTTS v2 speaks at this rate


def plan(target_language: str, config: SynthesizeConfig, profile: str = "auto") -> Choice:
    """Decide which engine will speak, without loading it.

    ``auto`` takes coqui where it is installed and its weights are here (or may be fetched), else espeak.

    Raises:
        EngineUnavailableError: the wanted engine cannot work here, or no engine speaks the language.
        UsageError: the wanted voice does not exist.
    """
    natural = coqui.status(target_language, config.model, profile)
    robotic = espeak.status(target_language)
    statuses = (natural, robotic)
    # "hi+f2" is a way to name a voice that only espeak has.
    wants_espeak = config.engine == "espeak" or (config.engine == "auto" and "+" in (config.voice or ""))
    if config.engine == "coqui":
        return _choose_coqui(require_ready(natural), config, statuses)
    if wants_espeak:
        return _choose_espeak(require_ready(robotic), target_language, config, statuses, espeak.NOTICE)
    chosen = natural if natural.ready else first_ready(statuses)
    if chosen is None:
        raise EngineUnavailableError(
            f"nothing here speaks {target_language!r}: coqui: {natural.reason}; espeak: {robotic.reason}"
        )
    if chosen is natural:
        return _choose_coqui(natural, config, statuses)
    notice = f"{espeak.NOTICE} (coqui: {natural.reason})"
    return _choose_espeak(robotic, target_language, config, statuses, notice)


def _choose_coqui(
    status: EngineStatus, config: SynthesizeConfig, statuses: tuple[EngineStatus, ...]
) -> Choice:
    return Choice("coqui", coqui.identity(config.model), statuses, coqui.notice(status, config))


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
) -> Speech:
    """Speak every segment of ``translation`` that has text, each into ``NNNN.wav`` of the context's folder.

    The source's own sound decides between female and male voices (by pitch) and, with consent, gives the
    reference for a clone. A text that cannot be said is a problem, not an error: its segment stays silent.

    Args:
        translation: what to say.
        source: the video, for the speaker's level, pitch and reference.
        config: engine and voice; ``auto`` is resolved as ``plan`` does.
        context: folder, device and observer.
        memory: takes of earlier runs, which are not spoken again; None has none.

    Raises:
        EngineUnavailableError: the engine cannot work here.
        StageError: there is something to say, and not one segment of it could be said.
        UsageError: the wanted voice does not exist.
    """
    wanted = [(number, one) for number, one in enumerate(translation.segments, start=1) if one.text.strip()]
    name = plan(translation.target_language, config).engine if config.engine == "auto" else config.engine
    takes: list[Take] = []
    problems: list[str] = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="f2f-voice-")))
        clones = name == "coqui" and config.consent
        speakers, level_dbfs = _listen(
            source, [one.segment for _, one in wanted], scratch if clones else None
        )
        if clones and not all(profile.reference for profile in speakers.values()):
            context.notice(
                "not enough clean speech (6 s) to clone every speaker: a stock voice speaks instead"
            )
        loaded = stack.enter_context(contextlib.closing(_load(name, translation, config, context)))
        engine = remembering(loaded, memory)
        for done, (number, one) in enumerate(wanted):
            context.progress(done, len(wanted), "segments")
            profile = replace(speakers[one.segment.speaker], voice=one.voice, take=one.take)
            wav = context.folder / f"{number:04d}.wav"
            try:
                spoken = engine.say(" ".join(one.text.split()), profile, wav)
            except SpeechProblemError as problem:
                problems.append(_describe(one, problem))
                context.notice(problems[-1])
            else:
                takes.append(_take(one, wav, spoken, engine.choose_voice(profile)))
        context.progress(len(wanted), len(wanted), "segments")
        info = engine.info()
    if problems and not takes:
        raise StageError("synthesize", f"not one of {len(wanted)} segments could be said; {problems[0]}")
    return Speech(takes=tuple(takes), engine=info, problems=tuple(problems), source_level_dbfs=level_dbfs)


def _load(
    name: str, translation: Translation, config: SynthesizeConfig, context: StageContext
) -> SpeechEngine:
    if name == "coqui":
        return coqui.CoquiEngine(translation.target_language, config.model, config.voice, context.device)
    return espeak.EspeakEngine(translation.target_language, config.voice)


def _listen(
    source: Path, segments: Sequence[Segment], reference_folder: Path | None
) -> tuple[dict[str | None, SpeakerProfile], float | None]:
    """Return a profile for each speaker, in order of appearance, and the level of all speech."""
    from lipsync_core.media import read_audio, write_wav

    if not segments:
        return {}, None
    rate = _REFERENCE_RATE_HZ if reference_folder else _LISTEN_RATE_HZ
    sound: Waveform = read_audio(source, rate)
    profiles: dict[str | None, SpeakerProfile] = {}
    for index, speaker in enumerate(dict.fromkeys(segment.speaker for segment in segments)):
        own = [segment for segment in segments if segment.speaker == speaker]
        reference = None
        if reference_folder and (clip := pick_reference(sound, rate, own)) is not None:
            reference = reference_folder / f"speaker{index}.wav"
            write_wav(reference, clip, rate)
        profiles[speaker] = SpeakerProfile(
            index, judge_gender(pick_speech(sound, rate, own), rate), reference
        )
    rms = speech_rms(pick_speech(sound, rate, segments), rate)
    return profiles, to_dbfs(rms) if rms > 0 else None


def _take(one: TranslatedSegment, wav: Path, spoken: Spoken, voice: str) -> Take:
    return Take(
        segment_id=one.segment.id,
        wav=wav.name,
        duration_s=spoken.duration_s,
        sample_rate_hz=spoken.sample_rate_hz,
        voice=voice,
    )


def _describe(one: TranslatedSegment, problem: SpeechProblemError) -> str:
    text = " ".join(one.text.split())
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    return f"segment {one.segment.id} ({one.segment.start_s:.1f} s, “{shown}”) stays silent: {problem}"
