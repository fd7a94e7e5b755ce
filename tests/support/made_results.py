"""Results of earlier stages, made for tests of later ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from synthetic import write_wav

from f2f.results import (
    EngineInfo,
    FittedSpeech,
    LipSyncResult,
    Placement,
    Segment,
    SourceVideo,
    Speech,
    Take,
    Transcript,
    TranslatedSegment,
    Translation,
)
from f2f.stage import SilentObserver, StageContext

ENGINE = EngineInfo(name="captions", version="1.8", licence="as the file", detail="lecture.en.srt")
HINDI = ("नमस्ते, सबका स्वागत है।", "आज हम रॉकेट पर बात करेंगे।", "")


class Listener(SilentObserver):
    """Keeps notices and progress."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.progress: list[tuple[float, float | None, str]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        self.progress.append((done, total, unit))


def context_in(folder: Path, stage: str = "test") -> tuple[StageContext, Listener]:
    """Return a context that works in a new folder, and what hears it."""
    folder.mkdir(parents=True)
    listener = Listener()
    return StageContext(stage, folder, "cpu", listener), listener


def make_transcript(spans: tuple[tuple[float, float], ...] = ((0.2, 0.9), (1.2, 1.6))) -> Transcript:
    texts = ("Hello <b>all</b> & welcome.", "Today: rockets.", "[music]")
    segments = [Segment(id=k, start_s=s, end_s=e, text=texts[k]) for k, (s, e) in enumerate(spans)]
    return Transcript(language="en", segments=tuple(segments), engine=ENGINE)


def make_translation(
    transcript: Transcript, target: str = "hi", texts: tuple[str, ...] = HINDI
) -> Translation:
    entries = tuple(
        TranslatedSegment(segment=segment, text=text)
        for segment, text in zip(transcript.segments, texts, strict=False)
    )
    return Translation(source_language="en", target_language=target, segments=entries, engine=ENGINE)


def make_speech(translation: Translation) -> Speech:
    takes = tuple(
        Take(segment_id=e.segment.id, wav=f"{k}.wav", duration_s=1, sample_rate_hz=22050, voice=f"hi+f{k}")
        for k, e in enumerate(translation.segments)
        if e.text
    )
    return Speech(takes=takes, engine=ENGINE, problems=("segment 9 has no word to say",))


def make_fitted(
    folder: Path, translation: Translation, duration_s: float, overflow_s: float = 0.0, hertz: float = 700.0
) -> FittedSpeech:
    """Write a tone as the dub and place every segment with a text at its source's time."""
    rate = 48_000
    time_s = np.arange(round((duration_s + overflow_s) * rate)) / rate
    write_wav(folder / "dub.wav", (0.25 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32), rate)
    placements = tuple(
        Placement(
            segment_id=e.segment.id,
            start_s=e.segment.start_s + 0.1,
            end_s=e.segment.end_s + 0.1,
            slot_end_s=e.segment.end_s + 0.2,
            tempo=1.25,
            delayed_s=0.1,
            decision="fits at 1.25",
        )
        for e in translation.segments
        if e.text
    )
    return FittedSpeech(
        wav="dub.wav",
        sample_rate_hz=rate,
        duration_s=duration_s + overflow_s,
        overflow_s=overflow_s,
        placements=placements,
        warnings=("segment 2 overflows",) if overflow_s else (),
    )


def untouched_lips(video: SourceVideo) -> LipSyncResult:
    engine = EngineInfo(name="none", version="0", licence="MIT")
    return LipSyncResult(patches=None, n_frames=video.n_frames, n_synced=0, stretches=(), engine=engine)
