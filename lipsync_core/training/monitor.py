"""What a run shows: a progress bar or lines, ``log.jsonl``, TensorBoard."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from torch import Tensor

logger = logging.getLogger(__name__)

Figures = dict[str, float]


class Monitor:
    """Collects figures of the steps and shows their means.

    Args:
        out: folder of the run.
        step: where the run begins.
        share: how much of it is done already.
        tensorboard: whether to write for TensorBoard too, if it is installed.
    """

    def __init__(self, out: Path, step: int, share: float, tensorboard: bool) -> None:
        self._log = (out / "log.jsonl").open("a", encoding="utf-8")
        self._board = _open_board(out / "tensorboard", step) if tensorboard else None
        self._bar = _open_bar(share)
        self._sums: dict[str, list[float]] = {}
        self._begun, self._share_begun = time.monotonic(), share
        self._reported = (step, time.monotonic())

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._log.close()
        for stream in (self._board, self._bar):
            if stream is not None:
                stream.close()

    def note(self, figures: Figures) -> None:
        """Remember figures of one step for the next report."""
        for name, value in figures.items():
            self._sums.setdefault(name, []).append(value)

    @property
    def has_news(self) -> bool:
        """Whether steps were done since the last report."""
        return bool(self._sums)

    def report(self, step: int, seconds: float, share: float) -> None:
        """Show and log the mean figures since the last report."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        self._sums.clear()
        now = time.monotonic()
        rate = (step - self._reported[0]) / max(now - self._reported[1], 1e-9)
        self._reported = (step, now)
        left_s = (now - self._begun) * (1 - share) / max(share - self._share_begun, 1e-9)
        head = f"step {step}  {100 * share:.0f} %  {rate:.2f} steps/s  ETA {_clock(left_s)}"
        self._show(f"{head}  {_listed(means)}", share)
        self._write({"step": step, "seconds": seconds, **means})
        self._to_board(step, {"steps_per_second": rate, **means})

    def validated(self, step: int, seconds: float, figures: Figures) -> None:
        """Show and log mean figures on held-out clips."""
        self._say(f"step {step}  held-out clips: {_listed(figures)}")
        named = {f"val_{name}": value for name, value in figures.items()}
        self._write({"step": step, "seconds": seconds, **named})
        self._to_board(step, named)

    def picture(self, step: int, name: str, image_bgr: Tensor) -> None:
        """Show (3, H, W) BGR in 0...1 in TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, image_bgr.flip(0).float().clamp(0, 1).cpu(), step)

    @property
    def shows_pictures(self) -> bool:
        """Whether a picture would be seen by anyone."""
        return self._board is not None

    def _show(self, text: str, share: float) -> None:
        if self._bar is None:
            logger.info("%s", text)
            return
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(100 * share - self._bar.n)

    def _say(self, text: str) -> None:
        if self._bar is None:
            logger.info("%s", text)
        else:
            self._bar.write(text, file=sys.stderr)

    def _write(self, entry: dict[str, Any]) -> None:
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()

    def _to_board(self, step: int, figures: Figures) -> None:
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)


def _open_board(folder: Path, step: int) -> Any:
    """Return a TensorBoard writer, or None (and say so) if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning(
            "TensorBoard is not installed, so only log.jsonl is written: pip install 'f2f[train]', or set "
            "tensorboard: false"
        )
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _open_bar(share: float) -> Any:
    """Return a progress bar on a terminal that has tqdm, else None."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    form = "{percentage:3.0f} %|{bar:20}| {postfix}"
    return tqdm(total=100.0, initial=100 * share, bar_format=form, file=sys.stderr, dynamic_ncols=True)


def _listed(figures: Figures) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(min(seconds, 360_000)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
