"""The plot of lip-sync error over time, as inline SVG that takes its colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from f2f.results import ScoreCurve

_WIDTH, _HEIGHT = 960, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 24, 14, 46
_MAX_POINTS = 400  # a curve of an hour is averaged into so many bins
_GAP_S = 0.5  # windows further apart than this belong to different face stretches
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_OWN_STYLE = (
    "text{fill:#5c626d;font:12px sans-serif}.grid{stroke:#e2dfd9}.axis,.tick{stroke:#5c626d}"
    "polyline{fill:none;stroke-width:2}.source{stroke:#8a5a00}.output{stroke:#0b6e69}"
    ".dot.source{fill:#8a5a00}.dot.output{fill:#0b6e69}.faceless{fill:#d9d4ca;opacity:.45}"
)


@dataclass(frozen=True)
class Line:
    """One curve of the plot; ``css_class`` gives its colour."""

    label: str
    css_class: str
    curve: ScoreCurve


def plot_lse_distance(
    lines: Sequence[Line], faceless: Iterable[tuple[float, float]], duration_s: float
) -> str:
    """Return an ``<svg>`` of LSE-D over time, or an empty string when no line has a point.

    Args:
        lines: drawn in order, the last on top.
        faceless: (start_s, end_s) of stretches without a face, shaded.
        duration_s: right end of the time axis.
    """
    values = [value for line in lines for value in line.curve.lse_d]
    if not values or duration_s <= 0:
        return ""
    scale = _Scale(duration_s, *value_range(values))
    parts = [*_shades(scale, faceless), *_axes(scale), *(_polylines(scale, line) for line in lines)]
    description = escape(f"Lip-sync error distance over time, {' and '.join(line.label for line in lines)}")
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{description}">'
        + "".join(parts)
        + "</svg>"
    )


def stand_alone(svg: str) -> str:
    """Return a plot with colours of its own, for where there is no style sheet; its paper is white."""
    return svg.replace(
        '<svg class="plot"', f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"', 1
    ).replace(">", f"><style>{_OWN_STYLE}</style><rect width='{_WIDTH}' height='{_HEIGHT}' fill='#fff'/>", 1)


def clock(time_s: float, *, tenths: bool = False) -> str:
    """Return ``75`` as ``"1:15"``, with ``tenths`` as ``"1:15.0"``; hours only where there are any."""
    units = round(time_s * 10) if tenths else round(time_s) * 10
    seconds, tenth = divmod(max(0, units), 10)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{text}.{tenth}" if tenths else text


@dataclass(frozen=True)
class _Scale:
    duration_s: float
    low: float
    high: float

    def x(self, time_s: float) -> float:
        share = min(max(time_s / self.duration_s, 0.0), 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def value_range(values: Sequence[float]) -> tuple[float, float]:
    """Return where an axis that shows all values begins and ends, both on grid lines."""
    low, high = min(values), max(values)
    for _ in range(3):  # a wider axis may want wider steps
        step = value_step(high - low)
        low = math.floor(low / step + 1e-9) * step
        high = max(math.ceil(high / step - 1e-9) * step, low + step)
    return low, high


def value_step(spread: float) -> float:
    """Return 1, 2 or 5 times a power of ten that divides ``spread`` into about five parts."""
    rough = max(spread, 1e-3) / 5
    power = float(10 ** math.floor(math.log10(rough)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _axes(scale: _Scale) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts: list[str] = []
    step = value_step(scale.high - scale.low)
    digits = max(0, -math.floor(math.log10(step)))
    for k in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + k * step
        y = scale.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value:.{digits}f}</text>')
    step_s = next((step for step in _STEPS_S if scale.duration_s / step <= 10), _STEPS_S[-1])
    for k in range(int(scale.duration_s / step_s) + 1):
        x = scale.x(k * step_s)
        parts.append(f'<line class="tick" x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 5}"/>')
        label = clock(k * step_s, tenths=step_s < 1)
        parts.append(f'<text x="{x}" y="{bottom + 19}" text-anchor="middle">{label}</text>')
    middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
    parts.append(f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
    parts.append(
        f'<text class="title" x="{middle_x}" y="{_HEIGHT - 6}" text-anchor="middle">time (min:s)</text>'
        f'<text class="title" transform="translate(14 {middle_y}) rotate(-90)" text-anchor="middle">'
        "LSE-D (SyncNet feature distance)</text>"
    )
    return parts


def _shades(scale: _Scale, faceless: Iterable[tuple[float, float]]) -> list[str]:
    height = _HEIGHT - _TOP - _BOTTOM
    parts = []
    for start_s, end_s in faceless:
        x1, x2 = scale.x(start_s), scale.x(end_s)
        parts.append(
            f'<rect class="faceless" x="{x1}" y="{_TOP}" width="{round(x2 - x1, 1)}" height="{height}">'
            f"<title>no face {clock(start_s)}–{clock(end_s)}</title></rect>"
        )
        if x2 - x1 > 50:
            parts.append(f'<text x="{(x1 + x2) / 2}" y="{_TOP + 16}" text-anchor="middle">no face</text>')
    return parts


def _polylines(scale: _Scale, line: Line) -> str:
    runs = _runs(_binned(line.curve, scale.duration_s), max(_GAP_S, 1.6 * scale.duration_s / _MAX_POINTS))
    parts = []
    for run in runs:
        points = " ".join(f"{scale.x(time_s)},{scale.y(value)}" for time_s, value in run)
        if len(run) == 1:
            x, y = points.split(",")
            parts.append(f'<circle class="{line.css_class} dot" cx="{x}" cy="{y}" r="2"/>')
        else:
            parts.append(f'<polyline class="{line.css_class}" points="{points}"/>')
    return f"<g><title>{escape(line.label)}</title>{''.join(parts)}</g>"


def _binned(curve: ScoreCurve, duration_s: float) -> list[tuple[float, float]]:
    """Average the curve over equal bins of time so that a long video gives no more than _MAX_POINTS."""
    points = sorted(zip(curve.time_s, curve.lse_d, strict=True))
    if len(points) <= _MAX_POINTS:
        return points
    bins: dict[int, list[tuple[float, float]]] = {}
    for time_s, value in points:
        bins.setdefault(int(time_s / duration_s * _MAX_POINTS), []).append((time_s, value))
    return [
        (sum(t for t, _ in members) / len(members), sum(v for _, v in members) / len(members))
        for _, members in sorted(bins.items())
    ]


def _runs(points: Sequence[tuple[float, float]], gap_s: float) -> list[list[tuple[float, float]]]:
    """Cut the points where no window was measured for longer than ``gap_s``."""
    runs: list[list[tuple[float, float]]] = []
    for point in points:
        if not runs or point[0] - runs[-1][-1][0] > gap_s:
            runs.append([])
        runs[-1].append(point)
    return runs
