"""What a finished translation leaves on its run page: tables, a picture, where the files are.

A manifest becomes plain tables and markdown here; ``flows.publishing`` hands them to Prefect.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from f2f.manifest import Manifest, SegmentEntry, StageRecord
from f2f.report.plot import Line, plot_lse_distance, stand_alone
from f2f.request import Outputs
from f2f.results import LipSyncScore, VideoScore
from lipsync_core.media.ffmpeg import input_argument, run_ffmpeg

PICTURE_HEIGHT_PX = 360

Row = dict[str, str]


class TableArtifact(TypedDict):
    """Arguments of Prefect's table artifact, without the key."""

    table: list[Row]
    description: str


def read_manifest(outputs: Outputs) -> Manifest:
    """Read the manifest that lies beside a finished video."""
    return Manifest.model_validate_json(outputs.manifest.read_text(encoding="utf-8"))


def clock(seconds: float) -> str:
    """Return ``m:ss.s``, for instance ``2:07.4``."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def segment_table(manifest: Manifest) -> TableArtifact:
    """Return one row per segment: when, what was said, what is said now, how it fits."""
    source, target = manifest.source.language, manifest.output.language
    voices = sorted({entry.voice for entry in manifest.segments if entry.voice})
    count, voice = len(manifest.segments), ", ".join(voices) or "none"
    return {
        "table": [_segment_row(entry, source, target) for entry in manifest.segments],
        "description": f"{count} segment{'s' * (count != 1)}, {source} → {target}; voice: {voice}",
    }


def _segment_row(entry: SegmentEntry, source: str, target: str) -> Row:
    fit = entry.fit
    return {
        "#": str(entry.id),
        "start": clock(entry.source_start_s),
        "end": clock(entry.source_end_s),
        f"source ({source})": entry.source_text,
        f"target ({target})": entry.target_text,
        "edited": ", ".join(entry.edited),
        "spoken": f"{clock(fit.start_s)}–{clock(fit.end_s)}" if fit else "not spoken",
        "tempo": f"{fit.tempo:.2f}×" if fit else "",
        "fit": fit.decision if fit else "",
    }


def score_table(manifest: Manifest) -> TableArtifact:
    """Return lip-sync error of source and output, whole and per face stretch."""
    metrics = manifest.metrics
    rows = [*_score_rows("source", metrics.source), *_score_rows("output", metrics.output)]
    lips = manifest.lips.engine
    return {
        "table": rows,
        "description": (
            f"Lip-sync error measured with {metrics.engine.name} {metrics.engine.detail}".rstrip()
            + ": distance (LSE-D) is better when lower, confidence (LSE-C) when higher; "
            f"lips by {lips.name} {lips.detail}".rstrip()
        ),
    }


def _score_rows(name: str, score: VideoScore) -> Iterator[Row]:
    yield _score_row(name, "whole", score.whole, score.reason or "")
    for stretch in score.stretches:
        yield _score_row(name, f"{clock(stretch.start_s)}–{clock(stretch.end_s)}", stretch, "")


def _score_row(name: str, part: str, score: LipSyncScore | None, note: str) -> Row:
    """Return a row with all columns; the page takes its columns from the first row."""
    return {
        "video": name,
        "part": part,
        "LSE-D": f"{score.lse_d:.3f}" if score else "",
        "LSE-C": f"{score.lse_c:.3f}" if score else "",
        "offset (frames)": str(score.offset_frames) if score else "",
        "windows": str(score.n_windows) if score else "",
        "note": note,
    }


def before_after_jpeg(
    source: Path,
    output: Path,
    time_s: float,
    height: int = PICTURE_HEIGHT_PX,
    source_time_s: float | None = None,
) -> bytes:
    """Return a JPEG of source (left) and output (right) at ``time_s``; both are sought, not decoded through.

    Args:
        source: the input video.
        output: the finished one.
        time_s: of the output.
        height: of the pictures.
        source_time_s: of the source, where it is another.

    Raises:
        MediaError: one of them cannot be decoded there.
    """
    square = f"scale=iw*sar:ih,setsar=1,scale=-2:{height}"
    before_s = time_s if source_time_s is None else source_time_s
    seek_before, seek = (("-ss", f"{max(place_s, 0.0):.3f}") for place_s in (before_s, time_s))
    return run_ffmpeg(
        [
            *seek_before, "-i", input_argument(source), *seek, "-i", input_argument(output),
            "-filter_complex", f"[0:v:0]{square}[a];[1:v:0]{square}[b];[a][b]hstack=inputs=2[v]",
            "-map", "[v]", "-frames:v", "1", "-q:v", "4", "-f", "image2pipe", "-c:v", "mjpeg", "pipe:1",
        ],
        what=f"taking a picture of {output.name}",
    )  # fmt: skip


def picture_markdown(jpeg: bytes, manifest: Manifest, time_s: float) -> str:
    """Return a page with the picture inside it, so that it needs no file and no network."""
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f"Left: source. Right: synthetic result in {manifest.output.language}, at {clock(time_s)}.\n\n"
        f"![{plain(manifest.source.name)} before and after](data:image/jpeg;base64,{data})\n\n"
        f"{manifest.statement}\n"
    )


def files_markdown(outputs: Outputs) -> str:
    """Return where the report and the other outputs lie. Browsers open file links only when pasted."""
    rows = [("report", outputs.report), ("video", outputs.video)]
    rows += [("subtitles", outputs.subtitles), ("manifest", outputs.manifest)]
    lines = [
        f"- {what}: [{plain(path.name)}]({path.resolve().as_uri()}) {code(str(path.resolve()))}"
        for what, path in rows
    ]
    return "\n".join(lines) + "\n\nOpen the report by pasting its path into the browser.\n"


def notices_markdown(manifest: Manifest) -> str | None:
    """Return everything a person must know of this result, warnings first, or None if there is nothing."""
    parts = []
    for title, lines in (("Look at this", manifest.warnings), ("Good to know", manifest.notices)):
        if lines:
            parts.append(f"### {title}\n\n" + "".join(f"- {plain(line)}\n" for line in dict.fromkeys(lines)))
    return "\n".join(parts) or None


def stage_table(manifest: Manifest) -> TableArtifact:
    """Return one row per stage: what did its work, how long it took, how much memory."""
    records = manifest.stages
    rows = [_stage_row(record) for record in records]
    total_s = sum(record.seconds for record in records if not record.reused)
    share = total_s / manifest.source.duration_s
    return {
        "table": rows,
        "description": f"{total_s:.1f} s of work for {clock(manifest.source.duration_s)} of video "
        f"({share:.2f} × real time); reused stages show what they once took",
    }


def _stage_row(record: StageRecord) -> Row:
    engine, memory = record.engine, record.peak_memory_mib
    return {
        "stage": record.stage,
        "seconds": f"{record.seconds:.1f}",
        "× real time": "" if record.real_time_factor is None else f"{record.real_time_factor:.3f}",
        "peak memory": "" if memory is None else f"{memory:.0f} MiB",
        "reused": "reused" if record.reused else "",
        # Last, because it is long: what is behind it would be out of sight.
        "engine": f"{engine.name} {engine.detail}".strip() if engine else "",
    }


def plot_markdown(manifest: Manifest) -> str | None:
    """Return a page with the plot of lip-sync error over time inside it, None if nothing was measured."""
    metrics = manifest.metrics
    lines = [
        Line("source", "source", metrics.source.curve),
        Line("output", "output", metrics.output.curve),
    ]
    svg = plot_lse_distance(lines, (), manifest.output.duration_s)
    if not svg:
        return None
    data = base64.b64encode(stand_alone(svg).encode()).decode("ascii")
    return (
        "LSE-D over time: source in brown, output in green, lower is better.\n\n"
        f"![Lip-sync error over time](data:image/svg+xml;base64,{data})\n"
    )


def code(text: str) -> str:
    """Return ``text`` as markdown to copy from, whatever backticks it holds."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def plain(text: str) -> str:
    """Return ``text`` so that a page of markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", " ".join(text.split()))
