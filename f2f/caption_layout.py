"""How a text becomes captions on the screen: lines of 42 columns, two at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

LINE_WIDTH = 42  # columns; two lines of it fit every player's picture
LINES_PER_CUE = 2


def format_srt(cues: Iterable[tuple[float, float, str]]) -> str:
    """Return ``(start_s, end_s, text)`` as the content of an SRT file; empty texts are left out."""
    shown = [cue for cue in cues if cue[2].strip()]
    blocks: list[str] = []
    free_ms = 0
    for i, (start_s, end_s, text) in enumerate(shown):
        limit_s = shown[i + 1][0] if i + 1 < len(shown) and shown[i + 1][0] > start_s else end_s
        for first_ms, last_ms, lines in _split_cue(start_s, min(end_s, limit_s), text):
            first_ms = max(first_ms, free_ms)
            free_ms = max(last_ms, first_ms + 1)
            times = f"{_clock(first_ms)} --> {_clock(free_ms)}"
            blocks.append(f"{len(blocks) + 1}\n{times}\n" + "\n".join(lines) + "\n")
    return "\n".join(blocks)


def _split_cue(start_s: float, end_s: float, text: str) -> list[tuple[int, int, list[str]]]:
    """Return ``(first_ms, last_ms, lines)`` of one or more captions for ``text``."""
    rows = _wrap(text.split(), LINE_WIDTH)
    n_cues = -(-len(rows) // LINES_PER_CUE)
    if n_cues == 1:
        groups = [_balance(text.split(), len(rows))]
    else:
        groups = [rows[i : i + LINES_PER_CUE] for i in range(0, len(rows), LINES_PER_CUE)]
    sizes = [sum(map(_width, group)) or 1 for group in groups]
    edges = [start_s + (end_s - start_s) * sum(sizes[:i]) / sum(sizes) for i in range(len(groups) + 1)]
    milliseconds = [round(edge * 1000) for edge in edges]
    return [(milliseconds[i], milliseconds[i + 1], group) for i, group in enumerate(groups)]


def _balance(words: Sequence[str], n_rows: int) -> list[str]:
    """Wrap into ``n_rows`` rows of about equal width."""
    for width in range(LINE_WIDTH // 2, LINE_WIDTH):
        rows = _wrap(words, width)
        if len(rows) <= n_rows and all(_width(row) <= LINE_WIDTH for row in rows):
            return rows
    return _wrap(words, LINE_WIDTH)


def _wrap(words: Sequence[str], width: int) -> list[str]:
    """Fill rows of at most ``width`` columns; a longer word (text without spaces) is cut."""
    rows = [""]
    for word in words:
        for piece in _pieces(word, width):
            joined = f"{rows[-1]} {piece}" if rows[-1] else piece
            if rows[-1] and _width(joined) > width:
                rows.append(piece)
            else:
                rows[-1] = joined
    return rows


def _pieces(word: str, width: int) -> list[str]:
    if _width(word) <= width:
        return [word]
    pieces = [""]
    for character in word:
        is_mark = unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
        if _width(pieces[-1] + character) > width and not is_mark:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _width(text: str) -> int:
    """Columns that a text takes: marks none, East Asian wide characters two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) + wide - marks


def _clock(milliseconds: int) -> str:
    hours, rest = divmod(max(0, milliseconds), 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
