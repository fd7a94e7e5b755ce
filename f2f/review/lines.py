"""What a person sees of a segment, and what a person changed in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from f2f.results import Result, Segment

FORMAT = "f2f-review/1"
REMOVED = "removed"
TOLERANCE_S = 0.00051
"""Times are written in milliseconds: what differs by less is the same."""


class Line(Result):
    """One line of the table, as it was written."""

    id: int
    start_s: float
    end_s: float
    speaker: str | None = None
    source: str = ""
    target: str = ""
    note: str = ""


class Anchor(Result):
    """A segment as it was heard, to which an edit belongs."""

    id: int
    start_s: float
    end_s: float
    text: str


class Edit(Result):
    """A line as a person wants it, in place of the segments that it is anchored to."""

    id: int
    anchors: tuple[Anchor, ...]
    """Empty for a line that the person added."""
    start_s: float
    end_s: float
    speaker: str | None = None
    source: str = ""
    target: str | None = None
    """What is to be said; None leaves it to the translation."""
    voice: str | None = None
    take: int = 0
    edited: tuple[str, ...] = ()
    """``text``, ``source``, ``times``, ``speaker``, ``voice``, ``take``, ``new``, ``split``, ``merged`` or
    ``removed``."""

    @property
    def is_removed(self) -> bool:
        """Whether nothing is to be said here."""
        return REMOVED in self.edited


class Review(Result):
    """All that a person changed in one language of one source, and the files as they were last written."""

    format: str = FORMAT
    edits: tuple[Edit, ...] = ()
    notes: Mapping[int, str] = {}
    """Remarks by line id."""
    written: tuple[Line, ...] = ()
    is_translated: bool = False
    """Whether the lines as written have a target; the subtitles show the source until then."""
    duration_s: float | None = None
    """Of the video."""
    files: Mapping[str, tuple[str, ...]] = {}
    """SHA-256 of each file as it was written or read last, and before that, by name."""

    @property
    def shown(self) -> Literal["source", "target"]:
        """What the subtitles show."""
        return "target" if self.is_translated else "source"


@dataclass(frozen=True)
class Row:
    """One line as it stands in a file.

    Attributes:
        number: of the row or subtitle, counted as a person counts.
        id: of the segment, None where the file does not say.
        start_s, end_s: in seconds, ``end_s > start_s``; exact to ``TOLERANCE_S``.
        fields: texts by name (``speaker``, ``source``, ``target``, ``note``), as far as the file has them.
    """

    number: int
    id: int | None
    start_s: float
    end_s: float
    fields: Mapping[str, str]


def anchor_of(segment: Segment) -> Anchor:
    """Return the anchor for a segment as it was heard."""
    return Anchor(id=segment.id, start_s=segment.start_s, end_s=segment.end_s, text=one_line(segment.text))


def one_line(text: str) -> str:
    """Return ``text`` as it stands in a cell."""
    return " ".join(text.split())


def overlap_s(first: Line | Row | Segment | Anchor, second: Line | Row | Segment | Anchor) -> float:
    """Return for how long both last at the same time."""
    return max(0.0, min(first.end_s, second.end_s) - max(first.start_s, second.start_s))


def name_line(line_id: int, start_s: float, text: str) -> str:
    """Return ``line 12 (0:31.4, “Hello …”)``."""
    tenths = round(start_s * 10)
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    return f"line {line_id} ({tenths // 600}:{tenths % 600 / 10:04.1f}, “{shown}”)"


def next_id(taken: Iterable[int]) -> int:
    """Return an id above all that are taken."""
    return max(taken, default=0) + 1
