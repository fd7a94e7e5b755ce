"""Fills the report's template: turns a job into words, numbers and pictures for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from f2f.languages import parse_language
from f2f.licences_used import LicenceEntry, commercial_words, licences_used
from f2f.manifest import Job, Manifest, SegmentEntry, StageRecord, build_manifest
from f2f.report.pictures import PicturePair
from f2f.report.plot import Line, clock, plot_lse_distance
from f2f.report.templates import read_style, render_template
from f2f.results import FaceStretch, LipSyncScore, SoundMix

_MIN_FACELESS_S = 0.5  # a shorter gap is a blink of the detector, not a slide


@dataclass(frozen=True)
class Tile:
    """One number of the summary; ``before`` is shown where it changed from something."""

    label: str
    value: str
    before: str = ""
    note: str = ""


@dataclass(frozen=True)
class EngineRow:
    """One stage in the table of engines; ``parts`` is what its engine worked with."""

    record: StageRecord
    parts: tuple[LicenceEntry, ...] = ()


def render_page(job: Job, pairs: Sequence[PicturePair]) -> str:
    """Return the report as one HTML document without any external resource.

    Args:
        job: the finished translation.
        pairs: before and after pictures, the zoomed one last.
    """
    manifest = build_manifest(job)
    source, target = parse_language(manifest.source.language), parse_language(manifest.output.language)
    metrics = manifest.metrics
    lines = [
        Line("source", "source", metrics.source.curve),
        Line("output", "output", metrics.output.curve),
    ]
    faceless = faceless_spans(job)
    values: dict[str, Any] = {
        "manifest": manifest,
        "source": source,
        "target": target,
        "tiles": summary_tiles(manifest),
        "pairs": [pair for pair in pairs if not pair.is_zoomed],
        "zoomed": [pair for pair in pairs if pair.is_zoomed],
        "plot": plot_lse_distance(lines, faceless, manifest.output.duration_s),
        "has_faceless": bool(faceless),
        "rows": [_score_row("source", metrics.source.whole), _score_row("output", metrics.output.whole)],
        "reasons": _missing_reasons(manifest),
        "engines": engine_rows(job),
        "commercial": commercial_words(manifest.licences),
        "style": read_style("style.css"),
    }
    filters: dict[str, Callable[..., Any]] = {
        "clock": clock,
        "signed": signed,
        "size": size_words,
        "tempo": tempo_words,
    }
    return render_template("page.html.j2", values, filters)


def summary_tiles(manifest: Manifest) -> list[Tile]:
    """Return the numbers that a person looks at first."""
    spoken = [entry.fit for entry in manifest.segments if entry.fit is not None]
    delayed = [fit for fit in spoken if fit.delayed_s >= 0.05]
    frames = manifest.lips.n_frames
    share = 100 * manifest.lips.n_synced / frames if frames else 0.0
    before, after = manifest.metrics.source.whole, manifest.metrics.output.whole
    tiles = [
        Tile("Duration", clock(manifest.output.duration_s), note=f"{manifest.output.n_frames} frames"),
        Tile("Segments spoken", f"{len(spoken)}", note=f"of {len(manifest.segments)}"),
        Tile("Lips replaced", f"{share:.0f} %", note=f"{manifest.lips.n_synced} of {frames} frames"),
        Tile("Segments delayed", f"{len(delayed)}", note=_delay_note([fit.delayed_s for fit in delayed])),
    ]
    if manifest.output.sound is not None:
        tiles.append(_sound_tile(manifest.output.sound))
    if manifest.output.overflow_s > 0:
        tiles.append(Tile("Past the end", f"{manifest.output.overflow_s:.2f} s", note="last picture stays"))
    tiles.append(
        _score_tile(
            "LSE-D", before.lse_d if before else None, after.lse_d if after else None, "lower is better"
        )
    )
    tiles.append(
        _score_tile(
            "LSE-C", before.lse_c if before else None, after.lse_c if after else None, "higher is better"
        )
    )
    return tiles


def faceless_spans(job: Job) -> list[tuple[float, float]]:
    """Return (start_s, end_s) of the stretches in which no face was seen, slides for instance.

    The lip-sync stage saw every frame; without it the measurement's tracks stand in.
    """
    video = job.working_video
    frames_per_s = video.n_frames / video.duration_s
    if job.lips.stretches:
        seen = [_span(stretch, frames_per_s) for stretch in job.lips.stretches]
    else:
        seen = [(score.start_s, score.end_s) for score in job.evaluation.source.stretches]
    if not seen:
        return []
    spans, end_s = [], 0.0
    for start_s, stop_s in [*sorted(seen), (video.duration_s, video.duration_s)]:
        if start_s - end_s >= _MIN_FACELESS_S:
            spans.append((end_s, start_s))
        end_s = max(end_s, stop_s)
    return spans


def engine_rows(job: Job) -> list[EngineRow]:
    """Return one row for each stage that ran, with its engine where it has one."""
    used = licences_used(job)
    rows = []
    for one in job.stages:
        own = one.engine.name if one.engine else ""
        parts = tuple(entry for entry in used if entry.stage == one.stage and entry.name != own)
        rows.append(EngineRow(one.beside(job.video.duration_s), parts))
    return rows


def tempo_words(entry: SegmentEntry) -> str:
    """Return ``"1.12× (voice 1.15×)"``, by stretch and by the voice itself; a dash where nothing was said."""
    if entry.fit is None:
        return "–"
    voice = f" (voice {entry.native_rate:.2f}×)" if entry.native_rate != 1 else ""
    return f"{entry.fit.tempo:.2f}×{voice}"


def signed(number: int) -> str:
    """Return ``"+2"``, ``"−1"`` or ``"0"``."""
    return f"{number:+d}".replace("-", "−") if number else "0"


def size_words(n_bytes: int) -> str:
    """Return ``"12.3 MB"``."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000  # type: ignore[assignment]
    return f"{n_bytes:.1f} GB"


def _span(stretch: FaceStretch, frames_per_s: float) -> tuple[float, float]:
    return stretch.first_frame / frames_per_s, (stretch.last_frame + 1) / frames_per_s


def _delay_note(delays_s: Sequence[float]) -> str:
    return f"at most {max(delays_s):.2f} s" if delays_s else "no line starts late"


def _sound_tile(sound: SoundMix) -> Tile:
    if sound.separator is not None:
        note = f"speech of the source removed by {sound.separator.name} {sound.separator.detail}"
    elif sound.duck_db is not None:
        note = f"sound of the source {sound.duck_db:g} dB lower under the dub"
    else:
        note = "without the sound of the source"
    loudness = "silence" if sound.loudness_lufs is None else f"{sound.loudness_lufs:.1f} LUFS"
    return Tile("Sound", loudness.replace("-", "−"), note=note)


def _score_tile(label: str, before: float | None, after: float | None, note: str) -> Tile:
    if before is None and after is None:
        return Tile(label, "not measured", note="no face to measure")
    return Tile(label, _number(after), before=_number(before), note=f"source → output, {note}")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _score_row(what: str, score: LipSyncScore | None) -> tuple[str, LipSyncScore | None]:
    return what, score


def _missing_reasons(manifest: Manifest) -> list[str]:
    scores = (("source", manifest.metrics.source), ("output", manifest.metrics.output))
    return [f"{what}: {score.reason}" for what, score in scores if score.whole is None and score.reason]
