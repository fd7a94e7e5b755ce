"""What a batch shows a person in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from f2f.library.index_rows import visible
from f2f.library.summary import Row, Summary
from f2f.report.plot import clock

if TYPE_CHECKING:
    from rich.table import Table

_MAX_ROWS = 500
_ORDER = ("made", "unchanged", "failed", "quarantined", "waiting", "held", "refused")


def summary_table(summary: Summary) -> Table:
    """Return a table of everything that was not simply unchanged, by lecture."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("lecture", "language", "state"):
        table.add_column(column, overflow="fold")
    for column in ("duration", "took"):
        table.add_column(column, justify="right")
    table.add_column("reason", overflow="fold")
    for row in sorted(summary.rows.values(), key=lambda row: (row.lecture, row.target))[:_MAX_ROWS]:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    return table


def summary_lines(summary: Summary) -> list[str]:
    """Return what stands below the table."""
    counts = summary.counts
    lines = [
        ", ".join(f"{counts[state]} {state}" for state in _ORDER if state in counts) or "no lecture found"
    ]
    if len(summary.rows) > _MAX_ROWS:
        lines.insert(0, f"… and {len(summary.rows) - _MAX_ROWS} rows more")
    if "quarantined" in counts:
        lines.append(
            "quarantined: left alone until lecture or settings change; --retry-quarantined tries again"
        )
    if "waiting" in counts or "failed" in counts:
        lines.append("failed and waiting: the same command tries again")
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    duration = "" if row.duration_s is None else clock(row.duration_s)
    took = clock(row.seconds) if row.seconds else ""
    return visible(row.lecture), row.target, row.state, duration, took, visible(row.reason)
