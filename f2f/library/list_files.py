"""What stands in a list of lectures, row by row, as text or as YAML's values."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from f2f.errors import UsageError
from f2f.glossary import number_rows
from f2f.yaml_file import read_yaml


def read_csv_rows(path: Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each row of a CSV list: where it stands, and column → cell; empty cells are left out.

    Args:
        path: with the columns' names in its first row.
        problems: gets a line for each row that has too many cells.

    Raises:
        UsageError: it cannot be read, or does not name its columns.
    """
    try:
        rows = [
            row for row in number_rows(path.read_text(encoding="utf-8-sig")) if any(map(str.strip, row[1]))
        ]
    except UnicodeDecodeError as error:
        raise UsageError(f"list {path} is not in UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise UsageError(f"list {path} cannot be read: {error}") from error
    heading = [_key(cell) for cell in rows[0][1]] if rows else []
    if "lecture" not in heading:
        raise UsageError(
            f"list {path}: the first row must name the columns, 'lecture' among them, not {heading}"
        )
    if len(set(heading)) < len(heading):
        raise UsageError(f"list {path}: two columns have one name in {heading}")
    for number, row in rows[1:]:
        if any(cell.strip() for cell in row[len(heading) :]):
            problems.append(f"{path.name}, line {number}: {len(row)} cells, but {len(heading)} columns")
            continue
        yield (
            f"{path.name}, line {number}",
            {key: cell.strip() for key, cell in zip(heading, row, strict=False) if cell.strip()},
        )


def read_yaml_entries(path: Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each entry of a YAML list: where it stands, and key → value.

    Args:
        path: with a list of names or of mappings.
        problems: gets a line for each entry in which two keys are one.

    Raises:
        UsageError: it cannot be read, or is no list.
    """
    entries = read_yaml(path, "list")
    if not isinstance(entries, list):
        raise UsageError(f"list {path} must be a list of entries like '- lecture: week1/intro.mp4'")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            entry = {"lecture": entry}
        values = {_key(str(key)): value for key, value in entry.items()}
        if len(values) < len(entry):
            problems.append(f"{path.name}, entry {number}: two keys have one name in {list(entry)}")
            continue
        yield f"{path.name}, entry {number}", values


def _key(heading: str) -> str:
    """Return the name of a column, which options of commands write with a hyphen."""
    return heading.strip().casefold().replace("-", "_")
