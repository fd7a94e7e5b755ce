"""lipsync: new lower faces for the frames in which someone speaks, stored as patches."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import LipsyncConfig
from f2f.engines.status import Choice, EngineStatus, downloads_allowed, package_version
from f2f.engines.weights import (
    bring_weights,
    detector_component,
    plan_weights,
    resolve_weights,
    weights_engine,
)
from f2f.errors import EngineUnavailableError, UsageError
from f2f.results import (
    EngineInfo,
    FaceStretch,
    FittedSpeech,
    LipRuntime,
    LipSyncResult,
    SourceVideo,
    Transcript,
)
from f2f.stage import StageContext

if TYPE_CHECKING:
    from lipsync_core.inference import LipSyncer, SyncedFrame
    from lipsync_core.runtime import FaceSource

VERSION = 4
PAD_S = 0.15
"""The mouth opens before the first sound and closes after the last."""
MERGE_GAP_S = 0.3
"""Shorter pauses are part of the speech: a mouth that is handed over twice a second flickers."""
_PATCHES_NAME = "patches.mkv"
Box = tuple[float, float, float, float]  # x1, y1, x2, y2, pixels


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

    Everything else, faceless frames above all, stays as it is: no patch is stored for it.

    Raises:
        EngineUnavailableError: the weights are missing.
        LipSyncError: weights or video are unusable.
    """
    if config.engine == "none":
        return _untouched(video)
    from lipsync_core.media import queue_length, read_ahead, read_audio, read_pictures
    from lipsync_core.runtime import FaceSource

    syncer, engine = _load(config, context)
    if engine.notice:
        context.notice(engine.notice)
    fps = Fraction(video.fps)
    active = active_frames(speech_spans(transcript, fitted), fps, video.n_frames)
    waveform = read_audio(fitted_folder / fitted.wav)
    spoken = [index for index, is_active in enumerate(active) if is_active]
    runtime = _choose_runtime(syncer, FaceSource(source, fps, spoken, waveform), context) if spoken else None
    stretches = StretchCounter()
    n_ahead = queue_length(video.width, video.height)
    with closing(read_ahead(read_pictures(source, fps=fps), n_ahead)) as frames:
        synced = syncer(frames, waveform, float(fps), active=active)
        n_synced = _store(synced, context, fps, video.n_frames, stretches)
    warnings: tuple[str, ...] = ()
    if n_synced == 0 and any(active):
        warnings = (
            "no face was found while someone speaks: the picture stays as it is, only the voice is new",
        )
        context.notice(warnings[0])
    return LipSyncResult(
        patches=_PATCHES_NAME if n_synced else None,
        n_frames=video.n_frames,
        n_synced=n_synced,
        stretches=stretches.finished(),
        engine=engine,
        warnings=warnings,
        runtime=runtime,
    )


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


class StretchCounter:
    """Joins consecutive frames with the same tracked face into `FaceStretch`es."""

    def __init__(self) -> None:
        self._done: list[FaceStretch] = []
        self._first = 0
        self._n_frames = 0
        self._n_synced = 0
        self._heights = 0.0
        self._box: Box | None = None

    def push(self, index: int, box: Box | None, *, is_synced: bool) -> None:
        """Add frame ``index`` with its face, None where it has none; frames come in order."""
        if self._box is not None and (box is None or not _overlap(self._box, box)):
            self._close()
        if box is not None:
            if self._box is None:
                self._first = index
            self._n_frames += 1
            self._n_synced += is_synced
            self._heights += box[3] - box[1]
        self._box = box

    def finished(self) -> tuple[FaceStretch, ...]:
        """Return all stretches; the last is closed."""
        if self._box is not None:
            self._close()
        return tuple(self._done)

    def _close(self) -> None:
        self._done.append(
            FaceStretch(
                first_frame=self._first,
                last_frame=self._first + self._n_frames - 1,
                n_synced=self._n_synced,
                mean_box_height_px=round(self._heights / self._n_frames, 1),
            )
        )
        self._n_frames = self._n_synced = 0
        self._heights, self._box = 0.0, None


def _overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a fifth of the smaller one; after a cut they do not."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width > 0 and height > 0 and width * height > smaller / 5


def _store(
    synced: Iterable[SyncedFrame],
    context: StageContext,
    fps: Fraction,
    n_frames: int,
    stretches: StretchCounter,
) -> int:
    """Write the patches of all frames as they come and return how many there are; no patch, no file."""
    from lipsync_core.inference import PatchWriter

    n_synced = 0
    writer: PatchWriter | None = None
    with ExitStack() as stack:
        for frame in synced:
            if frame.index >= n_frames:  # a source may decode to a frame more than its length says
                break
            if frame.patch is not None:
                writer = writer or stack.enter_context(PatchWriter(context.folder / _PATCHES_NAME, fps))
                writer.write(frame.index, frame.patch)
                n_synced += 1
            stretches.push(
                frame.index, frame.face.box if frame.face else None, is_synced=frame.patch is not None
            )
            context.progress(frame.index + 1, n_frames, "frames")
    return n_synced


def _load(config: LipsyncConfig, context: StageContext) -> tuple[LipSyncer, EngineInfo]:
    from lipsync_core.inference import load_syncer

    choice = _choice(config)
    weights = resolve_weights("wav2lip", choice, allow_download=downloads_allowed("auto"))
    weights = bring_weights(weights, lambda done, total: context.progress(done, total, "bytes"))
    name = str(weights.path) if config.weights else "embedded" if weights.is_embedded else weights.name
    syncer = load_syncer(name, context.device, detector=config.detector, allow_download=False)
    syncer.batch_size = config.batch_size or syncer.batch_size
    syncer.use_engine(config.runtime)
    engine = weights_engine(weights)
    detector = type(syncer.detector).__name__
    components = (detector_component(syncer.detector.name),)
    detail = f"{engine.detail}; faces found by {detector}"
    return syncer, engine.model_copy(update={"detail": detail, "components": components})


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


def _choose_runtime(syncer: LipSyncer, source: FaceSource, context: StageContext) -> LipRuntime:
    """Let the engine be chosen on faces of the video, and say so unless it is plain torch."""
    choice = syncer.choose_engine(source)
    if choice.name != "torch":
        context.notice(f"lips are generated with {choice}")
    difference = choice.difference
    differs = difference is not None and difference.max_abs > 0
    return LipRuntime(
        name=choice.name,
        reason=choice.reason,
        psnr_db=round(difference.psnr_db, 1) if difference is not None and differs else None,
        max_difference=None if difference is None else difference.max_abs,
        faces_per_s=None if choice.faces_per_s is None else round(choice.faces_per_s, 1),
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
