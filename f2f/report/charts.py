"""Values over days and weeks as inline SVG that takes its colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape

from f2f.report.plot import value_range, value_step

Point = tuple[float, float]
_HOUR_S, _DAY_S = 3600, 86400
_STEPS_S = (
    60, 300, 900, _HOUR_S, 3 * _HOUR_S, 6 * _HOUR_S, 12 * _HOUR_S,
    _DAY_S, 2 * _DAY_S, 7 * _DAY_S, 14 * _DAY_S, 30 * _DAY_S, 91 * _DAY_S,
    365 * _DAY_S, 730 * _DAY_S, 1825 * _DAY_S, 3650 * _DAY_S,
)  # fmt: skip
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        label: for a legend and for who cannot see it.
        css_class: gives its colour.
        line: (Unix time in s, value), in order of time.
        dots: single values, where there are not too many.
    """

    label: str
    css_class: str
    line: Sequence[Point]
    dots: Sequence[Point] = ()


@dataclass(frozen=True)
class Stack:
    """One part of the bars of a chart.

    Attributes:
        label: what is counted.
        css_class: gives its colour.
        counts: for each bar.
    """

    label: str
    css_class: str
    counts: Sequence[int]


@dataclass(frozen=True)
class Canvas:
    """Size of a chart in units of its view box, and what its axes leave free."""

    width: int = 960
    height: int = 300
    left: int = 54
    bottom: int = 46
    right: int = 26
    top: int = 14
    line_height: int = 12
    n_dates: int = 8
    """At most so many dates below the axis."""


WIDE = Canvas()
SMALL = Canvas(width=480, height=210, left=74, bottom=40, right=36, top=16, line_height=20, n_dates=3)


def plot_over_time(
    series: Sequence[Series], title: str, canvas: Canvas = WIDE, *, from_zero: bool = False
) -> str:
    """Return an ``<svg>``, or an empty string where there is nothing to draw.

    Args:
        series: drawn in order, the last on top.
        title: what the values are, with their unit.
        canvas: size and margins.
        from_zero: begin the axis of the values at zero.
    """
    points = [point for each in series for point in (*each.line, *each.dots)]
    if not points:
        return ""
    times, values = [time for time, _ in points], [value for _, value in points]
    scale = _Scale(canvas, min(times), max(times), *value_range([*values, 0.0] if from_zero else values))
    parts = [*_value_axis(scale, title), *_time_axis(scale), *(_draw(scale, each) for each in series)]
    names = ", ".join(each.label for each in series)
    return (
        f'<svg class="plot" viewBox="0 0 {canvas.width} {canvas.height}" role="img" '
        f'aria-label="{escape(f"{title} over time: {names}")}">{"".join(parts)}</svg>'
    )


def bars_over_time(
    stacks: Sequence[Stack], starts_s: Sequence[float], span_s: float, title: str, canvas: Canvas = WIDE
) -> str:
    """Return counts over equal spans of time as an ``<svg>`` of bars, one part upon the other.

    Args:
        stacks: from below to above; as many counts as there are spans, which are not none.
        starts_s: Unix time at which each span begins, in order.
        span_s: how long one lasts.
        title: what a bar is.
        canvas: size and margins.
    """
    highest = max(sum(counts) for counts in zip(*(each.counts for each in stacks), strict=True))
    # Less than four would have half counts on the axis.
    scale = _Scale(canvas, starts_s[0], starts_s[-1] + span_s, *value_range([0.0, float(max(highest, 4))]))
    parts = [*_value_axis(scale, title), *_time_axis(scale)]
    for k, start_s in enumerate(starts_s):
        left, right = scale.x(start_s) + 1, scale.x(start_s + span_s) - 1
        base, day = 0, _date_words(start_s, _DAY_S)
        for each in stacks:
            if count := each.counts[k]:
                top, height = scale.y(base + count), scale.y(base) - scale.y(base + count)
                base += count
                parts.append(
                    f'<rect class="{each.css_class}" x="{left:.1f}" y="{top}" width="{right - left:.1f}" '
                    f'height="{height:.1f}"><title>{day}: {count} {escape(each.label)}</title></rect>'
                )
    names = ", ".join(each.label for each in stacks)
    return (
        f'<svg class="plot" viewBox="0 0 {canvas.width} {canvas.height}" role="img" '
        f'aria-label="{escape(f"{names} {title}")}">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Scale:
    canvas: Canvas
    first_s: float
    last_s: float
    low: float
    high: float
    span_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "span_s", self.last_s - self.first_s)

    @property
    def floor(self) -> int:
        return self.canvas.height - self.canvas.bottom

    @property
    def edge(self) -> int:
        return self.canvas.width - self.canvas.right

    def x(self, time_s: float) -> float:
        share = (time_s - self.first_s) / self.span_s if self.span_s else 0.5
        return round(self.canvas.left + share * (self.edge - self.canvas.left), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.floor - share * (self.floor - self.canvas.top), 1)


def _value_axis(scale: _Scale, title: str) -> Iterator[str]:
    canvas, step = scale.canvas, value_step(scale.high - scale.low)
    digits = max(0, -math.floor(math.log10(step)))
    every = 2 if canvas is SMALL else 1
    for k in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + k * step
        y = scale.y(value)
        yield f'<line class="grid" x1="{canvas.left}" y1="{y}" x2="{scale.edge}" y2="{y}"/>'
        if k % every == 0:
            y += canvas.line_height / 3
            label = f"{round(value, digits):g}" if canvas is SMALL else f"{value:.{digits}f}"
            yield f'<text x="{canvas.left - 8}" y="{y:.1f}" text-anchor="end">{label}</text>'
    yield f'<line class="axis" x1="{canvas.left}" y1="{scale.floor}" x2="{scale.edge}" y2="{scale.floor}"/>'
    if canvas is not SMALL:  # a small chart has its title above it
        middle = (canvas.top + scale.floor) / 2
        yield (
            f'<text class="title" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
            f"{escape(title)}</text>"
        )


def _time_axis(scale: _Scale) -> Iterator[str]:
    canvas, floor = scale.canvas, scale.floor
    ticks = _date_ticks(scale.first_s, scale.last_s, canvas.n_dates)
    step_s = ticks[1] - ticks[0] if len(ticks) > 1 else scale.span_s
    for tick_s in ticks:
        x = scale.x(tick_s)
        yield f'<line class="tick" x1="{x}" y1="{floor}" x2="{x}" y2="{floor + 5}"/>'
        label = _date_words(tick_s, step_s)
        yield f'<text x="{x}" y="{floor + 7 + canvas.line_height}" text-anchor="middle">{label}</text>'


def _date_ticks(first_s: float, last_s: float, n_dates: int) -> list[float]:
    """Return round dates from first to last; the first alone where there is no round one between."""
    span_s = last_s - first_s
    step_s = next((step for step in _STEPS_S if span_s / step <= n_dates), _STEPS_S[-1])
    ticks = [float(k * step_s) for k in range(math.ceil(first_s / step_s), math.floor(last_s / step_s) + 1)]
    return ticks or [first_s]


def _date_words(time_s: float, step_s: float) -> str:
    time = datetime.fromtimestamp(time_s, timezone.utc)
    day = f"{time.day} {_MONTHS[time.month - 1]}"
    if step_s >= 91 * _DAY_S:
        return f"{_MONTHS[time.month - 1]} {time.year}"
    if step_s >= _DAY_S:
        return day
    return day if (time.hour, time.minute) == (0, 0) else f"{time:%H:%M}"


def _draw(scale: _Scale, series: Series) -> str:
    is_line = len(series.line) > 1
    kind, radius = ("dot", 3) if is_line else ("dot lone", 5)
    parts = [
        f'<circle class="{series.css_class} {kind}" r="{radius}" '
        f'cx="{scale.x(time_s)}" cy="{scale.y(value)}"/>'
        for time_s, value in series.dots or (() if is_line else series.line)
    ]
    if is_line:
        points = " ".join(f"{scale.x(time_s)},{scale.y(value)}" for time_s, value in series.line)
        parts.append(f'<polyline class="{series.css_class}" points="{points}"/>')
    return f"<g><title>{escape(series.label)}</title>{''.join(parts)}</g>"
