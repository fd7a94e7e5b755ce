"""A translation that a person wrote: found, looked through before the work, and laid over the segments."""

from __future__ import annotations

import hashlib
from pathlib import Path

from f2f.captions import Captions, find_sidecar, read_captions
from f2f.config import TranslateConfig
from f2f.cues import Cue, match_by_time
from f2f.engines.status import Choice, EngineStatus, package_version
from f2f.errors import CaptionError, EngineUnavailableError
from f2f.languages import Language
from f2f.results import EngineInfo, Segment, Transcript
from f2f.stage import StageContext

LICENCE = "that of the captions"
_FAR_S = 10.0  # a caption so far from all speech belongs to something else


def find_translation(source: Path | None, target: Language, config: TranslateConfig) -> Path | None:
    """Return the translation that is given, or lies beside the video; None where there is none to look for.

    Raises:
        EngineUnavailableError: it is wanted, and there is none.
    """
    if config.engine not in ("auto", "captions"):
        return None
    found = config.translation or (find_sidecar(source, target.code) if source else None)
    if found is None and config.engine == "captions":
        beside = f"put {source.stem}.{target.code}.srt beside the video, or " if source else ""
        raise EngineUnavailableError(f"no captions in {target}: {beside}give --translation FILE")
    return found


def choose_captions(
    path: Path, target: Language, statuses: tuple[EngineStatus, ...], notice: str | None
) -> Choice:
    """Read the translation once, so that what is wrong with it is known before the work.

    Raises:
        CaptionError: it cannot be used.
    """
    try:
        captions: Captions = read_captions(path, target.code)
    except CaptionError as exc:
        raise CaptionError(f"{exc}; or move it away, or name an engine with --mt") from exc
    content = "\n".join(f"{cue.start_s} {cue.end_s} {cue.text}" for cue in captions)
    known = f"captions {hashlib.sha256(content.encode()).hexdigest()}"
    return Choice("captions", known, statuses, notice, inputs=(path,))


def lay_over(
    path: Path, target: Language, transcript: Transcript, context: StageContext
) -> tuple[list[str], EngineInfo]:
    """Return for each segment the text of the captions at its time, "" where there is none.

    Raises:
        CaptionError: no caption is near any speech.
    """
    captions = read_captions(path, target.code)
    for note in captions.notes:
        context.notice(note)
    segments = transcript.segments
    near = [cue for cue in captions.cues if _distance_s(cue, segments) <= _FAR_S]
    if not near:
        raise CaptionError(
            f"{captions.name} runs from {captions.cues[0].start_s:.1f} s to {captions.cues[-1].end_s:.1f} s, "
            "where nothing is said: it belongs to another video, or is shifted"
        )
    if len(near) < len(captions):
        n_far = len(captions) - len(near)
        context.notice(
            f"{captions.name}: {n_far} captions more than {_FAR_S:.0f} s from any speech are left out"
        )
    texts, covered = match_by_time(segments, near)
    silent = [segment for segment, is_covered in zip(segments, covered, strict=True) if not is_covered]
    if silent:
        context.notice(
            f"{captions.name} has no line for {len(silent)} of {len(segments)} segments, which stay silent "
            f"(the first at {silent[0].start_s:.1f} s: {silent[0].text[:40]!r})"
        )
    engine = EngineInfo(
        name="captions",
        version=f"pysubs2 {package_version('pysubs2')}",
        licence=LICENCE,
        detail=captions.name,
    )
    return texts, engine


def _distance_s(cue: Cue, segments: tuple[Segment, ...]) -> float:
    return min((max(one.start_s - cue.end_s, cue.start_s - one.end_s, 0.0) for one in segments), default=0.0)
