"""From what stands in a file to the edits it means, on top of earlier edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

from f2f.cues import is_unspaced, join_texts
from f2f.review.lines import REMOVED, TOLERANCE_S, Anchor, Edit, Line, Review, Row, name_line, next_id
from f2f.review.matching import Group, match

_OVERLAP_S = 0.02  # rounding, not a mistake


@dataclass
class Taken:
    """What a file says.

    Attributes:
        edits: all of them, by line id; earlier ones included.
        notes: remarks by line id.
        changed: ids of the lines that the file changed.
        told: what a person must know, one line each.
    """

    edits: dict[int, Edit]
    notes: dict[int, str]
    changed: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def take_rows(review: Review, rows: Sequence[Row], *, are_ids_kept: bool) -> Taken:
    """Compare rows with the lines as written and return the edits they mean.

    Args:
        review: lines as written, and earlier edits.
        rows: as read; without overlap, see :func:`overlaps`.
        are_ids_kept: False for subtitles, whose numbers editors make anew.
    """
    edits = {edit.id: edit for edit in review.edits}
    gone = [_line(edit) for edit in review.edits if edit.is_removed]
    hidden = {line.id for line in gone}
    if not are_ids_kept:
        hidden |= {line.id for line in review.written if not getattr(line, review.shown)}
    lines = sorted([*review.written, *gone], key=lambda line: line.start_s)
    taken = Taken(edits, dict(review.notes))
    known = [line.id for line in lines]
    known += [anchor.id for edit in review.edits for anchor in edit.anchors]
    merger = _Merger(taken, {line.id for line in gone}, are_ids_kept, review.is_translated, next_id(known))
    for group in match(lines, rows, are_ids_kept=are_ids_kept, hidden=hidden):
        merger.take(group)
    return taken


def overlaps(rows: Sequence[Row], word: str) -> list[str]:
    """Return one line for every row that begins before the one before it ends; ``word`` names a row."""
    ordered = sorted(rows, key=lambda row: (row.start_s, row.end_s))
    return [
        f"{word} {after.number} starts at {after.start_s:g} s, before {word} {before.number} ends "
        f"({before.end_s:g} s); give each its own time"
        for before, after in pairwise(ordered)
        if after.start_s < before.end_s - _OVERLAP_S
    ]


def divide_text(text: str, shares: Sequence[float]) -> list[str]:
    """Divide ``text`` between words so that the parts are as long as their shares; no word is lost."""
    pieces = text.split()
    glue = " "
    if len(pieces) < len(shares) and any(map(is_unspaced, text)):
        pieces, glue = list(text), ""
    total, length = sum(shares), sum(map(len, pieces))
    parts: list[list[str]] = [[] for _ in shares]
    index, passed, limit = 0, 0.0, shares[0] / total * length
    for piece in pieces:
        while index < len(shares) - 1 and passed + len(piece) / 2 > limit:
            index += 1
            limit += shares[index] / total * length
        parts[index].append(piece)
        passed += len(piece)
    return [glue.join(part).strip() for part in parts]


class _Merger:
    """Takes one group after the other."""

    def __init__(
        self, taken: Taken, gone: set[int], are_ids_kept: bool, is_translated: bool, first_id: int
    ) -> None:
        self._taken = taken
        self._gone = gone
        self._is_table = are_ids_kept
        self._is_translated = is_translated
        self._next_id = first_id

    def take(self, group: Group) -> None:
        """Add what became of the group's lines."""
        if not group.rows:
            self._remove(group.lines)
        elif len(group.lines) == len(group.rows) == 1 and group.lines[0].id not in self._gone:
            self._change(group.lines[0], group.rows[0])
        else:
            self._rearrange(group)

    def _remove(self, lines: Sequence[Line]) -> None:
        for line in lines:
            before = self._edit(line)
            if before.anchors:
                self._put(before.model_copy(update={"target": "", "edited": (REMOVED,)}))
            else:
                self._taken.edits.pop(line.id, None)  # a person's own line leaves nothing behind
                self._taken.changed.append(line.id)
            name = name_line(line.id, line.start_s, line.target or line.source)
            self._taken.told.append(f"{name} was deleted: silence there")

    def _change(self, line: Line, row: Row) -> None:
        self._note(line.id, line.note, row)
        changes: dict[str, object] = {}
        words = []
        start_s, end_s = _snap(row.start_s, [line.start_s]), _snap(row.end_s, [line.end_s])
        if (start_s, end_s) != (line.start_s, line.end_s):
            changes |= {"start_s": start_s, "end_s": end_s}
            words.append("times")
        fields: Mapping[str, str] = row.fields
        if fields.get("speaker", line.speaker or "") != (line.speaker or ""):
            changes["speaker"] = fields["speaker"] or None
            words.append("speaker")
        if fields.get("source", line.source) != line.source:
            changes["source"] = fields["source"]
            words.append("source")
        if fields.get("target", line.target) != line.target:
            changes["target"] = fields["target"]
            words.append("text")
            if not fields["target"]:
                name = name_line(line.id, line.start_s, line.target)
                self._taken.told.append(f"{name} was emptied: silence there")
        if words:
            before = self._edit(line)
            changes["edited"] = tuple(dict.fromkeys((*before.edited, *words)))
            self._put(before.model_copy(update=changes))

    def _rearrange(self, group: Group) -> None:
        """Put the rows of a split, a merge or an addition in the place of the lines."""
        kept = [line for line in group.lines if line.id not in self._gone]
        before = [self._edit(line) for line in group.lines]
        anchors = tuple({anchor.id: anchor for edit in before for anchor in edit.anchors}.values())
        first = self._edit(kept[0]) if kept else None
        sources, targets = self._sources(kept or group.lines, group.rows), self._targets(kept, group.rows)
        ids = self._ids(group)
        what = "split" if len(group.rows) > 1 and kept else "merged" if kept else "new"
        for line in group.lines:
            self._taken.edits.pop(line.id, None)
        for row, line_id, source, target in zip(group.rows, ids, sources, targets, strict=True):
            self._put(
                Edit(
                    id=line_id,
                    anchors=anchors,
                    start_s=_snap(row.start_s, [line.start_s for line in kept]),
                    end_s=_snap(row.end_s, [line.end_s for line in kept]),
                    speaker=row.fields.get("speaker", first.speaker if first else "") or None,
                    source=source,
                    target=target,
                    voice=first.voice if first else None,
                    edited=(what, *(("text",) if target is not None else ())),
                )
            )
            self._note(line_id, "; ".join(line.note for line in kept if line.note), row)
        if kept:
            names = ", ".join(str(line.id) for line in kept)
            now = ", ".join(map(str, ids))
            self._taken.told.append(f"line {names} was {what}: now line {now}")

    def _sources(self, lines: Sequence[Line], rows: Sequence[Row]) -> list[str]:
        """Return the spoken text of each row: as written where a person wrote it, else its share."""
        written = [row.fields.get("source") for row in rows]
        untouched = {None, *(line.source for line in lines)}
        if not lines or not all(text in untouched for text in written):
            return [text or "" for text in written]
        shares = [row.end_s - row.start_s for row in rows]
        return divide_text(reduce(join_texts, [line.source for line in lines if line.source], ""), shares)

    def _targets(self, kept: Sequence[Line], rows: Sequence[Row]) -> list[str | None]:
        """Return what each row says; None asks for a translation."""
        written = [row.fields.get("target") for row in rows]
        if not self._is_translated and not any(written):
            return [None] * len(rows)
        untouched = {None, *(line.target for line in kept)}
        if self._is_table and kept and all(text in untouched for text in written):
            return [None] * len(rows)
        if self._is_table and not kept:  # an added line: its own text, else that of its source
            return [text or None for text in written]
        return [text or "" for text in written]

    def _ids(self, group: Group) -> list[int]:
        """Keep the lines' ids, in order; more rows get new ones."""
        free = [line.id for line in group.lines]
        ids = []
        for _ in group.rows:
            if free:
                ids.append(free.pop(0))
            else:
                ids.append(self._next_id)
                self._next_id += 1
        return ids

    def _edit(self, line: Line) -> Edit:
        return self._taken.edits.get(line.id) or edit_of(line)

    def _put(self, edit: Edit) -> None:
        self._taken.edits[edit.id] = edit
        self._taken.changed.append(edit.id)

    def _note(self, line_id: int, written: str, row: Row) -> None:
        note = row.fields.get("note", written)
        if note != written:
            self._taken.notes[line_id] = note


def edit_of(line: Line) -> Edit:
    """Return an edit that changes nothing yet."""
    anchor = Anchor(id=line.id, start_s=line.start_s, end_s=line.end_s, text=line.source)
    return Edit(
        id=line.id,
        anchors=(anchor,),
        start_s=line.start_s,
        end_s=line.end_s,
        speaker=line.speaker,
        source=line.source,
    )


def _line(edit: Edit) -> Line:
    return Line(
        id=edit.id,
        start_s=edit.start_s,
        end_s=edit.end_s,
        speaker=edit.speaker,
        source=edit.source,
        target=edit.target or "",
    )


def _snap(time_s: float, exact: Sequence[float]) -> float:
    """Return the exact time that the file gives rounded, if it is one of these."""
    return next((one for one in exact if abs(one - time_s) <= TOLERANCE_S), time_s)
