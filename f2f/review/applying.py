"""Edits put onto a transcript and its translation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from f2f.results import Segment, Transcript, TranslatedSegment, Translation
from f2f.review.lines import Anchor, Edit, Line, Review, anchor_of, name_line, next_id, one_line, overlap_s

UNCHANGED = "its translation stands"
_SHORTEST_S = 0.1


@dataclass(frozen=True)
class Edited:
    """A transcript with a person's edits in it.

    Attributes:
        segments: in time order, each with the edit that made it and the segment that was heard there.
        lost: edits that have no place in this transcript, one line each.
    """

    segments: tuple[tuple[Segment, Edit | None, Segment | None], ...]
    lost: tuple[str, ...] = ()

    def untranslated(self, *, is_heard_translated: bool) -> dict[int, Segment]:
        """Return the segments that need a translation of their own, by id.

        Args:
            is_heard_translated: there is a translation of what was heard, so that only those need one whose
                text or time a person changed; else all do that a person did not translate.
        """
        return {
            segment.id: segment
            for segment, edit, heard in self.segments
            if (edit is None or edit.target is None)
            and segment.text
            and not (is_heard_translated and _says_the_same(segment, heard))
        }

    def transcript(self, heard: Transcript) -> Transcript:
        """Return the transcript with the edits in it."""
        return heard.model_copy(update={"segments": tuple(segment for segment, _, _ in self.segments)})

    def translation(self, made: Translation, anew: Mapping[int, TranslatedSegment]) -> Translation:
        """Return the translation with the edits in it.

        Args:
            made: of the transcript as it was heard.
            anew: what stands for it in the segments that have a translation of their own, by id.
        """
        by_id = {one.segment.id: one for one in made.segments}
        said = []
        for segment, edit, heard in self.segments:
            entry = TranslatedSegment(segment=segment, text="")
            if edit is not None and edit.target is not None:
                entry = TranslatedSegment(segment=segment, text=edit.target)
            elif segment.id in anew:
                entry = anew[segment.id]
            elif heard is not None and heard.id in by_id:
                entry = by_id[heard.id]
            changes: dict[str, object] = {"segment": segment}
            if edit is not None:
                changes |= {"edited": edit.edited, "voice": edit.voice, "take": edit.take}
            said.append(entry.model_copy(update=changes))
        return made.model_copy(update={"segments": tuple(said)})


def apply_edits(transcript: Transcript, edits: Sequence[Edit]) -> Edited:
    """Put every edit in the place of the segments it is anchored to.

    An anchor is the segment of its id at its time; where the transcript is another one by now, the segment
    that shares most of its time. What is heard under a person's line belongs to it.
    """
    claimed: set[int] = set()
    placed: list[tuple[Segment, Edit | None, Segment | None]] = []
    lost = []
    for edit in edits:
        found = [one for anchor in edit.anchors if (one := _find(anchor, transcript.segments)) is not None]
        if edit.anchors and not found:
            name = name_line(edit.id, edit.start_s, edit.target or edit.source)
            lost.append(f"the edit of {name} is left out: nothing is heard there any more")
            continue
        claimed |= {one.id for one in found}
        heard = found[0] if len(found) == 1 else None
        placed.append((_segment(edit, heard, found), edit, heard))
    live = [segment for segment, edit, _ in placed if edit is not None and not edit.is_removed]
    left = [one for one in transcript.segments if one.id not in claimed and not _is_covered(one, live)]
    placed += [(one, None, one) for one in left]
    placed.sort(key=lambda one: (one[0].start_s, one[0].end_s))
    return Edited(tuple(_unique(_apart(placed))), tuple(lost))


def masked(transcript: Transcript, wanted: Collection[int]) -> Transcript:
    """Return the transcript in which only the ``wanted`` segments are to be translated."""
    segments = tuple(
        one
        if one.id in wanted or one.keep_original is not None
        else one.model_copy(update={"keep_original": UNCHANGED})
        for one in transcript.segments
    )
    return transcript.model_copy(update={"segments": segments})


def table_lines(
    transcript: Transcript, translation: Translation | None, notes: Mapping[int, str], gone: Collection[int]
) -> list[Line]:
    """Return the lines of the table.

    Args:
        transcript: with the edits in it.
        translation: the same; None before there is one.
        notes: remarks of a person by line id; else a line has those of the translation.
        gone: ids of the lines that a person deleted.
    """
    said = {one.segment.id: one for one in translation.segments} if translation else {}
    lines = []
    for segment in transcript.segments:
        if segment.id in gone:
            continue
        entry = said.get(segment.id)
        remarks = list(entry.problems) if entry else []
        if segment.keep_original is not None:
            remarks.insert(0, f"the original sound stays: {segment.keep_original}")
        lines.append(
            Line(
                id=segment.id,
                start_s=segment.start_s,
                end_s=segment.end_s,
                speaker=segment.speaker,
                source=one_line(segment.text),
                target=one_line(entry.text) if entry else "",
                note=one_line(notes.get(segment.id, "; ".join(remarks))),
            )
        )
    return lines


def removed_ids(review: Review) -> set[int]:
    """Return the ids of the lines that a person deleted."""
    return {edit.id for edit in review.edits if edit.is_removed}


def _find(anchor: Anchor, segments: Sequence[Segment]) -> Segment | None:
    exact = next((one for one in segments if anchor_of(one) == anchor), None)
    if exact is not None:
        return exact
    best = max(segments, key=lambda one: overlap_s(one, anchor), default=None)
    if best is None or overlap_s(best, anchor) < 0.5 * (anchor.end_s - anchor.start_s):
        return None
    return best


def _is_covered(segment: Segment, lines: Sequence[Segment]) -> bool:
    """Whether a person's line takes up most of the segment, as in a transcript of other segments."""
    return any(overlap_s(segment, one) > 0.5 * (segment.end_s - segment.start_s) for one in lines)


def _segment(edit: Edit, heard: Segment | None, found: Sequence[Segment]) -> Segment:
    is_text_kept = heard is not None and one_line(heard.text) == edit.source
    is_kept = is_text_kept and heard is not None and _span(heard) == (edit.start_s, edit.end_s)
    reasons = [one.keep_original for one in found if one.keep_original is not None]
    says = bool(edit.target) or (edit.target is None and any(one in edit.edited for one in ("source", "new")))
    return Segment(
        id=edit.id,
        start_s=edit.start_s,
        end_s=edit.end_s,
        text=heard.text if heard and is_text_kept else edit.source,
        speaker=edit.speaker,
        confidence=heard.confidence if heard and is_kept else None,
        words=heard.words if heard and is_kept else (),
        keep_original=None if says or not reasons else reasons[0],
    )


def _apart(
    placed: Sequence[tuple[Segment, Edit | None, Segment | None]],
) -> list[tuple[Segment, Edit | None, Segment | None]]:
    """Leave out deleted lines that others now cover, and end a line where the next begins."""
    live = [one for one in placed if one[1] is None or not one[1].is_removed]
    free = [one for one in placed if one not in live and not any(overlap_s(one[0], two[0]) for two in live)]
    ordered = sorted([*live, *free], key=lambda one: (one[0].start_s, one[0].end_s))
    apart: list[tuple[Segment, Edit | None, Segment | None]] = []
    for (segment, edit, heard), following in zip(ordered, [*ordered[1:], None], strict=True):
        end_s = min(segment.end_s, following[0].start_s) if following else segment.end_s
        end_s = max(end_s, min(segment.end_s, segment.start_s + _SHORTEST_S))
        apart.append((segment.model_copy(update={"end_s": end_s}), edit, heard))
    return apart


def _unique(
    placed: Sequence[tuple[Segment, Edit | None, Segment | None]],
) -> list[tuple[Segment, Edit | None, Segment | None]]:
    """Give segments of another transcript ids of their own where an edit has theirs."""
    taken = {edit.id for _, edit, _ in placed if edit is not None}
    highest = next_id([*taken, *(segment.id for segment, _, _ in placed)])
    unique = []
    for segment, edit, heard in placed:
        if edit is None and segment.id in taken:
            segment, highest = segment.model_copy(update={"id": highest}), highest + 1
        unique.append((segment, edit, heard))
    return unique


def _says_the_same(segment: Segment, heard: Segment | None) -> bool:
    return heard is not None and segment.text == heard.text and _span(segment) == _span(heard)


def _span(segment: Segment) -> tuple[float, float]:
    return segment.start_s, segment.end_s
