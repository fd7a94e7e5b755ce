"""The table that a spreadsheet program opens: ``id, start, end, speaker, source, target, note``.

Written as UTF-8 with a byte order mark, by which such programs know the encoding; times are plain seconds,
which they leave as they are. Read as they write it: comma, semicolon or tab, UTF-8 or UTF-16, numbers with a
comma, also times such as 0:00:12.5.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence

from f2f.errors import PreflightError
from f2f.review.lines import Line, Row

COLUMNS = ("id", "start", "end", "speaker", "source", "target", "note")
_TEXTS = ("speaker", "source", "target", "note")
_CLOCK = re.compile(r"^(?:(?:(\d+):)?(\d{1,2}):)?(\d+)(?:[.,](\d+))?$")
_FORMULA = re.compile(r"^'*[=+\-@]")
_ESCAPED = re.compile(r"^'+[=+\-@]")
_FAILED_FORMULA = re.compile(r"^#(NAME\?|REF!|VALUE!|NULL!|NUM!|N/A|DIV/0!|SPILL!|CALC!)|^Err:\d+$")
_CELL_LIMIT = 2**20


def format_table(lines: Iterable[Line]) -> bytes:
    """Return the file for these lines; text that a spreadsheet would take for a formula gets a '."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        texts = (line.speaker or "", line.source, line.target, line.note)
        writer.writerow([line.id, f"{line.start_s:.3f}", f"{line.end_s:.3f}", *map(_escape, texts)])
    return codecs.BOM_UTF8 + text.getvalue().encode()


def parse_table(data: bytes, name: str) -> list[Row]:
    """Read the rows of a table, in its own order.

    Args:
        data: content of the file.
        name: file name, for messages.

    Raises:
        PreflightError: with one line for every row that cannot be used.
    """
    records = _records(_decode(data, name), name)
    columns = _columns(records[0] if records else [], name)
    rows: list[Row] = []
    problems: list[str] = []
    for number, record in enumerate(records[1:], start=2):
        if not any(cell.strip() for cell in record):
            continue
        found = _row(number, record, columns)
        if isinstance(found, Row):
            rows.append(found)
        else:
            problems += [f"{name} row {number}: {problem}" for problem in found]
    if problems:
        raise PreflightError(problems)
    if not rows:
        raise PreflightError([f"{name} has no row: delete the file to go on without it"])
    return rows


def _decode(data: bytes, name: str) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PreflightError(
            [f"{name} is not UTF-8 (line {line}): save it again as “CSV UTF-8”, which keeps all letters"]
        ) from error


def _records(text: str, name: str) -> list[list[str]]:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        records.extend(reader)
    except csv.Error as error:
        raise PreflightError(
            [
                f"{name} row {len(records) + 1} (line {reader.line_num}): {error}; text with a quote in it "
                'is written "like ""this"""'
            ]
        ) from error
    return records


def _columns(header: Sequence[str], name: str) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    problems = [f"no column {column!r}" for column in ("start", "end") if column not in columns]
    if not {"source", "target"} & set(columns):
        problems.append("neither a column 'source' nor 'target'")
    problems += [f"a column {column!r}, which is not known" for column in columns if column not in COLUMNS]
    problems += [f"two columns {column!r}" for column in COLUMNS if columns.count(column) > 1]
    if problems:
        raise PreflightError(
            [
                f"{name} has {', '.join(problems)}: its first row must be {','.join(COLUMNS)} (remarks go "
                "into note)"
            ]
        )
    return columns


def _row(number: int, record: Sequence[str], columns: Sequence[str]) -> Row | list[str]:
    """Return the row, or what is wrong with it."""
    record = list(record)
    while len(record) > len(columns) and not record[-1].strip():
        record.pop()
    if len(record) == len(columns) - 1 and columns[-1] == "note":
        record.append("")
    if len(record) != len(columns):
        return [
            f"{len(record)} cells where the first row has {len(columns)}; text with the separator in it "
            "belongs in quotes"
        ]
    cells = dict(zip(columns, record, strict=True))
    problems: list[str] = []
    line_id = _id(cells.get("id", ""), problems)
    start_s = _time(cells["start"], "start", problems)
    end_s = _time(cells["end"], "end", problems)
    if not problems and end_s <= start_s:
        problems.append(f"it ends ({cells['end']}) before it starts ({cells['start']}); correct one of them")
    fields = {column: _unescape(cells[column]) for column in _TEXTS if column in cells}
    problems += [
        f"{column} is {text!r}: the spreadsheet took the text for a formula; write it again, with ' before it"
        for column, text in fields.items()
        if _FAILED_FORMULA.match(text)
    ]
    if problems:
        return problems
    return Row(number, line_id, start_s, end_s, fields)


def _id(cell: str, problems: list[str]) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(?:[.,]0+)?", text):
        problems.append(f"id {text[:20]!r} is no whole number; leave it empty for a new line")
        return None
    return int(re.split("[.,]", text)[0])


def _time(cell: str, column: str, problems: list[str]) -> float:
    found = _CLOCK.match(cell.strip())
    if found is None:
        problems.append(f"{column} {cell.strip()[:20]!r} is no time; write seconds as 12.5, or 0:00:12.5")
        return 0.0
    hours, minutes, seconds, fraction = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _escape(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _unescape(cell: str) -> str:
    text = " ".join(cell.split())
    return text[1:] if _ESCAPED.match(text) else text
