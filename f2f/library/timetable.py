"""When a library is looked through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from f2f.errors import UsageError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_INTERVAL = timedelta(seconds=10)


@dataclass(frozen=True)
class Timetable:
    """Times at which new and changed lectures are looked for: ``cron`` or ``every``.

    Attributes:
        cron: five fields as of crontab(5), in the time of this machine.
        every: time between two looks.
        now: look once at the start, too.
    """

    cron: str | None = None
    every: timedelta | None = None
    now: bool = False


def build_timetable(cron: str | None, every: str | None, *, now: bool) -> Timetable:
    """Return the timetable that the command's words describe.

    Raises:
        UsageError: both or neither of ``cron`` and ``every`` are given, or ``every`` is no time.
    """
    if (cron is None) == (every is None):
        raise UsageError('give either --cron, such as --cron "0 2 * * *", or --every, such as --every 10m')
    return Timetable(cron, None if every is None else parse_interval(every), now)


def parse_interval(text: str) -> timedelta:
    """Return the time that ``90s``, ``10m``, ``2h`` or ``1d`` says.

    Raises:
        UsageError: it says none, or one that is too short or too long.
    """
    parts = re.fullmatch(r"(\d{1,6})\s*([smhd])", text.strip().lower())
    if parts is None:
        raise UsageError(f"--every {text}: must be a number and s, m, h or d, such as 90s, 10m, 2h or 1d")
    interval = timedelta(seconds=int(parts[1]) * _UNITS_S[parts[2]])
    if interval < MIN_INTERVAL:
        raise UsageError(f"--every {text}: at least {MIN_INTERVAL.seconds}s, so that a look can end")
    return interval
