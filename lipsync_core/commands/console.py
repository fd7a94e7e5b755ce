"""What the subcommands share: common options and progress on the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lipsync_core.terminal import StatusLine


def add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int | None]) -> None:
    """Give ``parser`` the options of every subcommand and the function that runs it."""
    parser.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    parser.set_defaults(run=run)


class Progress:
    """How much is done, on one line of a terminal; silent elsewhere."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._line = StatusLine()

    def __call__(self, done: int, total: int | None) -> None:
        """Show progress, at most twice a second."""
        is_last = done == total
        if self._line.is_due(is_last=is_last):
            of_total = f" of {total:,}" if total else ""
            self._line.show(f"{self._what}: {done:,}{of_total} {self._unit}", is_last=is_last)
