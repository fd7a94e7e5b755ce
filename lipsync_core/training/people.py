"""Tells people of one video apart as far as that is certain: who is seen at the same time is not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from lipsync_core.training.shards import ClipRecord

MIN_TOGETHER_FRAMES = 5  # two boxes of one face may overlap for a moment

Span = tuple[int, int]  # first frame of a track, and the one behind its last


def people_of(spans: Mapping[int, Span]) -> dict[int, int]:
    """Number the people of face tracks: 1, 2, ... for those seen beside another one, 0 for all others.

    Tracks that are never seen beside another one are taken to show one person, as the clips of a folder are:
    nothing tells here whether somebody returns after a cut.

    Args:
        spans: of each track.
    """
    beside_others = [
        track
        for track, (first, end) in sorted(spans.items())
        if any(
            min(end, other_end) - max(first, other_first) >= MIN_TOGETHER_FRAMES
            for other, (other_first, other_end) in spans.items()
            if other != track
        )
    ]
    return dict.fromkeys(spans, 0) | {track: number for number, track in enumerate(beside_others, 1)}


def with_people(clips: Sequence[ClipRecord], spans: Mapping[int, Span]) -> list[ClipRecord]:
    """Return the clips of one video, with an identity of their own for tracks seen beside another one.

    Only tracks of which a clip was kept count: an audience in the background makes no crowd of the speaker.

    Args:
        clips: of one source.
        spans: of all tracks of that source.
    """
    people = people_of({clip.track: spans[clip.track] for clip in clips})
    return [
        replace(clip, person=person, identity=f"{clip.identity}/{PurePosixPath(clip.source).stem}#{person}")
        if (person := people[clip.track])
        else clip
        for clip in clips
    ]
