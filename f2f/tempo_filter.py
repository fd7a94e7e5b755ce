"""The ffmpeg filter that changes the tempo of sound and keeps its pitch."""

from __future__ import annotations

import functools

ROUGHER = "this ffmpeg has no rubberband filter: atempo changes the tempo instead, slightly rougher"


def tempo_filter() -> str:
    """Return the filter up to its number: ``rubberband=tempo``, or ``atempo`` where that is missing."""
    return "rubberband=tempo" if has_rubberband() else "atempo"


@functools.lru_cache(maxsize=1)
def has_rubberband() -> bool:
    """Return whether the bundled ffmpeg has Rubber Band."""
    from lipsync_core.media import run_ffmpeg

    return b" rubberband " in run_ffmpeg(["-filters"], what="listing ffmpeg's filters")
