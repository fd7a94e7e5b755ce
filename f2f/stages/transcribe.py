"""Speech to text: captions where there are some, else Whisper, else PocketSphinx for English.

A recogniser hears only where a voice is; what it then says is cut into sentences, and text that nobody said
is marked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from f2f import speech_regions
from f2f.config import TranscribeConfig
from f2f.cues import segments_from_cues
from f2f.doubts import describe_kept, keep_doubtful
from f2f.engines import sphinx
from f2f.engines.recogniser import Recogniser
from f2f.engines.recognisers import (
    WHISPERS,
    load_recogniser,
    recogniser_identity,
    recogniser_info,
    recogniser_statuses,
)
from f2f.engines.status import Choice, EngineStatus, package_version, require_ready
from f2f.errors import CaptionError, EngineUnavailableError, UsageError
from f2f.hearing import hear
from f2f.languages import Language, find_language, parse_language
from f2f.models.bringing import bring
from f2f.resegment import resegment
from f2f.results import EngineInfo, SourceVideo, Transcript
from f2f.source_captions import audio_language, choose_captions, load_captions
from f2f.speakers import (
    Turn,
    choose_diarizer,
    credit_diarizer,
    diarizer_for_captions,
    diarizer_identity,
    find_turns,
    label_cues,
    label_words,
)
from f2f.stage import StageContext

VERSION = 3
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
        return _captions_choice(captions or source, source, language, config, statuses)
    if config.engine != "auto":
        require_ready(by_name[config.engine])
        return _choice(config.engine, config, statuses)
    for name in WHISPERS:
        if by_name[name].ready and not (name == "faster-whisper" and by_name[name].needs_download):
            return _choice(name, config, statuses, notice=f"speech is recognised by {by_name[name].detail}")
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
    spoken = recogniser_statuses(config.whisper_model, profile, language)
    is_own = Path(config.whisper_model).expanduser().exists()
    if profile == "embedded" and config.engine == "auto" and not is_own:
        reason = "profile embedded uses only what is inside the installed packages"
        spoken = tuple(
            replace(one, ready=False, reason=reason) if one.name in WHISPERS and one.ready else one
            for one in spoken
        )
    return captions_status, *spoken


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
        return _from_captions(choice.inputs[0], source, spoken, video, config, context)
    return _from_sound(choice.engine, source, spoken, config, context)


def _from_captions(
    path: Path,
    source: Path,
    spoken: Language | None,
    video: SourceVideo,
    config: TranscribeConfig,
    context: StageContext,
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
    diarizer = diarizer_for_captions(cues, config)
    turns: list[Turn] = []
    if diarizer != "none":
        waveform, regions = _listen(source)
        turns = find_turns(diarizer, waveform, regions, config, context.device, context.notice)
    segments = segments_from_cues(label_cues(cues, turns))
    context.progress(len(segments), len(segments), "segments")
    version = package_version("pysubs2")
    engine = EngineInfo(
        name="captions", version=f"pysubs2 {version}", licence=CAPTIONS_LICENCE, detail=captions.name
    )
    engine = credit_diarizer(engine, diarizer, turns)
    return Transcript(language=language.code, segments=segments, engine=engine)


def _listen(source: Path) -> tuple[speech_regions.Waveform, list[speech_regions.Region]]:
    from lipsync_core.media import read_audio

    waveform = read_audio(source, speech_regions.SAMPLE_RATE_HZ)
    return waveform, speech_regions.find_speech(waveform)


def _from_sound(
    name: str, source: Path, spoken: Language | None, config: TranscribeConfig, context: StageContext
) -> Transcript:
    waveform, regions = _listen(source)
    if not regions:
        raise UsageError(_nothing_said(source))
    if name in WHISPERS:
        bring(f"{name}-{config.whisper_model}", context.progress)
    load = partial(load_recogniser, name, config.whisper_model, context.device)
    with closing(load(lambda done, total: context.progress(done, total, "MB"))) as recogniser:
        windows = speech_regions.plan_windows(waveform, regions, recogniser.window_s)
        code = _language_code(name, spoken, recogniser, [window.cut(waveform) for window in _spread(windows)])
        language = spoken or find_language(code) or parse_language(code)
        if spoken is None:
            context.notice(f"{name} hears {language}; say otherwise with --from LANG")
        heard = hear(
            recogniser, waveform, windows, code, lambda done, total: context.progress(done, total, "s")
        )
    if heard.n_repeated:
        context.notice(
            f"{heard.n_repeated} of {len(windows)} stretches came out badly and were recognised again with "
            "other settings"
        )
    diarizer = choose_diarizer(config)
    turns = find_turns(diarizer, waveform, regions, config, context.device, context.notice)
    segments = keep_doubtful(resegment(label_words(heard.words, turns)), regions)
    for line in describe_kept(segments):
        context.notice(line)
    if all(one.keep_original for one in segments):
        raise UsageError(_nothing_said(source))
    engine = credit_diarizer(recogniser_info(name, config.whisper_model), diarizer, turns)
    return Transcript(language=language.code, segments=segments, engine=engine)


def _language_code(
    name: str,
    spoken: Language | None,
    recogniser: Recogniser,
    sounds: Sequence[speech_regions.Waveform],
) -> str:
    if spoken is None:
        return recogniser.detect_language(sounds)
    if name != "sphinx" and spoken.whisper is None:
        raise UsageError(f"Whisper does not know {spoken}: give captions with --captions FILE")
    return spoken.whisper or spoken.primary


def _spread(windows: Sequence[speech_regions.Window]) -> list[speech_regions.Window]:
    """Return up to three windows, spread over the recording: a lecture may begin with a guest's greeting."""
    places = sorted({int(share * len(windows)) for share in (1 / 6, 1 / 2, 5 / 6)})
    return [windows[place] for place in places]


def _nothing_said(source: Path) -> str:
    return (
        f"no speech was recognised in {source.name}: check that it has speech in its first audio stream, or "
        "give captions with --captions FILE"
    )


def _captions_choice(
    path: Path,
    source: Path,
    language: Language | None,
    config: TranscribeConfig,
    statuses: tuple[EngineStatus, ...],
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
    speakers = diarizer_identity(diarizer_for_captions(captions.cues, config))
    return Choice("captions", f"captions {digest}, {speakers}", statuses, inputs=(path,))


def _choice(
    engine: str, config: TranscribeConfig, statuses: tuple[EngineStatus, ...], notice: str | None = None
) -> Choice:
    speakers = diarizer_identity(choose_diarizer(config))
    identity = f"{recogniser_identity(engine, config.whisper_model)}, {speakers}"
    notice = sphinx.NOTICE if engine == "sphinx" else notice
    return Choice(engine, identity, statuses, notice=notice)


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
