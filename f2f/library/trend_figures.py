"""Sums of ``library.jsonl`` over time, in memory that does not grow with the library."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from f2f.library.metrics import OutputMetrics, SyncMetrics

MAX_SPANS = 48
MAX_DOTS = 240
"""Up to so many outputs are shown one by one; beyond, a line of means is all that can be read."""

Lines = Callable[[], Iterable[OutputMetrics]]


@dataclass
class Trend:
    """Weighted means of one figure over equal spans of time.

    Attributes:
        sums: by span: (sum of value × weight, sum of weights, sum of time × weight).
        dots: every value with its time, until there are too many.
    """

    sums: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    dots: list[tuple[float, float]] | None = field(default_factory=list)

    def add(self, span: int, time_s: float, value: float, weight: float = 1.0) -> None:
        """Take in one value."""
        total, weights, times = self.sums.get(span, (0.0, 0.0, 0.0))
        self.sums[span] = (total + value * weight, weights + weight, times + time_s * weight)
        if self.dots is not None:
            self.dots.append((time_s, value))
            if len(self.dots) > MAX_DOTS:
                self.dots = None

    @property
    def line(self) -> list[tuple[float, float]]:
        """(mean time, mean value) of each span, in order of time."""
        return [
            (times / weights, total / weights) for _, (total, weights, times) in sorted(self.sums.items())
        ]

    @property
    def mean(self) -> float | None:
        """Mean of everything, None if there was nothing."""
        weights = sum(weights for _, weights, _ in self.sums.values())
        return sum(total for total, _, _ in self.sums.values()) / weights if weights else None


@dataclass
class SyncTrends:
    """Lip-sync error of one language as one SyncNet measured it."""

    n_measured: int = 0
    source_d: Trend = field(default_factory=Trend)
    source_c: Trend = field(default_factory=Trend)
    output_d: Trend = field(default_factory=Trend)
    output_c: Trend = field(default_factory=Trend)

    def add(self, span: int, time_s: float, source: SyncMetrics | None, output: SyncMetrics | None) -> None:
        """Take in one output; source and output are compared only where both were measured."""
        if output is None:
            return
        self.n_measured += 1
        self.output_d.add(span, time_s, output.lse_d)
        self.output_c.add(span, time_s, output.lse_c)
        if source is not None:
            self.source_d.add(span, time_s, source.lse_d)
            self.source_c.add(span, time_s, source.lse_c)


@dataclass
class StageTrend:
    """What one stage took when its work was done, for each output that used it."""

    seconds: float = 0.0
    peak_memory_mib: float | None = None
    engines: Counter[str] = field(default_factory=Counter)
    factor: Trend = field(default_factory=Trend)


@dataclass
class LanguageFigures:
    """Sums over the outputs of one language."""

    n_outputs: int = 0
    source_s: float = 0.0
    work_s: float = 0.0
    n_warnings: int = 0
    n_unspoken: int = 0


@dataclass
class TrendFigures:
    """All that the page of trends shows of ``library.jsonl``.

    Attributes:
        first_s, last_s: Unix times of the oldest and newest output.
        languages: by code.
        sync: by (SyncNet, language).
        stages: by name, in the order of the work.
        newest_syncnet: by which the newest output was measured.
        made_days: outputs by day (its number in the proleptic Gregorian calendar, UTC).
        n_spans: into so many equal parts the time is cut.
    """

    first_s: float
    last_s: float
    n_spans: int
    languages: dict[str, LanguageFigures] = field(default_factory=lambda: defaultdict(LanguageFigures))
    sync: dict[tuple[str, str], SyncTrends] = field(default_factory=lambda: defaultdict(SyncTrends))
    stages: dict[str, StageTrend] = field(default_factory=lambda: defaultdict(StageTrend))
    newest_syncnet: str = ""
    made_days: Counter[int] = field(default_factory=Counter)

    def add(self, line: OutputMetrics) -> None:
        """Take in one output."""
        time_s = unix_s(line)
        span = self._span(time_s)
        self.made_days[datetime.fromtimestamp(time_s, timezone.utc).toordinal()] += 1
        language = self.languages[line.language]
        language.n_outputs += 1
        language.source_s += line.duration_s
        language.n_warnings += line.n_warnings
        language.n_unspoken += line.n_segments - line.n_spoken
        self.sync[line.syncnet, line.language].add(span, time_s, line.source, line.output)
        if time_s >= self.last_s:
            self.newest_syncnet = line.syncnet
        for name, taken in line.stages.items():
            stage = self.stages[name]
            if taken.peak_memory_mib is not None:
                stage.peak_memory_mib = max(stage.peak_memory_mib or 0.0, taken.peak_memory_mib)
            if taken.engine is not None:
                stage.engines[taken.engine] += 1
            stage.seconds += taken.seconds
            language.work_s += taken.seconds
            # Weighted by length: long lectures are most of the work.
            stage.factor.add(span, time_s, taken.real_time_factor, line.duration_s)

    def _span(self, time_s: float) -> int:
        whole_s = self.last_s - self.first_s
        share = (time_s - self.first_s) / whole_s if whole_s else 0.0
        return min(self.n_spans - 1, int(share * self.n_spans))

    @property
    def by_size(self) -> list[str]:
        """Languages, those with most outputs first."""
        return [
            code for code, _ in Counter({c: f.n_outputs for c, f in self.languages.items()}).most_common()
        ]


def read_figures(lines: Lines) -> TrendFigures | None:
    """Sum up all lines; they are read twice, first for the span of time that they cover.

    Returns:
        None if there is no line.
    """
    first_s, last_s, count = math.inf, -math.inf, 0
    for line in lines():
        first_s, last_s, count = min(first_s, unix_s(line)), max(last_s, unix_s(line)), count + 1
    if count == 0:
        return None
    figures = TrendFigures(first_s, last_s, min(MAX_SPANS, max(4, round(math.sqrt(count)))))
    for line in lines():
        # Others may have appended since the first look.
        if first_s <= unix_s(line) <= last_s:
            figures.add(line)
    return figures


def unix_s(line: OutputMetrics) -> float:
    """Return when an output was finished."""
    return datetime.fromisoformat(line.time).timestamp()
