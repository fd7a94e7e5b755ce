"""A server, two hosts and libraries of short lectures for ``two_hosts.py``."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import simulated_stages
from library_watch import Watched, when
from network_hosts import SERVER_ADDRESS, NetworkHost, network_host
from postgresql import postgresql
from prefect_setup import ROOT, Server, told, wait_for

from f2f.sample import make_sample
from lipsync_core.media import run_ffmpeg

PORT = 4200
DEPLOYED = {"targets": ["es"], "source_language": "en", "config": {"profile": "embedded"}}
SAID = ((".srt", "And this is what we know."), (".es.srt", "Y esto es lo que sabemos."))


@dataclass(frozen=True)
class Setup:
    """What every measurement needs.

    Attributes:
        folder: for everything.
        server: that the hosts work for.
        hosts: both.
        server_side: processes of server, database and ticks.
        clips: folder with the lectures, each with captions and translation.
    """

    folder: Path
    server: Server
    hosts: tuple[NetworkHost, NetworkHost]
    server_side: tuple[int, ...]
    clips: Path

    def library(self, name: str) -> Watched:
        """Lay out a library of its own and have the ticks look at it."""
        root = self.folder / name
        shutil.copytree(self.clips, root)
        self.server.deploy_ticks(root, **DEPLOYED)
        return Watched(self.server, root, sorted(path.stem for path in root.glob("*.mp4")))

    @contextmanager
    def workers(self, hosts: Sequence[NetworkHost]) -> Iterator[list[int]]:
        """Have a worker on each host; give their processes once the server has heard of all."""
        since = datetime.now(timezone.utc)

        def heard() -> int:
            workers = self.server.ask("/work_pools/lectures/workers/filter", {})
            return sum(when(one["last_heartbeat_time"]) > since for one in workers)

        with ExitStack() as stack:
            processes = [stack.enter_context(self.server.worker("lectures", host)) for host in hosts]
            wait_for(lambda: heard() >= len(hosts))
            yield [process.pid for process in processes]


def set_up(folder: Path, stack: ExitStack, programs: Path, n_lectures: int, clip_s: float) -> Setup:
    """Make lectures, and start everything but the workers of the hosts.

    Args:
        folder: for everything.
        stack: ends it all.
        programs: folder of PostgreSQL's.
        n_lectures: how many lectures.
        clip_s: length of each.
    """
    clips = folder / "clips"
    with told(f"{n_lectures} lectures of {clip_s:g} s, and one of them translated here"):
        make_clips(clips, n_lectures, clip_s)
        translate_one(folder, clips)
    with told("PostgreSQL, Prefect server, pools and deployments"):
        url = stack.enter_context(postgresql(programs, folder / "postgres"))
        server = Server(folder, PORT, SERVER_ADDRESS, auth=f"f2f:{secrets.token_hex(8)}")
        process = stack.enter_context(server.running(url))
        server.deploy(clips, **DEPLOYED)
    ticks = stack.enter_context(server.worker("ticks"))
    hosts = tuple(stack.enter_context(network_host(number, folder)) for number in (1, 2))
    database = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
    return Setup(folder, server, (hosts[0], hosts[1]), (process.pid, ticks.pid, database), clips)


def make_clips(folder: Path, count: int, clip_s: float) -> None:
    """Cut ``count`` lectures out of the sample's beginning, where its speaker is seen."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as made:
        sample = make_sample(Path(made) / "sample.mp4").video
        for number in range(count):
            path = folder / f"lecture{number + 1:02}.mp4"
            cut = ["-ss", f"{0.4 + 0.12 * number:.2f}", "-t", f"{clip_s:g}"]
            run_ffmpeg(
                [*cut, "-i", str(sample), "-pix_fmt", "yuv420p", str(path)], what=f"cutting {path.name}"
            )
            for suffix, text in SAID:
                cue = f"1\n00:00:00,200 --> 00:00:02,400\n{text}\n"
                path.with_name(path.stem + suffix).write_text(cue, encoding="utf-8")


def translate_one(folder: Path, clips: Path) -> None:
    """Translate a lecture without a server, for the simulated stages to take over its results."""
    root = folder / "made"
    root.mkdir()
    for path in clips.glob("lecture01.*"):
        shutil.copy(path, root)
    command = [
        sys.executable, "-m", "f2f", "batch", str(root), "--to", "es", "--from", "en",
        "--profile", "embedded",
    ]  # fmt: skip
    environment = os.environ | {"F2F_RUNNER": "inline", "F2F_HOME": str(folder / "f2f")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def simulating(host: NetworkHost, setup: Setup, stage_s: float) -> NetworkHost:
    """Return the host with a runner whose stages wait."""
    plugin = setup.folder / "plugin"
    facts = plugin / "simulated_stages-1.dist-info"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: simulated-stages\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(simulated_stages.ENTRY_POINT)
    shutil.copy(simulated_stages.__file__, plugin)
    environment = {
        "F2F_RUNNER": simulated_stages.runner.name,
        "F2F_SIMULATED_STAGE_S": str(stage_s),
        "F2F_SIMULATED_FROM": str(setup.folder / "made" / ".f2f" / "lecture01"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{plugin}",
    }
    return replace(host, environment={**host.environment, **environment})
