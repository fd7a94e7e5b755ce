"""Kills ``f2f batch``; ``faults.py --through batch`` says how it is called."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

from faults_library import ANY_MOMENT, Library, Watch, choose, show_kills

from f2f.peak_memory import processes_below

VICTIMS = ("batch", "worker", "all")
WAIT_S = 900.0
MAX_LAST_RUNS = 10


def command(library: Library) -> list[str]:
    """Return the words that bring the library up to date."""
    settings = ("mux.preset=ultrafast", "slots.cpu=4")
    return [
        sys.executable, "-m", "f2f", "batch", str(library.root), "--to", "es", "--from", "en", "--json",
        "--profile", "embedded", "--device", "cpu", "--backoff", "0.2", "--attempts", "1000",
        *(word for one in settings for word in ("--set", one)),
    ]  # fmt: skip


class Run:
    """One run of the command, its events taken in as they come."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.states: Counter[str] = Counter()
        self.started: list[str] = []
        self.n_done = 0
        self._new = threading.Condition()
        environment = {**os.environ, "F2F_RUNNER": "inline", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command(library), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        under_way: dict[str, str | None] = {}
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a killed process
                event = json.loads(line)
                with self._new:
                    if event["event"] == "stage_started":
                        under_way[event["stage"]] = event["target_language"]
                        self.started.append(event["stage"])
                    elif event["event"] == "stage_finished" and not event["reused"]:
                        self.n_done += 1
                        key = (event["lecture"], event["stage"], under_way.get(event["stage"]))
                        self.library.made[key] += 1
                    elif event["event"] == "language":
                        self.states[event["state"]] += 1
                    self._new.notify_all()

    def wait_for(self, stage: str) -> bool:
        """Wait until a stage starts; False if the run ends before."""
        deadline_s = time.monotonic() + WAIT_S
        with self._new:
            while stage not in self.started and self._thread.is_alive() and time.monotonic() < deadline_s:
                self._new.wait(0.2)
            return stage in self.started

    def kill(self, victim: str) -> bool:
        """Kill the batch, its worker, or all; False where that had ended already."""
        if self.process.poll() is not None:
            return False
        below = list(processes_below(self.process.pid))
        numbers = {"batch": [self.process.pid], "worker": below, "all": [self.process.pid, *below]}[victim]
        for number in numbers:  # none may see another's death and act upon it
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGSTOP)
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return bool(numbers)

    def end(self) -> int:
        """Wait until it has ended and return its exit code."""
        code = self.process.wait(WAIT_S)
        self._thread.join(10)
        return code


def torment(library: Library, times: int, chance: random.Random) -> list[str]:
    """Kill ``times`` times, bring the library to its end, print what was seen and return what is wrong."""
    started_s = time.monotonic()
    kills: Counter[tuple[str, str]] = Counter()
    watch = Watch(library)
    with watch.watching():
        while kills.total() < times:
            if not library.untouched():
                library.add()
            place, victim = choose(kills.total(), times, VICTIMS)
            if strike(library, place, victim, chance):
                kills[place, victim] += 1
        n_ends, last = bring_to_an_end(library)
    show_kills(kills, VICTIMS)
    print(
        f"{kills.total()} kills, {len(library.names)} lectures, done after {n_ends} more runs; "
        f"{library.made.total()} stages done, {watch.n_looks} files under final names looked at; "
        f"{time.monotonic() - started_s:.0f} s"
    )
    problems = [f"half-written: {one}" for one in watch.broken] + library.find_problems()
    if last.n_done or set(last.states) != {"unchanged"}:
        problems.append(f"the last run still did {last.n_done} stages: {dict(last.states)}")
    return problems


def strike(library: Library, place: str, victim: str, chance: random.Random) -> bool:
    """Start a run and kill it; False if it came to its end before."""
    run = Run(library)
    try:
        if place == ANY_MOMENT:
            time.sleep(chance.uniform(0, 12))
        elif run.wait_for(place):
            time.sleep(chance.uniform(0, 0.3))
        was_killed = run.kill(victim)
        run.end()  # without its worker the batch goes on by itself
    except BaseException:
        run.kill("all")
        raise
    return was_killed


def bring_to_an_end(library: Library) -> tuple[int, Run]:
    """Give the command until all is done, and once more; return how often, and the last run."""
    n_runs = 1
    while Run(library).end() != 0 and n_runs < MAX_LAST_RUNS:
        n_runs += 1
    last = Run(library)
    last.end()
    return n_runs, last
