"""Speech to text: captions where there are some, else Whisper, else PocketSphinx for English."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from f2f.config import TranscribeConfig
from f2f.cues import Cue, join_texts, segments_from_cues
from f2f.engines import sphinx, whisper_asr
from f2f.engines.status import Choice, EngineStatus, package_version, require_ready
from f2f.errors import CaptionError, EngineUnavailableError, UsageError
from f2f.languages import Language, find_language, parse_language
from f2f.results import EngineInfo, Segment, SourceVideo, Transcript
from f2f.source_captions import audio_language, choose_captions, load_captions
from f2f.stage import StageContext

VERSION = 1
CAPTIONS_LICENCE = "that of the captions"


def plan(
    source: Path,
    source_language: str | None,
    config: TranscribeConfig,
    profile: str,
    targets: Sequence[str] = (),
) -> Choice:
    """Choose the engine for ``source``; nothing heavy is loaded.

    Args:
        source: the video.
        source_language: code of the spoken language, None where it is not said.
        config: of the stage.
        profile: ``"auto"`` or ``"embedded"``.
        targets: languages to translate into; captions in them are not what is spoken.

    Raises:
        EngineUnavailableError: no engine can do it; the message has the remedies.
        CaptionError: captions were found or given and cannot be used.
        UsageError: unknown language, or captions in several languages and no word which is spoken.
    """
    language = parse_language(source_language) if source_language else None
    captions = None
    if config.engine in ("auto", "captions"):
        captions = choose_captions(source, language, config.captions, targets)
    statuses = list_engines(source, language, config, profile, captions)
    by_name = {status.name: status for status in statuses}
    if config.engine == "captions" or captions is not None:
        require_ready(by_name["captions"])
        return _captions_choice(captions or source, source, language, statuses)
    if config.engine != "auto":
        require_ready(by_name[config.engine])
        return _choice(config.engine, config, statuses)
    if by_name["whisper"].ready:
        return _choice("whisper", config, statuses)
    if by_name["sphinx"].ready and (language or audio_language(source)) is not None:
        return _choice("sphinx", config, statuses)
    raise EngineUnavailableError(_remedies(source, language, by_name))


def list_engines(
    source: Path,
    language: Language | None,
    config: TranscribeConfig,
    profile: str,
    captions: Path | None,
) -> tuple[EngineStatus, ...]:
    """Say of every engine whether it could do the work, best first."""
    name = captions.name if captions else f"{source.stem}.srt"
    reason = f"a text track in {name}" if captions == source else name
    if captions is None:
        reason = f"no captions: put {name} beside the video or give --captions FILE"
    captions_status = EngineStatus("captions", captions is not None, reason, CAPTIONS_LICENCE, name)
    code = language.whisper if language else None
    whisper = whisper_asr.status(config.whisper_model, profile, code)
    is_own_file = Path(config.whisper_model).expanduser().is_file()
    if language is not None and code is None:
        whisper = replace(whisper, ready=False, reason=f"does not know {language}")
    elif profile == "embedded" and config.engine == "auto" and not is_own_file:
        reason = "profile embedded uses only what is inside the installed packages"
        whisper = replace(whisper, ready=False, reason=reason)
    return captions_status, whisper, sphinx.status(language or audio_language(source))


def transcribe(
    source: Path, video: SourceVideo, language: str | None, config: TranscribeConfig, context: StageContext
) -> Transcript:
    """Write down what is said in ``source``.

    Args:
        source: the video.
        video: what the probe stage found.
        language: code of the spoken language, None lets the engine say.
        config: engine and model; ``auto`` chooses as :func:`plan` does.
        context: told of progress in seconds of sound.

    Raises:
        UsageError: nothing is said, or the captions do not belong to the video.
        EngineUnavailableError: an engine or its weights are missing.
    """
    choice = plan(source, language, config, "auto")
    spoken = parse_language(language) if language else None
    if choice.engine == "captions":
        return _from_captions(choice.inputs[0], source, spoken, video, context)
    if choice.engine == "whisper":
        return _from_whisper(source, spoken, config, context)
    return _from_sphinx(source, spoken, context)


def _from_captions(
    path: Path, source: Path, spoken: Language | None, video: SourceVideo, context: StageContext
) -> Transcript:
    captions, language, notices = load_captions(path, source, spoken)
    cues = [cue for cue in captions.cues if cue.start_s < video.duration_s]
    if not cues:
        raise CaptionError(
            f"{captions.name} begins at {captions.cues[0].start_s:.1f} s, but {source.name} ends at "
            f"{video.duration_s:.1f} s: these are the captions of another video, or shifted"
        )
    if len(cues) < len(captions.cues):
        n_late = len(captions.cues) - len(cues)
        notices.append(
            f"{captions.name}: {n_late} captions begin after the end of the video and are left out"
        )
    cues[-1] = replace(cues[-1], end_s=min(cues[-1].end_s, video.duration_s))
    for notice in notices:
        context.notice(notice)
    segments = segments_from_cues(cues)
    context.progress(len(segments), len(segments), "segments")
    version = package_version("pysubs2")
    engine = EngineInfo(
        name="captions", version=f"pysubs2 {version}", licence=CAPTIONS_LICENCE, detail=captions.name
    )
    return Transcript(language=language.code, segments=segments, engine=engine)


def _from_whisper(
    source: Path, spoken: Language | None, config: TranscribeConfig, context: StageContext
) -> Transcript:
    from lipsync_core.media import read_audio

    model = whisper_asr.load_model(
        config.whisper_model,
        context.device if context.device != "mps" else "cpu",  # its word times need float64, which mps lacks
        lambda done, total: context.progress(done / 1e6, total / 1e6, "MB"),
    )
    waveform = read_audio(source, whisper_asr.SAMPLE_RATE_HZ)
    code = spoken.whisper if spoken else whisper_asr.detect_language(model, waveform)
    if code is None:
        raise UsageError(f"Whisper does not know {spoken}: give captions with --captions FILE")
    cues = whisper_asr.recognise(
        model, waveform, code, lambda done, total: context.progress(done, total, "s")
    )
    language = spoken or find_language(code) or parse_language(code)
    if spoken is None:
        context.notice(f"Whisper hears {language}; say otherwise with --from LANG")
    engine = EngineInfo(
        name="whisper",
        version=package_version("openai-whisper"),
        licence=whisper_asr.LICENCE,
        detail=whisper_asr.describe(config.whisper_model),
    )
    return Transcript(language=language.code, segments=_spoken_segments(cues, source), engine=engine)


def _from_sphinx(source: Path, spoken: Language | None, context: StageContext) -> Transcript:
    from lipsync_core.media import read_audio

    waveform = read_audio(source, sphinx.SAMPLE_RATE_HZ)
    cues = sphinx.recognise(waveform, lambda done, total: context.progress(done, total, "s"))
    engine = EngineInfo(
        name="sphinx",
        version=package_version("pocketsphinx"),
        licence=sphinx.LICENCE,
        detail=sphinx.describe(),
        notice=sphinx.NOTICE,
    )
    # Its cues end at pauses, not at full stops, and are complete as they are.
    segments = tuple(
        Segment(id=i, start_s=round(cue.start_s, 3), end_s=round(cue.end_s, 3), text=cue.text)
        for i, cue in enumerate(cues)
    )
    if not segments:
        raise UsageError(_nothing_said(source))
    return Transcript(language=(spoken or Language("en")).code, segments=segments, engine=engine)


def _spoken_segments(cues: Sequence[Cue], source: Path) -> tuple[Segment, ...]:
    """Join recognised pieces to sentences; word times of neighbouring windows may overlap by some ms."""
    apart: list[Cue] = []
    for cue in sorted(cues, key=lambda cue: cue.start_s):
        start_s = max(cue.start_s, apart[-1].end_s) if apart else cue.start_s
        if cue.end_s > start_s:
            apart.append(replace(cue, start_s=start_s))
        else:
            apart[-1] = replace(apart[-1], text=join_texts(apart[-1].text, cue.text))
    if not apart:
        raise UsageError(_nothing_said(source))
    return segments_from_cues(apart)


def _nothing_said(source: Path) -> str:
    return (
        f"no speech was recognised in {source.name}: check that it has speech in its first audio stream, or "
        "give captions with --captions FILE"
    )


def _captions_choice(
    path: Path, source: Path, language: Language | None, statuses: tuple[EngineStatus, ...]
) -> Choice:
    """Read the captions once, so that what is wrong with them is known before the work."""
    try:
        captions, found, _ = load_captions(path, source, language)
    except CaptionError as exc:
        raise CaptionError(f"{exc}; or move it away, or recognise the speech with --asr whisper") from exc
    content = f"{found.code}\n" + "\n".join(
        f"{cue.start_s} {cue.end_s} {cue.speaker} {cue.text}" for cue in captions
    )
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Choice("captions", f"captions {digest}", statuses, inputs=(path,))


def _choice(engine: str, config: TranscribeConfig, statuses: tuple[EngineStatus, ...]) -> Choice:
    if engine == "whisper":
        return Choice(engine, whisper_asr.identity(config.whisper_model), statuses)
    return Choice(engine, sphinx.identity(), statuses, notice=sphinx.NOTICE)


def _remedies(source: Path, language: Language | None, statuses: dict[str, EngineStatus]) -> str:
    """Say what can be done where nothing can transcribe: one line for each way out."""
    spoken = f" in {language.name}" if language else ""
    lines = [
        f"nothing here can transcribe the speech{spoken} of {source.name}; either give captions with "
        f"--captions FILE (or put {source.stem}.srt beside it),",
        f"or make Whisper work: {statuses['whisper'].reason}",
    ]
    if language is None and statuses["sphinx"].ready:
        lines.append(
            "(if English is spoken, --from en lets PocketSphinx try: one word in four will be wrong)"
        )
    return " ".join(lines)
