"""Whether processes that a test started are gone."""

from __future__ import annotations

import time
from pathlib import Path


def living_members(group: int) -> list[int]:
    """Return the processes of a group that still run.

    A killed process that nobody has reaped yet does not: where process 1 is no init, as in many containers,
    nobody ever does.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, own_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # gone meanwhile
            continue
        if int(own_group) == group and state not in "ZX":
            found.append(int(entry.name))
    return found


def group_is_gone(group: int, within_s: float = 10.0) -> bool:
    """Return whether no process of a group runs any more, waiting a little for the last."""
    deadline = time.monotonic() + within_s
    while living_members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
