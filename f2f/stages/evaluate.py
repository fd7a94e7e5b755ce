"""evaluate: lip-sync error of the source with its own sound, and of the output with the dub."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import EvaluateConfig
from f2f.engines.status import Choice, downloads_allowed
from f2f.engines.weights import (
    bring_weights,
    detector_component,
    plan_weights,
    resolve_weights,
    weights_engine,
)
from f2f.errors import StageError
from f2f.results import EngineInfo, Evaluation, LipSyncScore, ScoreCurve, SourceScore, VideoScore
from f2f.stage import StageContext

if TYPE_CHECKING:
    from lipsync_core.scoring import SyncScore
    from lipsync_core.scoring import VideoScore as CoreVideoScore

VERSION = 3
_log = logging.getLogger(__name__)


def plan(config: EvaluateConfig, profile: str, device: str) -> Choice:
    """Decide which SyncNet would measure; cheap.

    Raises:
        EngineUnavailableError: it is not here and cannot be fetched.
    """
    del device  # the numbers do not depend on it
    return plan_weights("syncnet", config.syncnet, allow_download=downloads_allowed(profile))


def evaluate_source(source: Path, config: EvaluateConfig, context: StageContext) -> SourceScore:
    """Measure the source against its own first sound. The same for every target language: run it once.

    Raises:
        EngineUnavailableError: the SyncNet weights are missing.
        LipSyncError: the video cannot be decoded.
    """
    score, engine = _score(source, "source", config, context)
    return SourceScore(score=score, engine=engine)


def evaluate(output: Path, source: SourceScore, config: EvaluateConfig, context: StageContext) -> Evaluation:
    """Measure the output against its dub and put it beside the source's score.

    Raises:
        EngineUnavailableError: the SyncNet weights are missing.
        LipSyncError: the video cannot be decoded.
        StageError: the source was measured with another SyncNet.
    """
    score, engine = _score(output, "output", config, context)
    if engine.detail != source.engine.detail:
        raise StageError(
            "evaluate",
            f"source was measured with {source.engine.detail}, output with {engine.detail}: such numbers "
            "cannot be compared; the weights changed during the run, run it again",
        )
    return Evaluation(source=source.score, output=score, engine=engine)


def _score(
    path: Path, what: str, config: EvaluateConfig, context: StageContext
) -> tuple[VideoScore, EngineInfo]:
    from lipsync_core.scoring import load_syncnet, score_video

    weights = resolve_weights("syncnet", config.syncnet, allow_download=downloads_allowed("auto"))
    weights = bring_weights(weights, lambda done, total: context.progress(done, total, "bytes"))
    engine = weights_engine(weights)
    engine = engine.model_copy(update={"components": (detector_component("centerface"),)})
    if engine.notice:
        context.notice(engine.notice)
    syncnet = load_syncnet("embedded" if weights.is_embedded else weights.name, context.device)
    measured = score_video(
        path, syncnet=syncnet, progress=lambda done, total: context.progress(done, total, "frames")
    )
    score = _to_result(measured)
    _log_score(score, what, engine)
    return score, engine


def _to_result(measured: CoreVideoScore) -> VideoScore:
    curve = measured.curve
    return VideoScore(
        whole=_to_score(measured.whole) if measured.whole else None,
        stretches=tuple(_to_score(track) for track in measured.tracks),
        curve=ScoreCurve(
            time_s=tuple(round(value, 3) for value in curve.time_s),
            lse_d=tuple(round(value, 4) for value in curve.distance),
            lse_c=tuple(round(value, 4) for value in curve.confidence),
        ),
        reason=measured.reason,
    )


def _to_score(score: SyncScore) -> LipSyncScore:
    return LipSyncScore(
        start_s=score.start_s,
        end_s=score.end_s,
        lse_d=score.distance,
        lse_c=score.confidence,
        offset_frames=score.offset,
        n_windows=score.n_windows,
    )


def _log_score(score: VideoScore, what: str, engine: EngineInfo) -> None:
    if score.whole is None:
        _log.info("%s: lip sync not measured: %s", what, score.reason)
        return
    for name, one in [
        ("whole", score.whole),
        *((f"stretch {n}", s) for n, s in enumerate(score.stretches, 1)),
    ]:
        _log.info(
            "%s, %s (%.1f to %.1f s): LSE-D %.3f, LSE-C %.3f, offset %+d frames, SyncNet %s",
            what, name, one.start_s, one.end_s, one.lse_d, one.lse_c, one.offset_frames, engine.name,
        )  # fmt: skip
