"""The same lines as subtitles, for those who review in a subtitle editor: one cue for each line with text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from f2f.errors import PreflightError
from f2f.review.lines import Line, Row

_TIME = r"(\d{1,3}):(\d{2}):(\d{2})(?:[,.](\d{1,3}))?"
_ARROW = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_TAG = re.compile(r"</?(?:[biu]|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}", re.I)


def format_subtitles(lines: Iterable[Line], field: str) -> bytes:
    """Return SRT with ``field`` (``"source"`` or ``"target"``) of every line that has any, numbered by id."""
    blocks = [
        f"{line.id}\n{_clock(line.start_s)} --> {_clock(line.end_s)}\n{getattr(line, field)}\n"
        for line in lines
        if getattr(line, field)
    ]
    return "\n".join(blocks).encode()


def parse_subtitles(data: bytes, name: str, field: str) -> list[Row]:
    """Read the cues of an SRT file, in its own order; numbers may have changed.

    Args:
        data: content of the file.
        name: file name, for messages.
        field: what the text is: ``"source"`` or ``"target"``.

    Raises:
        PreflightError: with one line for every cue that cannot be used.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise PreflightError([f"{name} is not UTF-8: save it again with that encoding"]) from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    starts = [index for index, line in enumerate(lines) if _ARROW.match(line)]
    problems = [
        f"{name} line {index + 1}: {line.strip()[:40]!r} is no time; write 00:00:12,500 --> 00:00:14,000"
        for index, line in enumerate(lines)
        if "-->" in line and not _ARROW.match(line)
    ]
    if not starts and not problems:
        problems = [f"{name} has no subtitle: delete the file to go on without it"]
    rows: list[Row] = []
    for number, (index, following) in enumerate(zip(starts, [*starts[1:], None], strict=False), start=1):
        row = _row(number, lines, index, following, field)
        if row.end_s <= row.start_s:
            problems.append(f"{name} subtitle {number} (line {index + 1}): it ends before it starts")
        rows.append(row)
    if problems:
        raise PreflightError(problems)
    return rows


def _row(number: int, lines: list[str], index: int, following: int | None, field: str) -> Row:
    """Read the cue whose timing stands in ``lines[index]``."""
    times = _ARROW.match(lines[index])
    assert times is not None
    payload = lines[index + 1 : following]
    if following is not None:
        payload = _without_number(payload)
    above = lines[index - 1].strip() if index else ""
    said = " ".join(_TAG.sub("", " ".join(payload)).split())
    return Row(
        number=number,
        id=int(above) if above.isdecimal() and len(above) < 10 else None,
        start_s=_seconds(times.groups()[:4]),
        end_s=_seconds(times.groups()[4:]),
        fields={field: said},
    )


def _without_number(payload: list[str]) -> list[str]:
    """Leave out the number of the next cue, the last line before its timing."""
    if payload and payload[-1].strip().isdecimal():
        return payload[:-1]
    return payload


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(f"{seconds}.{fraction or 0}")


def _clock(seconds: float) -> str:
    total = round(seconds * 1000)
    return f"{total // 3_600_000:02d}:{total // 60_000 % 60:02d}:{total // 1000 % 60:02d},{total % 1000:03d}"
