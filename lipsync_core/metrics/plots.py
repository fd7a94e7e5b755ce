"""Pictures of measurements (needs matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError
from lipsync_core.metrics.packages import import_optional
from lipsync_core.metrics.videos import VideoRow
from lipsync_core.whole_files import whole_file

PLOT_SUFFIXES = (".png", ".pdf", ".svg")
MAX_BARS = 60


def require_plots(path: Path) -> None:
    """Refuse early what `plot_rows` could not do at the end.

    Raises:
        MissingModelError: matplotlib is not installed.
        InvalidInputError: another kind of file.
    """
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise InvalidInputError(f"cannot plot to {path}; give a file that ends in {', '.join(PLOT_SUFFIXES)}")
    import_optional("matplotlib", "matplotlib", "plots")


def plot_rows(rows: Sequence[VideoRow], path: Path) -> None:
    """Draw one video over time, or LSE of several side by side.

    Raises:
        InvalidInputError: nothing was measured, or the file cannot be written.
        MissingModelError: matplotlib is not installed.
    """
    require_plots(path)
    measured = [row for row in rows if row.score is not None and row.score.whole is not None]
    if not measured:
        raise InvalidInputError("nothing to plot: no lip sync was measured")
    backend = import_optional("matplotlib.backends.backend_agg", "matplotlib", "plots")
    figure = import_optional("matplotlib.figure", "matplotlib", "plots").Figure(
        figsize=(10, 6), layout="constrained"
    )
    backend.FigureCanvasAgg(figure)
    if len(rows) == 1:
        _draw_curve(figure, measured[0])
    else:
        _draw_bars(figure, measured[:MAX_BARS])
    try:
        with whole_file(path) as part:
            figure.savefig(part, dpi=120)
    except OSError as error:
        raise InvalidInputError(f"cannot write {path} ({error}); give a file in a folder of yours") from error


def _draw_curve(figure: Any, row: VideoRow) -> None:
    assert row.score is not None and row.score.whole is not None
    curve, whole = row.score.curve, row.score.whole
    distance, confidence = figure.subplots(2, 1, sharex=True)
    distance.plot(curve.time_s, curve.distance, ".", markersize=3)
    distance.axhline(whole.distance, linestyle="--", linewidth=1, color="grey")
    distance.set_ylabel("distance at shift 0")
    distance.set_title(
        f"{row.video.name} · LSE-D {whole.distance:.3f} · LSE-C {whole.confidence:.3f} · "
        f"offset {whole.offset:+d} frames · SyncNet: {row.score.syncnet_name}"
    )
    confidence.plot(curve.time_s, curve.confidence, ".", markersize=3)
    confidence.axhline(0, linewidth=1, color="grey")
    confidence.set_ylabel("confidence")
    confidence.set_xlabel("seconds")


def _draw_bars(figure: Any, rows: Sequence[VideoRow]) -> None:
    names = [row.video.stem for row in rows]
    for axes, name, title in zip(
        figure.subplots(2, 1, sharex=True), ("lse_d", "lse_c"), ("LSE-D", "LSE-C"), strict=True
    ):
        axes.bar(range(len(rows)), [row.figures[name] for row in rows])
        axes.set_ylabel(title)
    axes.set_xticks(range(len(rows)), names, rotation=90, fontsize=7)
