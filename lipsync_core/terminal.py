"""A line of progress on a terminal."""

from __future__ import annotations

import sys
import time

INTERVAL_S = 0.5


class StatusLine:
    """One line on a terminal's stderr, written over at most twice a second; silent elsewhere."""

    def __init__(self) -> None:
        self._due_s = time.monotonic() + INTERVAL_S

    def is_due(self, *, is_last: bool) -> bool:
        """Return whether `show` is to be called now."""
        return sys.stderr.isatty() and (is_last or time.monotonic() >= self._due_s)

    def show(self, text: str, *, is_last: bool) -> None:
        """Write over what was shown before; the last stays."""
        self._due_s = time.monotonic() + INTERVAL_S
        _write(f"\r{text}" + ("\n" if is_last else ""))

    @staticmethod
    def keep(text: str) -> None:
        """Write a line that stays, in place of what is shown; also where there is no terminal."""
        _write(f"\r{text}\n" if sys.stderr.isatty() else f"{text}\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
