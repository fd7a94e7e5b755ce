"""Rows of measurements as text for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.videos import Summary, VideoRow
from lipsync_core.whole_files import whole_file

COLUMNS = {
    "lse_d": ("LSE-D", "{:.3f}"),
    "lse_c": ("LSE-C", "{:.3f}"),
    "offset_frames": ("offset", "{:+.0f}"),
    "psnr_db": ("PSNR", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "face_psnr_db": ("face PSNR", "{:.2f}"),
    "face_ssim": ("face SSIM", "{:.4f}"),
    "lmd_px": ("LMD", "{:.3f}"),
}
CSV_FIELDS = (
    "video", "track", "start_s", "end_s", "n_windows", *COLUMNS, "syncnet", "mode", "reference", "error",
)  # fmt: skip
NAME_WIDTH = 40


def number(value: float | None, form: str) -> str:
    """Return a number for people: a dash for none, a sign for infinity."""
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else form.format(value)


def video_lines(row: VideoRow) -> Iterator[str]:
    """Yield the lines of one video: one per face track, then the whole, then what else was measured."""
    score = row.score
    if score is not None:
        named = [(f"track {i}", track) for i, track in enumerate(score.tracks, 1)]
        for name, track in [*named, *([("whole", score.whole)] if score.whole else [])]:
            yield (
                f"{name:9} {track.start_s:8.2f}-{track.end_s:.2f} s  LSE-D {track.distance:7.3f}  "
                f"LSE-C {track.confidence:7.3f}  offset {track.offset:+d} frames  ({track.n_windows} windows)"
            )
    if row.comparison is not None:
        means = row.comparison.means()
        words = [f"{COLUMNS[n][0]} {number(v, COLUMNS[n][1])}" for n, v in means.items() if v is not None]
        same = row.comparison.psnr_db.n_infinite
        yield f"against {row.comparison.reference}: {'  '.join(words)}  ({row.comparison.n_frames} frames)"
        if same:
            yield f"{same} frames are equal to the reference's and left out of the mean PSNR"
        yield from (f"note: {notice}" for notice in row.comparison.notices)
    if row.error is not None:
        yield f"not measured: {row.error}"


def table_lines(rows: Sequence[VideoRow], summary: Summary) -> Iterator[str]:
    """Yield a table of several videos, one row each, and the mean."""
    names = [name for name in COLUMNS if name in summary.figures]
    files = _names(rows)
    yield f"{'':{NAME_WIDTH}}" + "".join(f"{COLUMNS[name][0]:>11}" for name in names)
    for row, file in zip(rows, files, strict=True):
        cells = "".join(f"{number(row.figures.get(name), COLUMNS[name][1]):>11}" for name in names)
        yield f"{file:{NAME_WIDTH}}{cells}" + (f"  {row.error}" if row.error else "")
    cells = "".join(
        f"{number(summary.figures[n], '{:+.2f}' if n == 'offset_frames' else COLUMNS[n][1]):>11}"
        for n in names
    )
    yield f"{f'mean of {summary.n_videos}':{NAME_WIDTH}}{cells}"


def summary_lines(summary: Summary) -> Iterator[str]:
    """Yield what holds for the whole set."""
    if summary.in_sync_share is not None and summary.n_videos > 1:
        yield f"offset within one frame: {summary.in_sync_share:.1%} of the videos"
    if summary.frechet is not None:
        f = summary.frechet
        few = ", fewer than features: biased upwards" if f.n_pictures < f.n_features else ""
        yield f"{f.name}: {f.distance:.4f}  ({f.n_pictures} faces in each set{few})"
    for metric, reason in summary.not_measured.items():
        yield f"{COLUMNS.get(metric, (metric, ''))[0]} not measured: {reason}"


def csv_rows(rows: Iterable[VideoRow]) -> Iterator[dict[str, Any]]:
    """Yield one dict per face track, and one per video for the whole, with numbers as they are."""
    for row in rows:
        base = {
            "video": str(row.video),
            "syncnet": row.score.syncnet_name if row.score else None,
            "mode": row.score.mode if row.score else None,
        }
        for i, track in enumerate(row.score.tracks if row.score else (), 1):
            yield {**base, "track": i, **_span(track), "lse_d": track.distance, "lse_c": track.confidence,
                   "offset_frames": track.offset}  # fmt: skip
        whole = row.score.whole if row.score else None
        yield {
            **base,
            "track": "whole",
            **(_span(whole) if whole else {}),
            **row.figures,
            "offset_frames": whole.offset if whole else None,
            "reference": row.comparison.reference if row.comparison else None,
            "error": row.error,
        }


def _span(track: Any) -> dict[str, Any]:
    return {"start_s": track.start_s, "end_s": track.end_s, "n_windows": track.n_windows}


def csv_text(fields: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return a CSV with a header; absent values are empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fields, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if row.get(name) is None else row[name] for name in fields})
    return buffer.getvalue()


def write_text(target: str | Path, text: str) -> None:
    """Write to a file, whole or not at all, or to the console for ``-``.

    Raises:
        InvalidInputError: the folder does not exist or cannot be written to.
    """
    if str(target) == "-":
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    path = Path(target)
    try:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"cannot write {path} ({error}); give a file in a folder of yours") from error


def write_json(target: str | Path, content: object) -> None:
    """Write JSON to a file or, for ``-``, on one line to the console."""
    indent = None if str(target) == "-" else 1
    write_text(target, json.dumps(content, indent=indent, allow_nan=False, ensure_ascii=False))


def _names(rows: Sequence[VideoRow]) -> list[str]:
    """Return what the videos are called in a table: without the folders they share, not too long."""
    folders = {str(row.video.parent) for row in rows}
    try:
        shared = os.path.commonpath(folders)
    except ValueError:  # absolute and relative ones
        shared = ""
    names = [os.path.relpath(row.video, shared) if shared else str(row.video) for row in rows]
    return [name if len(name) < NAME_WIDTH else "…" + name[-(NAME_WIDTH - 2) :] for name in names]
