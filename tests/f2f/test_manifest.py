from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_results import ENGINE, make_fitted, make_speech, make_transcript, make_translation, untouched_lips

from f2f.manifest import (
    Job,
    Manifest,
    StageRecord,
    all_notices,
    all_warnings,
    build_manifest,
    segment_entries,
    synthetic_statement,
)
from f2f.report.page import tempo_words
from f2f.results import EngineInfo, Evaluation, LipSyncScore, MuxResult, SourceVideo, VideoScore

SCORE = LipSyncScore(start_s=0, end_s=2, lse_d=7.25, lse_c=3.5, offset_frames=-1, n_windows=46)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    video = SourceVideo(
        sha256="ab" * 32, duration_s=2.0, width=320, height=240, sample_aspect_ratio="1:1", fps="25/1",
        n_frames=50, audio_codec="aac", audio_sample_rate_hz=48_000, audio_channels=1,
    )  # fmt: skip
    transcript = make_transcript(((0.2, 0.9), (1.2, 1.6), (1.7, 1.9)))
    translation = make_translation(transcript)
    syncnet = EngineInfo(name="embedded", version="1", licence="MIT", detail="s", notice="compact SyncNet")
    return Job(
        source=tmp_path / "lecture.mp4",
        output_name="lecture.hi.mp4",
        video=video,
        transcript=transcript,
        translation=translation,
        speech=make_speech(translation),
        fitted=make_fitted(tmp_path, translation, 2.0, overflow_s=0.2),
        lips=untouched_lips(video),
        muxed=MuxResult(video="video.mp4", n_frames=55, duration_s=2.2, size_bytes=12_345, engine=ENGINE),
        evaluation=Evaluation(source=VideoScore(whole=SCORE), output=VideoScore(whole=SCORE), engine=syncnet),
        lips_folder=tmp_path,
        muxed_folder=tmp_path,
        stages=(StageRecord(stage="probe", seconds=0.5, reused=True, peak_memory_mib=90.5),),
        notices=("espeak speaks", "segment 2 overflows", "espeak speaks"),
        command="f2f translate lecture.mp4 --to hi",
    )


def test_every_segment_with_all_that_happened_to_it(job: Job) -> None:
    entries = segment_entries(job)
    assert [entry.id for entry in entries] == [0, 1, 2]
    assert entries[0].source_text == "Hello <b>all</b> & welcome."
    assert entries[0].target_text == "नमस्ते, सबका स्वागत है।"
    assert entries[0].voice == "hi+f0" and entries[0].fit is not None and entries[0].fit.tempo == 1.25
    assert entries[2].voice is None and entries[2].fit is None and entries[2].target_text == ""


def test_manifest_survives_json_and_is_complete(job: Job) -> None:
    text = build_manifest(job).model_dump_json()
    assert Manifest.model_validate_json(text) == build_manifest(job)
    data = json.loads(text)
    assert data["synthetic"] is True and "Synthetic" in data["statement"]
    assert data["source"]["name"] == "lecture.mp4" and data["source"]["sha256"] == "ab" * 32
    assert data["output"] == {
        "name": "lecture.hi.mp4", "language": "hi", "duration_s": 2.2, "n_frames": 55, "size_bytes": 12_345,
        "overflow_s": 0.2, "sound": None,
    }  # fmt: skip
    assert data["licences"][-1]["licence"] == "MIT" and data["licences"][-1]["commercial_use"] is True
    assert data["metrics"]["output"]["whole"]["lse_d"] == 7.25
    assert data["metrics"]["engine"]["name"] == "embedded"
    assert data["stages"][0] == {
        "stage": "probe", "seconds": 0.5, "reused": True, "engine": None, "peak_memory_mib": 90.5,
        "real_time_factor": 0.25,
    }  # fmt: skip
    assert str(job.muxed_folder) not in text, "folders of the workspace do not belong into a file to hand on"


def test_warnings_and_notices_come_once_each(job: Job) -> None:
    assert all_warnings(job) == ("segment 9 has no word to say", "segment 2 overflows")
    assert all_notices(job) == ("espeak speaks", "compact SyncNet")


def test_statement_says_only_what_is_true() -> None:
    with_lips = synthetic_statement("en", "hi", lips=True)
    without = synthetic_statement("en", "hi", lips=False)
    assert "lip movements" in with_lips and "lip" not in without
    for text in (with_lips, without):
        assert all(word in text for word in ("Synthetic", "voice", "AI", "English", "Hindi", "f2f"))


def test_what_was_said_and_how_and_on_whose_word(job: Job) -> None:
    first = job.speech.takes[0].model_copy(update={"text": "नमस्ते।", "native_rate": 1.1, "tries": 3})
    speech = job.speech.model_copy(
        update={"takes": (first, *job.speech.takes[1:]), "consent": True, "cloned": ("S1",)}
    )
    manifest = build_manifest(replace(job, speech=speech))
    entry = manifest.segments[0]
    assert (entry.target_text, entry.native_rate, entry.tries) == ("नमस्ते।", 1.1, 3)
    assert manifest.segments[1].target_text == job.translation.segments[1].text
    assert manifest.segments[2].tries == 0  # nothing was said
    assert tempo_words(entry) == "1.25× (voice 1.10×)" and tempo_words(manifest.segments[2]) == "–"
    assert manifest.voices.consent and manifest.voices.cloned == ("S1",)
    assert not build_manifest(job).voices.consent
