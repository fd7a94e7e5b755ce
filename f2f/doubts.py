"""Recognised text that nobody said: such segments keep the sound of the source and are reported."""

from __future__ import annotations

from collections.abc import Sequence

from f2f.repetition import LOOP_REASON
from f2f.results import Segment
from f2f.speech_regions import Region, speech_share

SILENCE_REASON = "no voice is heard where this text was recognised"

_MIN_SPEECH = 0.05
_DOUBTFUL_SPEECH, _DOUBTFUL_CONFIDENCE = 0.3, 0.22  # exp(-1.5): hardly any voice, and hardly believed


def keep_doubtful(segments: Sequence[Segment], regions: Sequence[Region]) -> tuple[Segment, ...]:
    """Return the segments with ``keep_original`` set where no voice is heard.

    Args:
        segments: as they were recognised.
        regions: stretches with speech, by a detector that is independent of the recogniser.
    """
    return tuple(
        one.model_copy(update={"keep_original": SILENCE_REASON})
        if one.keep_original is None and _is_silent(one, regions)
        else one
        for one in segments
    )


def is_invented(segment: Segment) -> bool:
    """Whether nobody said the text of ``segment``, so that it is not to be shown either."""
    return segment.keep_original in (LOOP_REASON, SILENCE_REASON)


def describe_kept(segments: Sequence[Segment]) -> list[str]:
    """Return one line for each reason for which segments keep the sound of the source."""
    lines = []
    for reason in dict.fromkeys(one.keep_original for one in segments if one.keep_original):
        kept = [one for one in segments if one.keep_original == reason]
        text = kept[0].text if len(kept[0].text) <= 40 else f"{kept[0].text[:39]}…"
        noun = "segment keeps" if len(kept) == 1 else "segments keep"
        lines.append(
            f"{len(kept)} {noun} the original sound: {reason} "
            f"({'at' if len(kept) == 1 else 'the first at'} {kept[0].start_s:.1f} s: “{text}”)"
        )
    return lines


def _is_silent(segment: Segment, regions: Sequence[Region]) -> bool:
    share = speech_share(regions, segment.start_s, segment.end_s)
    confidence = 1.0 if segment.confidence is None else segment.confidence
    return share < _MIN_SPEECH or (share < _DOUBTFUL_SPEECH and confidence < _DOUBTFUL_CONFIDENCE)
