"""stills: where the picture may be slowed, because it stands still and shows no face."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

from f2f.engines.status import package_version
from f2f.engines.weights import detector_component
from f2f.results import EngineInfo, SourceVideo, Stills
from f2f.stage import StageContext
from f2f.still_picture import LOOKS_PER_S, MAX_LINES, find_still

VERSION = 1


def stills(source: Path, video: SourceVideo, context: StageContext) -> Stills:
    """Look at the picture five times a second; frames pass by, none is kept.

    Raises:
        LipSyncError: the video cannot be decoded, or the face detector is not here.
    """
    from lipsync_core.faces import load_detector
    from lipsync_core.media import read_frames

    detector = load_detector("auto", context.device)
    lines = min(video.height, MAX_LINES)
    size = (max(2, round(video.width * lines / video.height)), lines)
    with contextlib.closing(read_frames(source, fps=Fraction(LOOKS_PER_S), size=size)) as frames:
        found = find_still(
            frames, detector, lambda seen_s: context.progress(seen_s, video.duration_s, "s of picture")
        )
        spans = tuple((start_s, min(end_s, video.duration_s)) for start_s, end_s in found)
    engine = EngineInfo(
        name="stillness",
        version=package_version("f2f"),
        licence="MIT",
        detail=f"{LOOKS_PER_S} looks a second",
        components=(detector_component(detector.name),),
    )
    return Stills(spans=spans, engine=engine)
