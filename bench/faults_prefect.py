"""Kills what translates a library under Prefect; ``faults.py --through`` says how it is called.

Two set-ups of the README, on SQLite: ``schedule`` is ``f2f schedule`` in one process, ``workers`` a server
(``f2f ui``), two pools with a worker each, and the deployments of ``prefect.yaml``. Ticks are scheduled; the
script never asks for one, it only starts again the processes that an init system would start again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from faults_library import ANY_MOMENT, STAGES, Library, Watch, choose, show_kills
from prefect_setup import LECTURES, ROOT, TICKS, VIDEOS, Server

from f2f.library.lease import read_holder
from f2f.library.status import read_status

WAIT_S = 1200.0
N_AHEAD = 3  # lectures that wait while others are worked on
MAX_CHILD_KILLS = 2  # of one lecture: with a third failure it would be quarantined, as is right
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
SETTINGS = {"profile": "embedded", "mux.preset": "ultrafast", "slots.cpu": 4}


class Daemon:
    """A process that an init system would start again when it dies."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self._command, self._environment = command, environment
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, of the one that was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip


class Setup:
    """A set-up of the README; all its processes carry its folder in their environment.

    Args:
        through: ``schedule`` or ``workers``.
        library: what is to be translated.
        folder: for everything else.
    """

    def __init__(self, through: str, library: Library, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        folder.mkdir(parents=True, exist_ok=True)
        self.server = Server(folder, port)
        self.through, self._library, self._folder = through, library, folder
        outside = {**self.server.environment, "OMP_NUM_THREADS": "1", "PREFECT_SERVER_API_PORT": str(port)}
        inside = outside.copy()
        outside.pop("PREFECT_API_URL")
        if through == "schedule":
            settings = [word for name, one in SETTINGS.items() for word in ("--set", f"{name}={one}")]
            words = ["schedule", str(library.root), "--every", "1m", "--to", "es", "--from", "en", *settings]
            commands = {"server": (["f2f", *words, "--now"], outside)}
            self.victims: tuple[str, ...] = ("flow", "child", "server", "power")
        else:
            work = ["prefect", "worker", "start", "--pool"]
            commands = {
                "server": (["f2f", "ui", "--port", str(port)], outside),
                "ticks": ([*work, "ticks", "--limit", "1"], inside),
                "worker": ([*work, "lectures", "--limit", "2"], inside),
            }
            self.victims = ("flow", "child", "worker", "server", "power")
        self._daemons = {
            name: Daemon(name, [sys.executable, "-m", *command], environment, folder)
            for name, (command, environment) in commands.items()
        }
        self._has_power = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Set it up and have it run inside; what dies is started again within seconds."""
        stop, has_power = threading.Event(), self._has_power

        def mind() -> None:
            while not stop.wait(1):
                with has_power:
                    for daemon in self._daemons.values():
                        daemon.start()

        init = threading.Thread(target=mind, daemon=True)
        try:
            self._daemons["server"].start()
            wait_until(self.server.answers)
            if self.through == "workers":
                self._deploy()
            init.start()
            yield
        finally:
            stop.set()
            if init.is_alive():
                init.join()
            self._cut_power()

    def _deploy(self) -> None:
        options = json.dumps({"max_attempts": 1000, "backoff_s": 0.2})
        self.server.prefect("work-pool", "create", "ticks", "--type", "process")
        self.server.prefect("work-pool", "create", "lectures", "--type", "process")
        self.server.prefect("deploy", "--all")
        self.server.prefect(
            "deploy", "-n", TICKS, "--interval", "60", "--param", f"library={self._library.root}", "--param",
            'targets=["es"]', "--param", "source_language=en", "--param", f"config={json.dumps(SETTINGS)}",
            "--param", f"options={options}",
        )  # fmt: skip

    def kill(self, victim: str, work: Work) -> bool:
        """Kill one of ``victims``; False where there was none."""
        if victim == "power":
            self._cut_power()
        else:
            pids = {"child": work.child, "flow": work.flow}
            pid = pids[victim] if victim in pids else self._daemons[victim].pid
            if pid is None or not is_alive(pid):
                return False
            os.kill(pid, signal.SIGKILL)
        return True

    def _cut_power(self) -> None:
        """Kill all processes of the set-up, whoever started them; none sees another's death."""
        mark = os.fsencode(self._folder)
        with self._has_power:
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for entry in Path("/proc").glob("[0-9]*"):
                    with contextlib.suppress(OSError):
                        if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes():
                            os.kill(int(entry.name), number)

    def runs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all runs that were ever started, each with its flow; [] if the server does not answer."""
        with contextlib.suppress(OSError):
            return [(flow, run) for flow in (TICKS, LECTURES, VIDEOS) for run in self.server.runs(flow)]
        return []


@dataclass(frozen=True)
class Work:
    """A stage that is under way.

    Attributes:
        lecture: of which lecture.
        flow: process of the run that has the lecture's lease; None if there is none.
        child: process that does the stage.
    """

    lecture: str
    flow: int | None
    child: int | None


class Eyes:
    """Sees in the workspaces which stage is under way, and how often each was done."""

    def __init__(self, library: Library) -> None:
        self._library, self._seen = library, set[tuple[str, str, int, int]]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Eyes]:
        """Count all the time inside."""
        self._thread.start()
        yield self
        self._stop.set()
        self._thread.join()
        self._count()

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

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self._count()

    def _count(self) -> None:
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
            place, victim = choose(kills.total(), setup.victims)
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
        return status is not None and all(one.state == "done" for one in status.languages.values())

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

    def last_words() -> list[str]:
        ticks = [run for flow, run in setup.runs() if flow == TICKS and (run["start_time"] or "") > ended_at]
        return [run["state"]["message"] for run in ticks if run["state_type"] in FINAL]

    wait_until(lambda: bool(last_words()))
    said = f"{len(library.names)} {'unchanged' if setup.through == 'schedule' else 'done'}"
    problems += [] if last_words()[:1] == [said] else [f"a last tick said {last_words()[:1]}, not {said}"]
    return problems


def wait_until(condition: Callable[[], bool], every_s: float = 0.5) -> bool:
    """Wait until something is so; False if it is not after ``WAIT_S``."""
    give_up_s = time.monotonic() + WAIT_S
    while not (so := condition()) and time.monotonic() < give_up_s:
        time.sleep(every_s)
    return so


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def now_text() -> str:
    """Return the time as the server writes it."""
    return datetime.now(timezone.utc).isoformat()
