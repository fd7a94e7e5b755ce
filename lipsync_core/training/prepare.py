"""Preparation without a sync filter, in one process: for evaluation, where nothing may be left out."""

from __future__ import annotations

import logging
from pathlib import Path

from lipsync_core.errors import InvalidInputError
from lipsync_core.training.shard_writer import SourceReport
from lipsync_core.training.shards import CLIP_SUFFIXES, FPS, HEAD_STORE_PX, ClipRecord

__all__ = ["CLIP_SUFFIXES", "FPS", "HEAD_STORE_PX", "ClipRecord", "prepare"]

logger = logging.getLogger(__name__)


def prepare(source: Path, target: Path) -> int:
    """Prepare every clip below ``source`` into the new folder ``target`` and return how many were kept.

    Clips without a face or without sound are left out with a warning; see `lipsync_core.training.preprocess`.

    Raises:
        InvalidInputError: no clips below ``source``, none that can be used, or ``target`` exists.
    """
    from lipsync_core.training.preprocess import PreprocessOptions, preprocess

    if target.exists():
        raise InvalidInputError(f"{target} exists; give a new folder or delete it first")
    part = target.with_name(target.name + ".part")  # goes on where a killed run was
    options = PreprocessOptions(is_filtered=False, min_seconds=0.6)
    summary = preprocess(source, part, options, _warn)
    if not summary.n_kept:
        raise InvalidInputError(
            f"none of the {summary.n_sources} clips below {source} holds a face and sound"
        )
    part.replace(target)
    return summary.n_kept


def _warn(report: SourceReport, done: int, total: int) -> None:
    if not report.clips:
        reason = report.error or ", ".join(sorted({dropped["reason"] for dropped in report.dropped}))
        logger.warning("left out %s: %s", report.source, reason)
    if done % 50 == 0:
        logger.info("prepared %d of %d clips", done, total)
