"""``library.prom``: the figures of a library as OpenMetrics text, for Prometheus and what reads its files.

Format: https://github.com/prometheus/OpenMetrics, version 1.0.0.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from f2f.library.metrics import METRICS_NAME, OutputMetrics, SyncMetrics, read_metrics
from f2f.workspace import write_atomically

OPENMETRICS_NAME = "library.prom"
N_SINGLE = 200
"""So many outputs, the newest, have samples of their own: each is a time series that a server must keep."""
_FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_DISTANCES = (5.0, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 10.0, 12.0)
_CONFIDENCES = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Histogram:
    """Counts by bucket; the last bucket has no upper bound."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, name: str, labels: Labels) -> Iterator[str]:
        so_far = 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            so_far += count
            text = "+Inf" if bound == math.inf else _number(bound)
            yield _sample(f"{name}_bucket", (*labels, ("le", text)), so_far)
        yield _sample(f"{name}_sum", labels, self.total)
        yield _sample(f"{name}_count", labels, so_far)


class LibraryFigures:
    """Sums over all lines of ``library.jsonl``, of a size that does not grow with the library.

    Args:
        library: what it is called, in all labels: a reader of several files must tell their series apart.
        lines: of ``library.jsonl``.
    """

    def __init__(self, library: str, lines: Iterable[OutputMetrics] = ()) -> None:
        self.labels: Labels = (("library", library),)
        self.outputs: dict[Labels, int] = defaultdict(int)
        self.source_s: dict[Labels, float] = defaultdict(float)
        self.warnings: dict[Labels, int] = defaultdict(int)
        self.last_s: dict[Labels, float] = {}
        self.stage_s: dict[Labels, float] = defaultdict(float)
        self.stage_source_s: dict[Labels, float] = defaultdict(float)
        self.factors: dict[Labels, _Histogram] = defaultdict(lambda: _Histogram(_FACTORS))
        self.distances: dict[Labels, _Histogram] = defaultdict(lambda: _Histogram(_DISTANCES))
        self.confidences: dict[Labels, _Histogram] = defaultdict(lambda: _Histogram(_CONFIDENCES))
        self.newest: deque[OutputMetrics] = deque(maxlen=N_SINGLE)
        for line in lines:
            self.add(line)

    def add(self, line: OutputMetrics) -> None:
        """Count one output. Work that an earlier run had done already counts there only."""
        language: Labels = (*self.labels, ("language", line.language))
        self.outputs[language] += 1
        self.source_s[language] += line.duration_s
        self.warnings[language] += line.n_warnings
        self.last_s[language] = max(self.last_s.get(language, 0.0), _unix_s(line.time))
        for name, stage in line.stages.items():
            if not stage.reused:
                labels: Labels = (*self.labels, ("stage", name))
                self.stage_s[labels] += stage.seconds
                self.stage_source_s[labels] += line.duration_s
                self.factors[labels].add(stage.real_time_factor)
        for video, score in (("source", line.source), ("output", line.output)):
            if score is not None:
                labels = (*language, ("syncnet", line.syncnet), ("video", video))
                self.distances[labels].add(score.lse_d)
                self.confidences[labels].add(score.lse_c)
        self.newest.append(line)


def write_openmetrics(
    output_dir: Path, lectures: Mapping[tuple[str, str], int] | None = None, library: str | None = None
) -> Path:
    """Write ``library.prom`` from ``library.jsonl``; it is replaced whole or not at all.

    Args:
        output_dir: of the library.
        lectures: how many lectures are in each (language, state), where that was counted.
        library: what the outputs' place is called; None: its path.

    Returns:
        Where it lies.
    """
    path = output_dir / OPENMETRICS_NAME
    figures = LibraryFigures(library or str(output_dir.resolve()), read_metrics(output_dir / METRICS_NAME))
    write_atomically(path, "".join(f"{line}\n" for line in openmetrics_lines(figures, lectures or {})))
    return path


def openmetrics_lines(figures: LibraryFigures, lectures: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """Give the file's lines."""
    yield from _counter("f2f_outputs", "Finished outputs.", figures.outputs)
    yield from _counter("f2f_source_seconds", "Length of what was translated.", figures.source_s, "seconds")
    yield from _counter("f2f_warnings", "Warnings in manifests.", figures.warnings)
    yield from _counter(
        "f2f_stage_seconds", "Time of stages in the runs that finished outputs.", figures.stage_s, "seconds"
    )
    yield from _counter(
        "f2f_stage_source_seconds", "Length of what they worked on.", figures.stage_source_s, "seconds"
    )
    yield from _histogram(
        "f2f_stage_real_time_factor", "Seconds of work for each second of video.", figures.factors
    )
    yield from _histogram("f2f_lse_distance", "LSE-D of a video, lower is better.", figures.distances)
    yield from _histogram("f2f_lse_confidence", "LSE-C of a video, higher is better.", figures.confidences)
    yield from _gauge("f2f_last_output_timestamp_seconds", "When the last one was finished.", figures.last_s)
    states: dict[Labels, int] = {
        (*figures.labels, ("language", language), ("state", state)): n
        for (language, state), n in lectures.items()
    }
    if states:
        yield from _gauge("f2f_lectures", "Lectures of the library by state.", states)
    yield from _single_outputs(figures)
    yield "# EOF"


def _single_outputs(figures: LibraryFigures) -> Iterator[str]:
    # A lecture that was made again counts as it is now.
    lines = {
        (*figures.labels, ("lecture", line.lecture), ("language", line.language)): line
        for line in figures.newest
    }
    which = f"of the {N_SINGLE} newest outputs"

    def scores(video: str, name: str) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for labels, line in lines.items():
            score: SyncMetrics | None = getattr(line, video)
            if score is not None:
                found[(*labels, ("video", video))] = getattr(score, name)
        return found

    for metric, name in (("distance", "lse_d"), ("confidence", "lse_c"), ("offset_frames", "offset_frames")):
        values = {**scores("source", name), **scores("output", name)}
        yield from _gauge(f"f2f_output_lse_{metric}", f"Lip-sync error {which}.", values)
    factors: dict[Labels, float] = {}
    peaks: dict[Labels, float] = {}
    for labels, line in lines.items():
        for name, stage in line.stages.items():
            factors[(*labels, ("stage", name))] = stage.real_time_factor
            if stage.peak_memory_mib is not None:
                peaks[(*labels, ("stage", name))] = stage.peak_memory_mib * 2**20
    yield from _gauge("f2f_output_real_time_factor", f"Seconds of work for each second {which}.", factors)
    yield from _gauge("f2f_output_peak_memory_bytes", f"Most memory that a stage took, {which}.", peaks)


def _counter(name: str, help_: str, values: Mapping[Labels, float], unit: str = "") -> Iterator[str]:
    yield from _head(name, "counter", help_, unit)
    for labels, value in values.items():
        yield _sample(f"{name}_total", labels, value)


def _gauge(name: str, help_: str, values: Mapping[Labels, float]) -> Iterator[str]:
    yield from _head(name, "gauge", help_, next((u for u in ("seconds", "bytes") if name.endswith(u)), ""))
    for labels, value in values.items():
        yield _sample(name, labels, value)


def _histogram(name: str, help_: str, values: Mapping[Labels, _Histogram]) -> Iterator[str]:
    yield from _head(name, "histogram", help_)
    for labels, histogram in values.items():
        yield from histogram.samples(name, labels)


def _head(name: str, kind: str, help_: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {help_}"


def _sample(name: str, labels: Labels, value: float) -> str:
    text = ",".join(f'{label}="{_escaped(words)}"' for label, words in labels)
    return f"{name}{{{text}}} {_number(value)}"


def _escaped(text: str) -> str:
    # Bytes of paths that are not UTF-8, which no file of text takes, are shown as \xHH.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text.replace("\r", "\\\\r")  # which readers would take for the end of the line


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


def _unix_s(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
