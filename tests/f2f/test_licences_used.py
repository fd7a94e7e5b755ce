"""What a run used, and what that means for its output."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_results import ENGINE, make_fitted, make_speech, make_transcript, make_translation, untouched_lips

from f2f.licences_used import commercial_words, licences_used
from f2f.manifest import Job, build_manifest
from f2f.results import (
    Component,
    EngineInfo,
    Evaluation,
    MuxResult,
    SoundMix,
    SourceVideo,
    VideoScore,
)


def engine(name: str, licence: str, *parts: Component) -> EngineInfo:
    return EngineInfo(name=name, version="1", licence=licence, components=parts)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    video = SourceVideo(
        sha256="ab" * 32, duration_s=2.0, width=320, height=240, sample_aspect_ratio="1:1", fps="25/1",
        n_frames=50, audio_codec="aac", audio_sample_rate_hz=48_000, audio_channels=1,
    )  # fmt: skip
    transcript = make_transcript(((0.2, 0.9), (1.2, 1.6)))
    translation = make_translation(transcript)
    score = VideoScore(whole=None, reason="no face")
    separator = engine("demucs", "MIT")
    sound = SoundMix(
        background="separate", separator=separator, gain_db=0, loudness_lufs=-16, true_peak_dbtp=-1
    )
    vad = Component(name="silero-vad", licence="MIT")
    return Job(
        source=tmp_path / "lecture.mp4",
        output_name="lecture.hi.mp4",
        video=video,
        transcript=transcript.model_copy(update={"engine": engine("whisper", "MIT", vad)}),
        translation=translation.model_copy(update={"engine": engine("nllb", "CC-BY-NC-4.0")}),
        speech=make_speech(translation).model_copy(update={"engine": engine("espeak", "GPL-3.0-or-later")}),
        fitted=make_fitted(tmp_path, translation, 2.0),
        lips=untouched_lips(video),
        muxed=MuxResult(
            video="video.mp4", n_frames=50, duration_s=2, size_bytes=1, sound=sound,
            engine=engine("ffmpeg", "GPL-2.0-or-later"),
        ),
        evaluation=Evaluation(source=score, output=score, engine=engine("embedded", "MIT; CC BY 4.0 data")),
        lips_folder=tmp_path,
        muxed_folder=tmp_path,
    )  # fmt: skip


def test_everything_used_is_listed_with_its_licence(job: Job) -> None:
    listed = [(one.stage, one.name, one.commercial_use) for one in licences_used(job)]
    assert listed == [
        ("transcribe", "whisper", True), ("transcribe", "silero-vad", True), ("translate", "nllb", False),
        ("synthesize", "espeak", True), ("mux", "ffmpeg", True), ("mux", "demucs", True),
        ("evaluate", "embedded", True),
    ]  # fmt: skip
    assert build_manifest(job).licences == licences_used(job)


def test_the_strictest_licence_decides(job: Job) -> None:
    used = licences_used(job)
    assert commercial_words(used) == "Not for commercial use, because of nllb (CC-BY-NC-4.0)."
    free = [one for one in used if one.commercial_use]
    assert commercial_words(free) == "All of these licences allow commercial use."
    changes = {"detail": "lecture.en.srt", "licence": "that of the captions", "commercial_use": None}
    own = free[0].model_copy(update=changes)
    assert commercial_words([own, *free]) == (
        "Licences that are known here allow commercial use; look yourself at that of lecture.en.srt."
    )


def test_lips_that_stay_need_no_licence(job: Job) -> None:
    assert not [one for one in licences_used(job) if one.stage == "lipsync"]
    assert ENGINE.components == ()
