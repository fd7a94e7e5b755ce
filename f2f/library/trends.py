"""``library.html``: how lip-sync error, speed and failures of a library developed, drawn for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from f2f.engines.status import package_version
from f2f.errors import UsageError
from f2f.library.failures import Outcomes, read_outcomes
from f2f.library.index_rows import language_name, visible
from f2f.library.metrics import METRICS_NAME, read_metrics
from f2f.library.planning import utc_now
from f2f.library.trend_figures import LanguageFigures, SyncTrends, Trend, TrendFigures, read_figures
from f2f.report.charts import SMALL, Series, Stack, bars_over_time, plot_over_time
from f2f.report.page import Tile
from f2f.report.plot import clock
from f2f.report.templates import read_style, render_template
from f2f.workspace import write_atomically

TRENDS_NAME = "library.html"
_N_COLOURS = 7
_N_REASONS = 20
_MAX_DAYS = 60  # of more than that a bar is a week
_MIN_BARS = 7
_DAY_S = 86400
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class SyncSection:
    """Lip-sync error as one SyncNet measured it: numbers of different ones must not be compared."""

    syncnet: str
    legend: Sequence[tuple[str, str]]
    plots: Sequence[str]


@dataclass(frozen=True)
class StageCard:
    """One stage: its numbers over all outputs, and its real-time factor over time as a small chart."""

    name: str
    engines: str
    factor: float
    share: float
    peak_memory_mib: float | None
    plot: str


@dataclass(frozen=True)
class LanguageLine:
    """One language in the table."""

    name: str
    figures: LanguageFigures
    sync: SyncTrends | None


def write_trends(library: Path, output_dir: Path) -> Path:
    """Draw the page from ``library.jsonl`` and what became of the lectures; return where it lies.

    Raises:
        UsageError: nothing was finished there yet.
        OSError: the page cannot be written.
    """
    source = output_dir / METRICS_NAME
    figures = read_figures(partial(read_metrics, source))
    if figures is None:
        raise UsageError(
            f"{source} holds no figures: run f2f batch {library} --to LANG first, or give its -o DIR"
        )
    path = output_dir / TRENDS_NAME
    write_atomically(path, render_trends(library, figures, read_outcomes(library, output_dir), output_dir))
    return path


def render_trends(library: Path, figures: TrendFigures, outcomes: Outcomes, output_dir: Path) -> str:
    """Return the page as one HTML document without any external resource."""
    work_s = sum(stage.seconds for stage in figures.stages.values())
    values = {
        "library": visible(library.resolve().name or str(library)),
        "version": package_version("f2f"),
        "made": utc_now().strftime("%Y-%m-%d %H:%M UTC"),
        "span": _span_words(figures),
        "has_index": (output_dir / "index.html").is_file(),
        "tiles": _tiles(figures, work_s),
        "sync": _sync_sections(figures),
        "stages": _stage_cards(figures, work_s),
        "languages": _language_lines(figures),
        "history": _history(figures.made_days, outcomes.failed_days),
        "outcomes": outcomes,
        "reasons": outcomes.most_common[:_N_REASONS],
        "n_more": len(outcomes.reasons) - min(len(outcomes.reasons), _N_REASONS),
        "style": read_style("style.css", "library.css"),
    }
    filters: dict[str, Callable[..., Any]] = {"clock": clock, "language": language_name, "visible": visible}
    return render_template("library_trends.html.j2", values, filters)


def _span_words(figures: TrendFigures) -> str:
    days = [datetime.fromtimestamp(time, timezone.utc) for time in (figures.first_s, figures.last_s)]
    first, last = (day.strftime("%Y-%m-%d") for day in days)
    return first if first == last else f"{first} to {last}"


def _tiles(figures: TrendFigures, work_s: float) -> list[Tile]:
    n_outputs = sum(each.n_outputs for each in figures.languages.values())
    source_s = sum(each.source_s for each in figures.languages.values())
    n_warnings = sum(each.n_warnings for each in figures.languages.values())
    tiles = [
        Tile("Outputs", str(n_outputs), note=_languages_words(len(figures.languages))),
        Tile("Length", clock(source_s), note="hours:minutes:seconds of finished video"),
        Tile("Work", f"{work_s / source_s:.2f} ×", note="of the length, all stages of each output"),
        Tile("Warnings", f"{n_warnings / n_outputs:.1f}", note="for each output"),
    ]
    newest = [trends for (net, _), trends in figures.sync.items() if net == figures.newest_syncnet]
    for name, which, note in (("LSE-D", "d", "lower is better"), ("LSE-C", "c", "higher is better")):
        after = _mean_of([getattr(each, f"output_{which}") for each in newest])
        before = _mean_of([getattr(each, f"source_{which}") for each in newest])
        shown = "not measured" if after is None else f"{after:.2f}"
        tiles.append(Tile(name, shown, "" if before is None else f"{before:.2f}", f"source → output, {note}"))
    return tiles


def _languages_words(count: int) -> str:
    return "in one language" if count == 1 else f"in {count} languages"


def _mean_of(trends: Sequence[Trend]) -> float | None:
    weights = sum(weight for each in trends for _, weight, _ in each.sums.values())
    return sum(total for each in trends for total, _, _ in each.sums.values()) / weights if weights else None


def _sync_sections(figures: TrendFigures) -> list[SyncSection]:
    """Return a section for each SyncNet, the newest first; languages keep their colour in all of them."""
    colours = {code: f"l{number}" for number, code in enumerate(figures.by_size[:_N_COLOURS])}
    nets = sorted({net for net, _ in figures.sync}, key=lambda net: (net != figures.newest_syncnet, net))
    sections = []
    for net in nets:
        shown = {
            code: figures.sync[net, code]
            for code in colours
            if (net, code) in figures.sync and figures.sync[net, code].n_measured
        }
        legend = [(language_name(code), colours[code]) for code in shown]
        plots = [
            plot_over_time(_sync_series(figures, net, which, shown, colours), title)
            for which, title in (("d", "LSE-D"), ("c", "LSE-C"))
        ]
        if any(plots):
            sections.append(
                SyncSection(net, [*legend, ("source", "before")], [plot for plot in plots if plot])
            )
    return sections


def _sync_series(
    figures: TrendFigures, net: str, which: str, shown: dict[str, SyncTrends], colours: dict[str, str]
) -> list[Series]:
    sources = [
        getattr(trends, f"source_{which}") for (name, _), trends in figures.sync.items() if name == net
    ]
    series = [Series("source, all languages", "before", _merged(sources))]
    for code, trends in shown.items():
        trend: Trend = getattr(trends, f"output_{which}")
        series.append(Series(language_name(code), colours[code], trend.line, trend.dots or ()))
    return series


def _merged(trends: Sequence[Trend]) -> list[tuple[float, float]]:
    whole = Trend(dots=None)
    for each in trends:
        for span, (total, weight, times) in each.sums.items():
            whole.add(span, times / weight, total / weight, weight)
    return whole.line


def _stage_cards(figures: TrendFigures, work_s: float) -> list[StageCard]:
    cards = []
    for name, stage in figures.stages.items():
        trend = Series(name, "l0", stage.factor.line, stage.factor.dots or ())
        share = stage.seconds / work_s if work_s else 0.0
        plot = plot_over_time([trend], f"{name}: real-time factor", SMALL, from_zero=True)
        engines = ", ".join(f"{engine} {count}" for engine, count in stage.engines.most_common(3))
        cards.append(StageCard(name, engines, stage.factor.mean or 0.0, share, stage.peak_memory_mib, plot))
    return cards


def _history(made: Counter[int], failed: Counter[int]) -> str:
    """Return outputs and failed attempts by day or week as a chart; empty if nothing ever failed."""
    if not failed:
        return ""
    last, first = max(*made, *failed), min(*made, *failed)
    n_days = 1 if last - first < _MAX_DAYS else 7
    # Ordinal 1 was a Monday, and so begin weeks.
    newest, oldest = ((day - 1) // n_days for day in (last, first))
    spans = range(min(oldest, newest - _MIN_BARS + 1), newest + 1)
    starts_s = [_DAY_S * (span * n_days + 1 - _EPOCH) for span in spans]
    stacks = []
    for label, css_class, days in (("made", "done", made), ("failed", "failed", failed)):
        counts: Counter[int] = Counter()
        for day, count in days.items():
            counts[(day - 1) // n_days] += count
        stacks.append(Stack(label, css_class, [counts[span] for span in spans]))
    return bars_over_time(stacks, starts_s, n_days * _DAY_S, "a day" if n_days == 1 else "a week")


def _language_lines(figures: TrendFigures) -> list[LanguageLine]:
    return [
        LanguageLine(
            language_name(code), figures.languages[code], figures.sync.get((figures.newest_syncnet, code))
        )
        for code in figures.by_size
    ]
