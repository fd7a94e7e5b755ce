"""The grown set-up of the README on one machine: PostgreSQL, a Prefect server on it, two pools, two workers.

    python bench/grown_setup.py [--lectures 3] [--postgres /usr/lib/postgresql/15/bin] [--port 4280]

Lets a tick translate a small library (captions and translation given, espeak, no lip-sync), kills the worker
of the lectures with everything below it in the middle of one more lecture, and waits until that run is marked
as crashed and another tick, which nobody asked for, has brought the lecture to its end. Prints how long each
step took. Needs PostgreSQL (Debian: apt-get install postgresql); as root it runs as the user postgres.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lipsync_core.media import run_ffmpeg

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 900
LECTURES, TICKS = "translate-lecture", "translate-library"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lectures", type=int, default=3)
    parser.add_argument("--postgres", type=Path, default=Path("/usr/lib/postgresql/15/bin"))
    parser.add_argument("--port", type=int, default=4280)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)  # the user postgres must get through
        show(folder, stack, args)


def show(folder: Path, stack: ExitStack, args: argparse.Namespace) -> None:
    server = Server(folder, args.port)
    with told("PostgreSQL made and started"):
        url = stack.enter_context(postgres(args.postgres, folder / "postgres"))
    with told("Prefect server on the empty database"):
        stack.enter_context(server.running(url))
    with told("two pools and three deployments"):
        server.prefect("work-pool", "create", "ticks", "--type", "process")
        server.prefect("work-pool", "create", "lectures", "--type", "process")
        server.prefect("deploy", "--all")
        options = json.dumps({"lipsync": False})
        settings = json.dumps({"profile": "embedded"})
        server.prefect(
            "deploy", "-n", TICKS, "--param", f"library={folder / 'library'}", "--param", 'targets=["es"]',
            "--param", "source_language=en", "--param", f"config={settings}", "--param", f"options={options}",
        )  # fmt: skip
    stack.enter_context(server.worker("ticks"))
    work = stack.enter_context(server.worker("lectures"))
    for number in range(args.lectures):
        make_lecture(folder / "library" / f"week{number + 1}.mp4")
    with told(f"a tick and {args.lectures} lectures"):
        server.tick()
        wait_for(lambda: len(list((folder / "library").glob("*.es.html"))) == args.lectures)
        wait_for(lambda: len(server.runs(LECTURES, "COMPLETED")) == args.lectures)
    print(f"  runs: {[run['name'] for run in server.runs(LECTURES)]}")
    server.tick()
    print(f"  a second tick: {server.last_tick()!r}, {len(server.runs(LECTURES))} runs")

    make_lecture(folder / "library" / "late.mp4", seconds=20)
    server.tick()
    wait_for(lambda: any(run["name"].startswith("late") for run in server.runs("translate-video", "RUNNING")))
    time.sleep(2)
    kill_tree(work)
    with told("kill -9 of the worker until its run is marked as crashed"):
        wait_for(lambda: len(server.runs(LECTURES, "CRASHED")) == 1)
    stack.enter_context(server.worker("lectures"))
    with told("from there by itself until the lecture is done by another worker"):
        wait_for(lambda: (folder / "library" / "late.es.html").exists())
        wait_for(lambda: len(server.runs(LECTURES, "COMPLETED")) == args.lectures + 1)
    print(f"  states: {sorted(run['state_name'] for run in server.runs(LECTURES))}")


class Server:
    """A Prefect server, its workers and its command line.

    Args:
        folder: for its files.
        port: to listen on.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self._environment = os.environ | {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def running(self, url: str) -> Iterator[None]:
        environment = self._environment | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url}
        environment.pop("PREFECT_API_URL")
        command = [sys.executable, "-m", "f2f", "ui", "--port", str(self._port)]
        with self._process(command, "server", environment):
            wait_for(self._answers)
            yield

    @contextmanager
    def worker(self, pool: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--limit", "1"]
        with self._process(command, f"worker-{pool}-{time.monotonic_ns()}", self._environment) as process:
            yield process

    def prefect(self, *words: str) -> None:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")

    def tick(self) -> None:
        """Let a tick come to its end."""
        before = len(self.runs(TICKS, "COMPLETED"))
        self.prefect("deployment", "run", f"{TICKS}/{TICKS}")
        wait_for(lambda: len(self.runs(TICKS, "COMPLETED")) > before)

    def last_tick(self) -> str:
        message: str = self.runs(TICKS, "COMPLETED")[-1]["state"]["message"]
        return message

    def runs(self, flow: str, state: str | None = None) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"sort": "START_TIME_ASC", "flows": {"name": {"any_": [flow]}}}
        if state is not None:
            query["flow_runs"] = {"state": {"type": {"any_": [state]}}}
        found = self._ask("/flow_runs/filter", query)
        # Those that the schedule has planned are not of interest.
        return [run for run in found if run["state_type"] != "SCHEDULED" or not run["auto_scheduled"]]

    def _ask(self, path: str, body: Any) -> Any:
        url, headers = f"http://127.0.0.1:{self._port}/api{path}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/health", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @contextmanager
    def _process(
        self, command: list[str], name: str, environment: dict[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield process
            except SystemExit:
                sys.stderr.write((self._folder / f"{name}.log").read_text(errors="replace")[-3000:])
                raise
            finally:
                kill_tree(process)


@contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server with a database of its own; give its address."""
    folder.mkdir()
    words: list[str] = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        words = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    run = [*words, str(programs / "initdb"), "-D", data, "-U", "f2f", "-A", "trust", "-E", "UTF8"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd="/")
    control = [*words, str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        yield f"postgresql+asyncpg://f2f@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=False, stdout=subprocess.DEVNULL, cwd="/")


def make_lecture(path: Path, seconds: int = 2) -> None:
    path.parent.mkdir(exist_ok=True)
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


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything below it, whatever groups that made."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    doomed = [process.pid]
    for pid in doomed:
        doomed += children.get(pid, [])
    for pid in doomed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


@contextmanager
def told(what: str) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began_s:.1f} s", flush=True)


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > give_up_s:
            sys.exit(f"nothing after {WAIT_S} s")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
