"""What the subcommands share: common options and progress on the terminal."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

PROGRESS_INTERVAL_S = 0.5


def add_common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int | None]) -> None:
    """Give ``parser`` the options of every subcommand and the function that runs it."""
    parser.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    parser.set_defaults(run=run)


class Progress:
    """One line on a terminal's stderr; silent elsewhere."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._due = time.monotonic() + PROGRESS_INTERVAL_S

    def __call__(self, done: int, total: int | None) -> None:
        """Show progress, at most twice a second."""
        if not sys.stderr.isatty() or (time.monotonic() < self._due and done != total):
            return
        self._due = time.monotonic() + PROGRESS_INTERVAL_S
        of_total = f" of {total:,}" if total else ""
        end = "\n" if done == total else ""
        print(f"\r{self._what}: {done:,}{of_total} {self._unit}", end=end, file=sys.stderr, flush=True)
