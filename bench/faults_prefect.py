"""Kills what translates a library under Prefect; ``faults.py --through`` says how it is called.

Ticks are scheduled; the script never asks for one, it only starts again the processes that an init system
would start again.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from faults_library import ANY_MOMENT, STAGES, Library, Looker, Watch, choose, show_kills
from faults_setups import WAIT_S, Setup, Work, is_alive, wait_until
from prefect_setup import TICKS

from f2f.library.lease import read_holder
from f2f.library.status import read_status

N_AHEAD = 3  # lectures that wait while others are worked on
MAX_CHILD_KILLS = 2  # of one lecture: with a third failure it would be quarantined, as is right
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Eyes(Looker):
    """Sees in the workspaces which stage is under way, and how often each was done."""

    def __init__(self, library: Library) -> None:
        super().__init__(0.1)
        self._library, self._seen = library, set[tuple[str, str, int, int]]()

    def under_way(self, place: str) -> list[Work]:
        """Return what is under way: a stage, or any."""
        found = []
        for name in list(self._library.names):
            workspace = self._library.workspace(name)
            for stage in STAGES if place == ANY_MOMENT else (place,):
                for folder in workspace.glob(f"{stage}/.*.tmp"):
                    pid = folder.suffixes[-2].removeprefix(".")  # .KEY.PID.tmp
                    if pid.isdigit() and is_alive(int(pid)):
                        holder = read_holder(workspace)
                        found.append(Work(name, holder.pid if holder else None, int(pid)))
        return found

    def look(self) -> None:
        """Count the results that are new."""
        for name in list(self._library.names):
            for path in self._library.workspace(name).glob("*/*/result.json"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    one = (name, path.parent.parent.name, status.st_ino, status.st_mtime_ns)
                    if one not in self._seen:
                        self._seen.add(one)
                        self._library.made[name, one[1], "es"] += 1


def torment(through: str, library: Library, folder: Path, times: int, chance: random.Random) -> list[str]:
    """Kill ``times`` times, wait for the end, print what was seen and return what is wrong."""
    started_s = time.monotonic()
    kills: Counter[tuple[str, str]] = Counter()
    children: Counter[str] = Counter()
    setup, eyes, watch = Setup(through, library, folder), Eyes(library), Watch(library)
    for _ in range(N_AHEAD):
        library.add()
    with setup.running(), eyes.watching(), watch.watching():
        while kills.total() < times:
            while len(library.untouched()) < N_AHEAD:
                library.add()
            place, victim = choose(kills.total(), times, setup.victims)
            tired = {name for name, n in children.items() if victim == "child" and n >= MAX_CHILD_KILLS}
            work = wait_for_work(eyes, place, tired, chance)
            if setup.kill(victim, work):
                kills[place, victim] += 1
                children[work.lecture] += victim == "child"
                what = f"{victim} at {place} of {work.lecture}"
                print(f"{time.monotonic() - started_s:5.0f} s  {what}", flush=True)
        problems = wait_for_the_end(setup, library)
        states = Counter(f"{flow} {run['state_type'].lower()}" for flow, run in setup.runs())
    show_kills(kills, setup.victims)
    print("runs: " + ", ".join(f"{n} {what}" for what, n in sorted(states.items())))
    print(
        f"{kills.total()} kills, {len(library.names)} lectures; {library.made.total()} stages done, "
        f"{watch.n_looks} files under final names looked at; {time.monotonic() - started_s:.0f} s"
    )
    return [*problems, *(f"half-written: {one}" for one in watch.broken), *library.find_problems()]


def wait_for_work(eyes: Eyes, place: str, tired: set[str], chance: random.Random) -> Work:
    """Wait until a stage is under way in a lecture that is not tired, and a moment longer."""
    if place == ANY_MOMENT:
        time.sleep(chance.uniform(0, 12))
    found: list[Work] = []

    def look() -> bool:
        found[:] = [work for work in eyes.under_way(place) if work.lecture not in tired]
        return bool(found)

    if not wait_until(look, every_s=0.02):
        sys.exit(f"no {place} was under way for {WAIT_S:.0f} s")
    time.sleep(chance.uniform(0, 0.3))
    return chance.choice(found)


def wait_for_the_end(setup: Setup, library: Library) -> list[str]:
    """Wait until all is done, all runs have ended, and a tick found nothing to do; return what was not so."""
    problems = []

    def is_done(name: str) -> bool:
        status = read_status(library.workspace(name))
        return status is not None and {one.state for one in status.languages.values()} == {"done"}

    if not wait_until(lambda: all(map(is_done, library.names))):
        problems += [f"{name} is not done" for name in library.names if not is_done(name)]
    done_at = now_text()

    def unended() -> list[str]:
        runs = [(flow, run) for flow, run in setup.runs() if (run["expected_start_time"] or "") < done_at]
        return [
            f"{flow} {run['name']} is {run['state_type']}"
            for flow, run in runs or [("no run", {"name": "", "state_type": "known"})]
            if run["state_type"] not in FINAL
        ]

    if not wait_until(lambda: not unended()):
        problems += unended()
    ended_at = now_text()

    def said() -> list[str]:
        return last_words([run for flow, run in setup.runs() if flow == TICKS], ended_at)

    wait_until(lambda: bool(said()))
    wanted = f"{len(library.names)} {'unchanged' if setup.through == 'schedule' else 'done'}"
    problems += [] if said()[:1] == [wanted] else [f"a last tick said {said()[:1]}, not {wanted}"]
    return problems


def last_words(ticks: Iterable[Mapping[str, Any]], since: str) -> list[str]:
    """Return what the ticks said that began since then and had the library to themselves."""
    began = [tick for tick in ticks if tick["state_type"] == "COMPLETED" and tick["start_time"] > since]
    words = [str(tick["state"]["message"]) for tick in began]
    return [one for one in words if not one.startswith("an earlier tick")]


def now_text() -> str:
    """Return the time as the server writes it."""
    return datetime.now(timezone.utc).isoformat()
