"""The grown set-up of the README as processes that a script starts, asks and kills; for scripts beside this.

Everything lies in one folder; nothing of this user's own Prefect or f2f is touched.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lipsync_core.media import run_ffmpeg

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 900.0
ASK_EVERY_S = 2  # workers; Prefect's own default is 10
LECTURES, TICKS, VIDEOS = "translate-lecture", "translate-library", "translate-video"


@dataclass(frozen=True)
class Host:
    """Where a worker runs: by default this very machine.

    Attributes:
        name: for logs.
        prefix: words before each command that is to run there, such as ``nsenter …``.
        environment: variables that differ there, such as ``F2F_HOME`` and ``PREFECT_HOME``.
    """

    name: str = "here"
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Server:
    """A Prefect server, its workers and its command line.

    Args:
        folder: for its files and logs.
        port: to listen on.
        host: address to listen on.
        auth: ``NAME:PASSWORD`` that everybody must give; None lets everybody in.

    Attributes:
        environment: of all that speaks to the server.
    """

    def __init__(self, folder: Path, port: int, host: str = "127.0.0.1", *, auth: str | None = None) -> None:
        self.api_url = f"http://{host}:{port}/api"
        self._folder, self._port, self._host, self._auth = folder, port, host, auth
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        self.environment = os.environ | {
            "PREFECT_HOME": str(folder / "home"),
            "F2F_HOME": str(folder / "f2f"),
            "TMPDIR": str(folder / "tmp"),  # runs that are killed leave folders there
            "PREFECT_API_URL": self.api_url,
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": str(ASK_EVERY_S),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(ROOT),
        }
        if auth is not None:
            self.environment |= {"PREFECT_API_AUTH_STRING": auth}

    @contextmanager
    def running(self, database_url: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server until the end of the context; ``kill_tree`` may end it before.

        Args:
            database_url: where it keeps everything; None: SQLite in the folder.
        """
        environment = dict(self.environment)
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
            environment.pop(name, None)
        if database_url is not None:
            environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database_url
        if self._auth is not None:
            environment["PREFECT_SERVER_API_AUTH_STRING"] = self._auth
        command = [sys.executable, "-m", "f2f", "ui", "--port", str(self._port), "--host", self._host]
        with self._process(command, "server", environment) as process:
            wait_for(self.answers)
            yield process

    @contextmanager
    def worker(self, pool: str, host: Host | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker that takes one run at a time, until the end of the context or ``kill_tree``."""
        host = host or Host()
        name = f"{pool}-{host.name}"
        command = [
            *host.prefix, sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--limit", "1",
            "--name", f"{name}-{time.monotonic_ns()}",
        ]  # fmt: skip
        with self._process(command, f"worker-{name}", self.environment | dict(host.environment)) as process:
            yield process

    def prefect(self, *words: str) -> str:
        """Run the command line and return what it says."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def deploy(self, library: Path, **parameters: Any) -> None:
        """Make the two pools and the deployments of ``prefect.yaml``, with ticks that look at a library.

        Args:
            library: folder of the lectures.
            **parameters: more of ``translate-library``.
        """
        self.prefect("work-pool", "create", "ticks", "--type", "process")
        self.prefect("work-pool", "create", "lectures", "--type", "process")
        self.prefect("deploy", "--all")
        self.deploy_ticks(library, **parameters)

    def deploy_ticks(self, library: Path, **parameters: Any) -> None:
        """Have the ticks look at a library; with ``deploy`` done before, at another one from now on."""
        values = {"library": str(library), **parameters}
        words = [f"{name}={one if isinstance(one, str) else json.dumps(one)}" for name, one in values.items()]
        self.prefect("deploy", "-n", TICKS, *(word for one in words for word in ("--param", one)))

    def tick(self) -> None:
        """Let a tick come to its end."""
        before = len(self.runs(TICKS, "COMPLETED"))
        self.prefect("deployment", "run", f"{TICKS}/{TICKS}")
        wait_for(lambda: len(self.runs(TICKS, "COMPLETED")) > before)

    def last_tick(self) -> str:
        """Return what the last tick that ended said."""
        message: str = self.runs(TICKS, "COMPLETED")[-1]["state"]["message"]
        return message

    def runs(self, flow: str, state: str | None = None) -> list[dict[str, Any]]:
        """Return the runs of a flow, the oldest first, without those that a schedule has planned.

        Args:
            flow: its name.
            state: type of the state they are in, such as ``RUNNING``; None: any.
        """
        query: dict[str, Any] = {"sort": "START_TIME_ASC", "flows": {"name": {"any_": [flow]}}}
        if state is not None:
            query["flow_runs"] = {"state": {"type": {"any_": [state]}}}
        found: list[dict[str, Any]] = []
        while page := self.ask("/flow_runs/filter", {**query, "offset": len(found)}):
            found += page
        return [run for run in found if run["state_type"] != "SCHEDULED" or not run["auto_scheduled"]]

    def ask(self, path: str, body: Any) -> Any:
        """Return what the server's API answers to ``body`` at ``path``."""
        headers = {"Content-Type": "application/json"}
        if self._auth is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(self._auth.encode()).decode()}"
        request = urllib.request.Request(f"{self.api_url}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def answers(self) -> bool:
        """Whether it is there and lets us in."""
        try:
            return isinstance(self.ask("/flows/count", {}), int)
        except (urllib.error.URLError, OSError):
            return False

    @contextmanager
    def _process(
        self, command: list[str], name: str, environment: Mapping[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        path = self._folder / f"{name}-{time.monotonic_ns()}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield process
            except SystemExit:
                sys.stderr.write(f"{path.name}:\n{path.read_text(errors='replace')[-3000:]}\n")
                raise
            finally:
                kill_tree(process)


def make_lecture(path: Path, seconds: int = 2) -> None:
    """Write a clip without a face, with its captions and their Spanish translation beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".srt", "Good morning"), (".es.srt", "Buenos días")):
        cue = f"1\n00:00:00,200 --> 00:00:01,800\n{text}\n"
        path.with_name(path.stem + suffix).write_text(cue, encoding="utf-8")
    run_ffmpeg(
        [
            "-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=25:duration={seconds}",
            "-f", "lavfi", "-i", f"sine=frequency=220:sample_rate=16000:duration={seconds}",
            "-pix_fmt", "yuv420p", "-shortest", "-f", "mp4", str(path),
        ],
        what=f"making {path.name}",
    )  # fmt: skip


def descendants(pid: int) -> list[int]:
    """Return a process and everything below it, whatever groups that made."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything below it."""
    for pid in descendants(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Print what is done inside and how long it took."""
    began_s = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began_s:.1f} s", flush=True)


def wait_for(condition: Callable[[], bool], wait_s: float = WAIT_S, every_s: float = 0.5) -> None:
    """Wait until something is so, asked every so often; end the script if it takes too long."""
    give_up_s = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > give_up_s:
            sys.exit(f"nothing after {wait_s:.0f} s")
        time.sleep(every_s)
