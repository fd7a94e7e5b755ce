"""lipsync: new lower faces for the frames in which someone speaks, stored as patches."""

from __future__ import annotations

import importlib.util
import math
import shutil
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import LipsyncConfig
from f2f.engines.status import Choice, EngineStatus, downloads_allowed, package_version
from f2f.engines.weights import detector_component, plan_weights, weights_engine
from f2f.errors import EngineUnavailableError, UsageError
from f2f.lips.job import LipJob, environment_of, plan_seeks, spoken_runs
from f2f.lips.making import hash_weights, load_lips
from f2f.lips.parts import plan_parts
from f2f.lips.running import begin, join_parts, make_parts, tell_of_split
from f2f.results import EngineInfo, FittedSpeech, LipSyncResult, SourceVideo, Transcript
from f2f.stage import StageContext

if TYPE_CHECKING:
    from lipsync_core.inference import LipSyncer
    from lipsync_core.weights import Weights

VERSION = 5
PAD_S = 0.15
"""The mouth opens before the first sound and closes after the last."""
MERGE_GAP_S = 0.3
"""Shorter pauses are part of the speech: a mouth that is handed over twice a second flickers."""
_PARTS_NAME = "parts"


def plan(config: LipsyncConfig, profile: str, device: str) -> Choice:
    """Decide which weights would move the lips; cheap.

    Raises:
        EngineUnavailableError: the chosen weights are not here and cannot be fetched, or the chosen runtime
            is not installed.
        UsageError: the given file or the chosen runtime cannot be used.
    """
    if config.engine == "none":
        status = EngineStatus("none", ready=True, reason="asked for: lips stay as they are")
        return Choice("none", "none", (status,))
    _refuse_absent_runtime(config.runtime, device)
    return plan_weights("wav2lip", _choice(config), allow_download=downloads_allowed(profile))


def lipsync(
    source: Path,
    video: SourceVideo,
    transcript: Transcript,
    fitted: FittedSpeech,
    fitted_folder: Path,
    config: LipsyncConfig,
    context: StageContext,
) -> LipSyncResult:
    """Generate the lower face wherever the source or the dub speaks.

    Everything else, faceless frames above all, stays as it is: no patch is stored for it. The video is cut
    into parts (`f2f.lips.parts`), and each begins anew, so the result is the same whoever makes them, where
    and when. Parts that an earlier attempt finished are taken from ``context.parts_folder``.

    Raises:
        EngineUnavailableError: the weights are missing.
        LipSyncError: weights or video are unusable.
        StageError: who makes the parts elsewhere failed.
    """
    if config.engine == "none":
        return _untouched(video)
    from lipsync_core.media import read_audio

    syncer, weights = load_lips(
        config, context.device, lambda done, total: context.progress(done, total, "bytes")
    )
    engine = _engine_info(syncer, weights, config)
    if engine.notice:
        context.notice(engine.notice)
    folder = context.parts_folder or context.folder / _PARTS_NAME
    wav = fitted_folder / fitted.wav
    draft, why_not_sought = _draft(source, video, speech_spans(transcript, fitted), wav, config)
    environment = environment_of(context.device, hash_weights(weights))
    draft = draft.model_copy(update={"device": context.device, "environment": environment})
    waveform = read_audio(wav)
    job = begin(folder, draft, syncer, waveform, context)
    if context.map_parts is not None:
        tell_of_split(job, why_not_sought, context)
    make_parts(folder, job, syncer, waveform, context)
    result = join_parts(folder, job, engine, context)
    shutil.rmtree(context.folder / _PARTS_NAME, ignore_errors=True)
    return result


def _draft(
    source: Path,
    video: SourceVideo,
    spans: Sequence[tuple[float, float]],
    wav: Path,
    config: LipsyncConfig,
) -> tuple[LipJob, str]:
    """Return the job without what is known of this machine, and why parts are not sought out, if so."""
    fps = Fraction(video.fps)
    active = active_frames(spans, fps, video.n_frames)
    parts, reason = plan_seeks(source, fps, plan_parts(active, fps, config.min_part_s))
    job = LipJob(
        source=source.absolute(),
        source_bytes=source.stat().st_size,
        fps=video.fps,
        n_frames=video.n_frames,
        width=video.width,
        height=video.height,
        wav=wav.absolute(),
        spoken=spoken_runs(active),
        parts=parts,
        config=config,
        device="cpu",
        environment={},
    )
    return job, reason


def speech_spans(transcript: Transcript, fitted: FittedSpeech) -> list[tuple[float, float]]:
    """Return (start_s, end_s) of all speech, the source's and the dub's.

    Where only the source speaks its mouth moves without a sound in the output, so it must be replaced too;
    not so in segments that keep their own sound.
    """
    own = [one for one in transcript.segments if one.keep_original is None and one.id not in fitted.undubbed]
    spans = [(one.start_s, one.end_s) for one in own]
    return spans + [(placement.start_s, placement.end_s) for placement in fitted.placements]


def active_frames(spans: Iterable[tuple[float, float]], fps: Fraction, n_frames: int) -> list[bool]:
    """Return for each frame whether its lips must be generated.

    Args:
        spans: (start_s, end_s) of speech in any order; padded by `PAD_S`, and pauses between them that are
            shorter than `MERGE_GAP_S` are filled.
        fps: frames a second.
        n_frames: length of the answer.
    """
    active = [False] * n_frames
    for start_s, end_s in _merged(sorted((s - PAD_S, e + PAD_S) for s, e in spans if e > s)):
        first, last = max(0, _frame_at(start_s, fps)), min(n_frames - 1, _frame_at(end_s, fps))
        active[first : last + 1] = [True] * max(0, last + 1 - first)
    return active


def _engine_info(syncer: LipSyncer, weights: Weights, config: LipsyncConfig) -> EngineInfo:
    engine = weights_engine(weights)
    detector = type(syncer.detector).__name__
    components = (detector_component(syncer.detector.name),)
    detail = f"{engine.detail}; faces found by {detector}"
    return engine.model_copy(update={"detail": detail, "components": components})


def _refuse_absent_runtime(runtime: str, device: str) -> None:
    """Say at once, without loading anything, what `lipsync_core.runtime` would say later."""
    if not runtime.startswith("openvino"):
        return
    if device != "cpu":
        raise UsageError(f"lipsync.runtime {runtime} runs on the CPU, not on {device}: add --device cpu")
    if importlib.util.find_spec("openvino") is None:
        raise EngineUnavailableError(
            f"lipsync.runtime {runtime} needs the package openvino: pip install openvino"
        )


def _choice(config: LipsyncConfig) -> str:
    return str(config.weights) if config.weights else config.engine


def _untouched(video: SourceVideo) -> LipSyncResult:
    engine = EngineInfo(
        name="none",
        version=package_version("f2f"),
        licence="MIT",
        detail="lips stay as they are, as asked for",
    )
    return LipSyncResult(patches=None, n_frames=video.n_frames, n_synced=0, stretches=(), engine=engine)


def _frame_at(time_s: float, fps: Fraction) -> int:
    return math.floor(time_s * fps)


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start_s, end_s in spans:
        if merged and start_s - merged[-1][1] < MERGE_GAP_S:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
