"""A film of five lines, the commands, and the files that a person edits between them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from f2f import cli

LINES = [
    (0.0, 1.0, "one"),
    (1.5, 2.5, "two"),
    (3.0, 4.0, "three"),
    (5.0, 7.0, "four five"),
    (8.0, 9.0, "six"),
]
RENDERING = ["synthesize hi", "fit hi", "lipsync embedded", "mux hi", "evaluate", "report"]


def f2f(*words: str | Path, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == code, done.stderr
    return done


def stop(film: Path, stage: str = "translate") -> Path:
    f2f("translate", film, "--to", "hi", "--until", stage)
    return film.with_name("lecture.hi.csv")


def read_table(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline="")))


def write_table(table: Path, rows: list[dict[str, str]]) -> None:
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edit(table: Path, number: int, **cells: str) -> None:
    rows = read_table(table)
    rows[number] |= cells
    write_table(table, rows)


def manifest(film: Path) -> Any:
    return json.loads(film.with_name("lecture.hi.json").read_text())


def dub(film: Path) -> list[str]:
    return film.with_name("lecture.hi.mp4").read_text().removesuffix(" crf 18").split(" | ")
