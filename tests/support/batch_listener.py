"""Hears a batch in place of a console."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from f2f.library.summary import Row
from f2f.stage import SilentObserver


class Told:
    """Keeps what a batch told of languages."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []

    def working(self, *args: object) -> AbstractContextManager[SilentObserver]:
        return nullcontext(SilentObserver())

    def row(self, row: Row) -> None:
        self.rows.append((row.target, row.state))

    def note(self, *args: object) -> None:
        """Ignore."""
