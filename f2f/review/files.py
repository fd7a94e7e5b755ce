"""The table and the subtitles beside the output, and the edits in the workspace."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from f2f.errors import PreflightError, UsageError
from f2f.request import Request
from f2f.review.lines import Review, Row
from f2f.review.merging import overlaps
from f2f.review.spreadsheet import format_table, parse_table
from f2f.review.subtitles import format_subtitles, parse_subtitles
from f2f.workspace import hash_bytes, hash_file, write_atomically, write_bytes_atomically

FOLDER_NAME = "review"


def table_path(request: Request, target: str) -> Path:
    """Return where the table lies, ``lecture.hi.csv``."""
    return request.output_path(target, ".csv")


def subtitles_path(request: Request, target: str) -> Path:
    """Return where the subtitles to edit lie: ``lecture.hi.srt`` would be a translation that is spoken."""
    return request.output_path(target, ".review.srt")


def review_paths(request: Request, target: str) -> tuple[Path, Path]:
    """Return both."""
    return table_path(request, target), subtitles_path(request, target)


def read_review(root: Path, target: str) -> Review:
    """Return what a person changed so far; nothing where there was no review yet.

    Raises:
        UsageError: the record of it is damaged.
    """
    path = root / FOLDER_NAME / f"{target}.json"
    if not path.exists():
        return Review()
    try:
        return Review.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise UsageError(
            f"{path}, which holds the edits made so far, is damaged ({type(error).__name__}): restore it, or "
            "move it away to go on without them"
        ) from error


def write_review(root: Path, target: str, review: Review) -> None:
    """Keep what a person changed."""
    write_atomically(root / FOLDER_NAME / f"{target}.json", review.model_dump_json(indent=1))


def edited_files(request: Request, target: str, review: Review) -> list[Path]:
    """Return which of the files differ from how they were written or read last."""
    return [
        path
        for path in review_paths(request, target)
        if path.exists() and (not path.is_file() or hash_file(path) not in review.files.get(path.name, ()))
    ]


def foreign_files(request: Request) -> list[str]:
    """Return one line for each file that a run which stops would overwrite though it holds edits."""
    lines = []
    for target in request.targets:
        review = read_review(request.workspace_root, target)
        for path in edited_files(request, target, review):
            remedy = "f2f resume takes the edits" if path.name in review.files else "move it away"
            lines.append(f"{path} was edited, or not made by f2f: {remedy}, or give --force to write it anew")
    return lines


def write_tables(request: Request, target: str, review: Review) -> None:
    """Write both files where they are not up to date, whatever lies there.

    Args:
        request: says where the files lie.
        target: the language.
        review: with the lines to write in ``written``.
    """
    table, subtitles = review_paths(request, target)
    contents = {
        table: format_table(review.written),
        subtitles: format_subtitles(review.written, review.shown),
    }
    # Written first, with what lay there: whatever kills us in between, neither file looks edited.
    files = {
        path.name: tuple(dict.fromkeys((hash_bytes(content), *review.files.get(path.name, ())[:1])))
        for path, content in contents.items()
    }
    write_review(request.workspace_root, target, review.model_copy(update={"files": files}))
    request.output_dir.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        if not path.is_file() or path.read_bytes() != content:
            write_bytes_atomically(path, content)


def read_rows(path: Path, review: Review) -> list[Row]:
    """Read one of the files.

    Args:
        path: the table or the subtitles.
        review: says what the subtitles show, and how long the video is.

    Raises:
        PreflightError: with one line for everything in it that cannot be used.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PreflightError([f"{path} cannot be read: {error.strerror or error}"]) from error
    if path.suffix == ".csv":
        rows, word = parse_table(data, path.name), "row"
    else:
        rows = parse_subtitles(data, path.name, review.shown)
        word = "subtitle"
    problems = [f"{path.name}: {problem}" for problem in overlaps(rows, word)]
    end_s = review.duration_s
    if end_s is not None:
        problems += [
            f"{path.name} {word} {row.number} starts at {row.start_s:g} s, after the end of the video "
            f"({end_s:.1f} s); correct its time or delete it"
            for row in rows
            if row.start_s >= end_s
        ]
    if problems:
        raise PreflightError(problems)
    return rows
