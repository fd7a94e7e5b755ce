"""A finished translation in small, for tests of what is shown of it."""

from __future__ import annotations

from pathlib import Path

from f2f.manifest import Job, Manifest, build_manifest
from f2f.results import (
    EngineInfo,
    Evaluation,
    FaceStretch,
    FittedSpeech,
    LipSyncResult,
    LipSyncScore,
    MuxResult,
    Placement,
    Segment,
    SourceVideo,
    Speech,
    Take,
    Transcript,
    TranslatedSegment,
    Translation,
    VideoScore,
)


def engine(name: str, notice: str | None = None) -> EngineInfo:
    return EngineInfo(name=name, version="1", licence="MIT", detail=f"{name}-detail", notice=notice)


def make_manifest(
    source: Path, target: str = "hi", notice: str | None = "a lesser engine was used"
) -> Manifest:
    """Two segments (one unspoken), one synced stretch over frames 10–29 of 50 at 25 fps."""
    segments = (
        Segment(id=1, start_s=0.0, end_s=0.9, text="Good morning"),
        Segment(id=2, start_s=65.25, end_s=66.0, text="[applause]"),
    )
    score = LipSyncScore(start_s=0.4, end_s=1.16, lse_d=8.12345, lse_c=5.5, offset_frames=-1, n_windows=16)
    fitted = FittedSpeech(
        wav="speech.wav",
        sample_rate_hz=48000,
        duration_s=2.0,
        overflow_s=0.0,
        placements=(
            Placement(
                segment_id=1, start_s=0.0, end_s=0.8, slot_end_s=0.85, tempo=1.15, decision="a little faster"
            ),
        ),
        warnings=("segment 1 is fast",),
    )
    job = Job(
        source=source,
        output_name=f"{source.stem}.{target}.mp4",
        video=SourceVideo(
            sha256="0" * 64,
            duration_s=2.0,
            width=320,
            height=240,
            sample_aspect_ratio="1:1",
            fps="25/1",
            n_frames=50,
            audio_codec="aac",
            audio_sample_rate_hz=16000,
            audio_channels=1,
        ),
        transcript=Transcript(language="en", segments=segments, engine=engine("captions")),
        translation=Translation(
            source_language="en",
            target_language=target,
            segments=(
                TranslatedSegment(segment=segments[0], text="सुप्रभात"),
                TranslatedSegment(segment=segments[1], text=""),
            ),
            engine=engine("captions"),
        ),
        speech=Speech(
            takes=(Take(segment_id=1, wav="1.wav", duration_s=0.9, sample_rate_hz=22050, voice="hi+f2"),),
            engine=engine("espeak", notice),
        ),
        fitted=fitted,
        lips_folder=source.parent,
        muxed_folder=source.parent,
        lips=LipSyncResult(
            patches="patches.mkv",
            n_frames=50,
            n_synced=20,
            stretches=(
                FaceStretch(first_frame=0, last_frame=9, n_synced=0, mean_box_height_px=90.0),
                FaceStretch(first_frame=10, last_frame=29, n_synced=20, mean_box_height_px=92.0),
            ),
            engine=engine("embedded"),
        ),
        muxed=MuxResult(
            video="video.mp4", n_frames=50, duration_s=2.0, size_bytes=1000, engine=engine("x264")
        ),
        evaluation=Evaluation(
            source=VideoScore(whole=score, stretches=(score,)),
            output=VideoScore(whole=None, reason="no face was found"),
            engine=engine("syncnet"),
        ),
    )
    return build_manifest(job)
