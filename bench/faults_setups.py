"""Two set-ups of the README with Prefect, on SQLite, as processes that can be killed.

``schedule`` is ``f2f schedule`` in one process, ``workers`` a server (``f2f ui``), two pools with a worker
each, and the deployments of ``prefect.yaml``. Ticks are scheduled; nobody ever asks for one. The daemons are
started again when they die, as an init system does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults_library import Library
from prefect_setup import LECTURES, ROOT, TICKS, VIDEOS, Server

WAIT_S = 1200.0
SETTINGS = {"profile": "embedded", "mux.preset": "ultrafast", "slots.cpu": 4}


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
