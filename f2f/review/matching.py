"""Which lines of a file are which lines as written, however they were split, merged and renumbered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from f2f.review.lines import Line, Row, overlap_s


@dataclass(frozen=True)
class Group:
    """Lines and what became of them.

    Attributes:
        lines: in time order; empty for a line that was added.
        rows: in time order; empty for a line that was deleted. Several rows: it was split. Several lines:
            they were merged.
    """

    lines: tuple[Line, ...]
    rows: tuple[Row, ...]


def match(
    lines: Sequence[Line], rows: Sequence[Row], *, are_ids_kept: bool, hidden: Collection[int] = ()
) -> list[Group]:
    """Find for every row the line it came from, and for every line what became of it.

    A row belongs to the line whose id it bears, else to the line that it shares most time with, if that is
    half of the shorter one. A line that no row belongs to was merged into the row that covers half of it,
    else it was deleted. Each line and row is in exactly one group.

    Args:
        lines: as written, without overlap.
        rows: as read.
        are_ids_kept: False where ids may be new numbers, as subtitle editors give; then one counts only for
            a line at the same time.
        hidden: ids of lines that the file did not show; nothing follows from their absence.
    """
    by_id = {line.id: line for line in lines}
    members: dict[int, list[Row]] = {line.id: [] for line in lines}
    new: list[Row] = []
    for row in rows:
        line = by_id.get(row.id) if row.id is not None else None
        if line is None or not ((are_ids_kept and line.id not in hidden) or _is_same_time(line, row)):
            line = _nearest(lines, row)
        if line is None:
            new.append(row)
        else:
            members[line.id].append(row)
    absorbed: dict[int, list[Line]] = {}
    groups = [Group((), (row,)) for row in new]
    for line in lines:
        if members[line.id]:
            continue
        cover = max(rows, key=lambda row: overlap_s(line, row), default=None)
        if cover is not None and overlap_s(line, cover) >= 0.5 * (line.end_s - line.start_s):
            absorbed.setdefault(cover.number, []).append(line)
        elif line.id not in hidden:
            groups.append(Group((line,), ()))
    for line_id, own in members.items():
        if own:
            merged = [line for row in own for line in absorbed.pop(row.number, [])]
            groups.append(_group([by_id[line_id], *merged], own))
    groups = [_with_absorbed(group, absorbed) for group in groups]
    return sorted(groups, key=lambda group: (group.rows or group.lines)[0].start_s)


def _group(lines: Sequence[Line], rows: Sequence[Row]) -> Group:
    return Group(
        tuple(sorted(lines, key=lambda line: line.start_s)), tuple(sorted(rows, key=lambda row: row.start_s))
    )


def _with_absorbed(group: Group, absorbed: dict[int, list[Line]]) -> Group:
    """Give an added row the lines that it covers."""
    if group.lines or not group.rows or group.rows[0].number not in absorbed:
        return group
    return _group(absorbed[group.rows[0].number], group.rows)


def _is_same_time(line: Line, row: Row) -> bool:
    return overlap_s(line, row) >= 0.5 * min(line.end_s - line.start_s, row.end_s - row.start_s)


def _nearest(lines: Sequence[Line], row: Row) -> Line | None:
    best = max(lines, key=lambda line: overlap_s(line, row), default=None)
    return best if best is not None and _is_same_time(best, row) and overlap_s(best, row) > 0 else None
