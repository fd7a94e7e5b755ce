"""Two workers on hosts of their own take a library: how much faster than one, and what if one dies.

    sudo python bench/two_hosts.py [--lectures 12] [--only simulated real kill] [--postgres FOLDER]

Each host is a network namespace of this machine with an address, a name, process ids, homes and one processor
core of its own (``network_hosts.py``). A Prefect server on PostgreSQL listens on an address of that network
and asks for a password; a tick through the deployment starts a run for each lecture, and one worker on each
host takes them, one at a time. The library is a shared folder.

The same is measured with one host and with two: first with the stages' work simulated, each waits and takes
over a result made before, while planning, leases, processes, slots, Prefect's runs and tasks, outputs and
pages are real; then with real work (captions and translation given, espeak, embedded weights, lip-sync on
clips of a talking face). Last, with real work again, one of two hosts loses its power midway.

Fails unless every lecture is done, no stage of any was done twice, no two runs did the same lecture, and a
tick afterwards finds nothing to do. The share of the cores that server and hosts took is printed, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from library_watch import STAGES, Watched, machine_s, processor_s, when
from network_hosts import NetworkHost, enter_network
from postgresql import find_postgresql
from prefect_setup import ASK_EVERY_S, TICKS, VIDEOS, wait_for
from two_hosts_setup import Setup, set_up, simulating

PHASES = ("simulated", "real", "kill")
LOOK_EVERY_S = 2.0  # more would be work for the server
KILL_AFTER = 3  # lectures, and stages of one more


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lectures", type=int, default=12)
    parser.add_argument("--only", nargs="+", choices=PHASES, default=PHASES)
    parser.add_argument("--stage-s", type=float, default=2.0, help="how long a simulated stage waits")
    parser.add_argument("--clip-s", type=float, default=3.0, help="length of a lecture")
    parser.add_argument("--postgres", type=Path, help="folder of PostgreSQL's programs")
    args = parser.parse_args()
    args.postgres = find_postgresql(args.postgres)
    enter_network()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)  # the user postgres must get through
        problems = show(folder, stack, args)
    for problem in problems:
        print(f"FAILED: {problem}")
    sys.exit(bool(problems))


@dataclass(frozen=True)
class Measured:
    """What a library took.

    Attributes:
        work: ``simulated`` or ``real``.
        n_hosts: that shared it.
        seconds: from the start of the tick to the end of the last lecture's run.
        by_host: how many lectures each did.
        busy: processor seconds of ``server``, ``hosts`` and ``others`` (everything else on this machine).
    """

    work: str
    n_hosts: int
    seconds: float
    by_host: Counter[str]
    busy: dict[str, float]


def show(folder: Path, stack: ExitStack, args: argparse.Namespace) -> list[str]:
    """Set everything up, measure and print; return what is wrong."""
    setup = set_up(folder, stack, args.postgres, args.lectures, args.clip_s)
    measured, problems = [], []
    for work in [one for one in ("simulated", "real") if one in args.only]:
        for n_hosts in (1, 2):
            hosts: tuple[NetworkHost, ...] = setup.hosts[:n_hosts]
            if work == "simulated":
                hosts = tuple(simulating(host, setup, args.stage_s) for host in hosts)
            one, wrong = measure(setup, work, hosts)
            measured.append(one)
            problems += [f"{work}, {n_hosts} hosts: {each}" for each in wrong]
    if measured:
        print_table(measured, args.lectures, args.stage_s)
    if "kill" in args.only:
        problems += [f"kill: {each}" for each in lose_a_host(setup)]
    return problems


def measure(setup: Setup, work: str, hosts: Sequence[NetworkHost]) -> tuple[Measured, list[str]]:
    """Have hosts take a library; return what it took, and what is wrong."""
    library = setup.library(f"{work}{len(hosts)}")
    n_lectures = len(library.names)
    with setup.workers(hosts) as workers:
        sides = {"server": setup.server_side, "hosts": (*(host.pid for host in setup.hosts), *workers)}
        before = {name: processor_s(side) for name, side in sides.items()}
        machine_before_s = machine_s()
        setup.server.tick()
        tick = setup.server.runs(TICKS, "COMPLETED")[-1]
        wait_for(lambda: library.n_done() == n_lectures, every_s=LOOK_EVERY_S)
        busy = {name: processor_s(side) - before[name] for name, side in sides.items()}
        busy["others"] = machine_s() - machine_before_s - sum(busy.values())
    last = max(when(run["end_time"]) for run in library.lecture_runs("COMPLETED"))
    seconds = (last - when(tick["start_time"])).total_seconds()
    by_host = Counter(host for names in library.hosts.values() for host in names)
    print(f"{work} work, {len(hosts)} hosts: {seconds:.0f} s", flush=True)
    problems = library.problems(are_alike=work == "simulated") + tick_again(setup, library)
    return Measured(work, len(hosts), seconds, by_host, busy), problems


def tick_again(setup: Setup, library: Watched) -> list[str]:
    """Let another tick look; return what is wrong if it finds anything to do."""
    n_runs = len(library.lecture_runs())
    setup.server.tick()
    said = setup.server.last_tick()
    if said == f"{len(library.names)} done" and len(library.lecture_runs()) == n_runs:
        return []
    return [f"another tick said {said!r}"]


def print_table(measured: list[Measured], n_lectures: int, stage_s: float) -> None:
    """Print what was measured, a line for each, and how."""
    cores = len(os.sched_getaffinity(0))
    waits = f"each of {len(STAGES)} stages waits {stage_s:g} s and takes over a result, all else is real"
    print(f"\n{n_lectures} lectures, workers ask every {ASK_EVERY_S} s. Simulated: {waits}.")
    print(
        f"Server (with PostgreSQL and ticks), hosts, others: what they took of this machine's {cores} cores."
    )
    print(
        f"{'work':<10}{'hosts':>6}{'seconds':>9}{'lectures/h':>12}{'ratio':>7}   {'lectures by host':<20}"
        f"{'server':>7}{'hosts':>7}{'others':>8}"
    )
    alone = {one.work: one.seconds for one in measured if one.n_hosts == 1}
    for one in measured:
        by_host = ", ".join(f"{host} {n}" for host, n in sorted(one.by_host.items()))
        shares = [
            f"{100 * one.busy[name] / one.seconds / cores:.0f} %" for name in ("server", "hosts", "others")
        ]
        print(
            f"{one.work:<10}{one.n_hosts:>6}{one.seconds:>9.0f}{3600 * n_lectures / one.seconds:>12.0f}"
            f"{alone[one.work] / one.seconds:>7.2f}   {by_host:<20}{shares[0]:>7}{shares[1]:>7}{shares[2]:>8}"
        )


def lose_a_host(setup: Setup) -> list[str]:
    """Cut one of two hosts' power midway; the other must do everything that is left. Return what is wrong."""
    library, victim = setup.library("kill"), setup.hosts[1]
    print("\none of two hosts loses its power, real work")
    with setup.workers(setup.hosts):
        setup.server.tick()
        doomed: list[str] = []

        def is_midway() -> bool:
            doomed[:] = [name for name, host in library.look().items() if host == victim.name]
            enough = library.n_done() >= min(KILL_AFTER, len(library.names) // 2)
            return enough and bool(doomed) and len(library.stages_done(doomed[0])) >= KILL_AFTER

        wait_for(is_midway)
        victim.cut_power()
        killed = datetime.now(timezone.utc)
        n_stages = library.stages_done(doomed[0]).total()
        print(f"  {victim.name} dies; {library.n_done()} lectures are done, of {doomed[0]} {n_stages} stages")
        wait_for(lambda: library.n_done() == len(library.names), every_s=LOOK_EVERY_S)
    crashed = library.lecture_runs("CRASHED")
    for run in (*crashed, *setup.server.runs(VIDEOS, "CRASHED")):
        print(f"  after {_after(killed, run['state']['timestamp'])} {run['name']!r} is marked as crashed")
    for run in library.lecture_runs("COMPLETED"):
        if run["parameters"]["lecture"] == f"{doomed[0]}.mp4":
            times = [_after(killed, run[key]) for key in ("created", "start_time", "end_time")]
            print("  another run is made after {}, taken after {}, done after {}".format(*times))
    print(f"  runs: {dict(Counter(run['state_name'] for run in library.lecture_runs()))}")
    print(f"  by host: {library.hosts}")
    wrong = library.problems(crashed=doomed[0]) + tick_again(setup, library)
    return wrong + ([] if len(crashed) == 1 else [f"{len(crashed)} runs are marked as crashed"])


def _after(killed: datetime, time: str) -> str:
    return f"{(when(time) - killed).total_seconds():.0f} s"


if __name__ == "__main__":
    main()
