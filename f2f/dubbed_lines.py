"""Which segments are dubbed, and which keep the source's own sound."""

from __future__ import annotations

from collections.abc import Collection

from f2f.fitting import Line
from f2f.results import Speech, TranslatedSegment, Translation
from f2f.sentences import spoken_text


def dubbed_lines(translation: Translation, speech: Speech) -> list[Line]:
    """Return the segments that have a take, with their source times and the take's length."""
    lengths_s = {take.segment_id: take.duration_s for take in speech.takes}
    return [
        Line(one.segment.id, one.segment.start_s, one.segment.end_s, lengths_s[one.segment.id])
        for one in translation.segments
        if one.segment.id in lengths_s
    ]


def keeps_sound(one: TranslatedSegment, spoken: Collection[int]) -> bool:
    """Whether the source's own sound stays: said so, a sound or music, or the voice failed.

    A segment with words but without a translation of its own is part of its neighbour's.

    Args:
        one: the segment.
        spoken: ids of the segments that have a take.
    """
    if one.segment.id in spoken:
        return False
    is_speech = bool(spoken_text(one.segment.text))
    return one.segment.keep_original is not None or not is_speech or bool(one.text.strip())
