"""The grown set-up: a server, the deployments of ``prefect.yaml``, and a worker on each of its two pools."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_api import ROOT, ask, free_port, own_environment, runs_of
from processes import Said, ended, none_left

from flows.library_runs import PrefectRunPool

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    # Prefect's import passes through libraries whose own deprecations are not ours to fix.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TINY = ROOT / "tests" / "support" / "tiny_worker"
WAIT_S = 240
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


@dataclass
class Grown:
    """Server and workers, and a library that ticks look at.

    Attributes:
        port: of the server.
        said: what each process says.
        parameters: of ``translate-library``.
        log: what the stages did.
    """

    port: int
    said: dict[str, Said]
    parameters: dict[str, Any]
    log: Path

    def tick(self) -> dict[str, Any]:
        """Have the library looked through; return the run when it has ended."""
        [looking] = self.deployments("translate-library")
        body = {"parameters": self.parameters, "state": {"type": "SCHEDULED"}}
        made = ask(self.port, f"/deployments/{looking['id']}/create_flow_run", body)
        query = {"flow_runs": {"id": {"any_": [made["id"]]}, "state": {"type": {"any_": sorted(FINAL)}}}}
        [run] = self.wait_for(lambda: ask(self.port, "/flow_runs/filter", query))
        assert run["state_type"] == "COMPLETED", run["state"]["message"]
        return dict(run)

    def deployments(self, name: str) -> list[dict[str, Any]]:
        return list(ask(self.port, "/deployments/filter", {"deployments": {"name": {"any_": [name]}}}))

    def films(self) -> list[str]:
        """Lectures that were begun, once for each time."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line.partition(" film ")[2] for line in lines if " film " in line]

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Return what a condition gives, once that is something."""
        give_up_s = time.monotonic() + WAIT_S
        while True:
            with suppress(OSError):  # a busy server may not answer at once
                if found := condition():
                    return found
            said = {name: said.lines[-40:] for name, said in self.said.items()}
            assert time.monotonic() < give_up_s, f"nothing after {WAIT_S} s: {said}"
            time.sleep(0.5)


@pytest.fixture
def grown(tmp_path: Path) -> Iterator[Grown]:
    library, log, port = tmp_path / "physics", tmp_path / "log" / "worked.txt", free_port()
    for folder in (library / "week 2", log.parent, tmp_path / "tmp"):
        folder.mkdir(parents=True)
    log.touch()
    environment = own_environment(tmp_path / "home") | {
        "F2F_HOME": str(tmp_path / "f2f"), "TMPDIR": str(tmp_path / "tmp"), "DO_NOT_TRACK": "1",
        "PYTHONPATH": f"{TINY}:{ROOT}", "TINY_LOG": str(log),
    }  # fmt: skip
    client = environment | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_WORKER_QUERY_SECONDS": "1",
    }  # fmt: skip
    parameters = {
        "library": str(library), "targets": ["es"], "output_dir": str(tmp_path / "out"),
        "source_language": "en", "options": {"lipsync": False},
    }  # fmt: skip
    with ExitStack() as stack:
        stack.enter_context(none_left(f"PREFECT_HOME={tmp_path / 'home'}"))
        server = [sys.executable, "-m", "f2f", "ui", "--port", str(port)]
        said = {"server": stack.enter_context(ended(server, environment))}
        said["server"].wait_for(f"Ready: http://127.0.0.1:{port}", WAIT_S)
        for pool in ("ticks", "lectures"):
            ask(port, "/work_pools/", {"name": pool, "type": "process"})
            worker = [*PREFECT, "worker", "start", "--pool", pool, "--limit", "1"]
            said[pool] = stack.enter_context(ended(worker, client, tmp_path))
        grown = Grown(port, said, parameters, log)
        deploy(grown, client)
        yield grown


def deploy(grown: Grown, client: dict[str, str]) -> None:
    command = [*PREFECT, "deploy", "--all"]
    done = subprocess.run(
        command, cwd=ROOT, env=client, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [looking] = grown.deployments("translate-library")
    # Or at two at night a tick would come between that looks at another library.
    ask(grown.port, f"/deployments/{looking['id']}/pause_deployment")


@pytest.mark.timeout(900)
def test_workers_translate_what_a_tick_finds_and_nothing_twice(grown: Grown, tmp_path: Path) -> None:
    lectures = ("intro.mp4", "week 2/energy.mp4")
    for name in lectures:
        (tmp_path / "physics" / name).write_text("a film held", encoding="utf-8")

    first = grown.tick()
    assert (first["name"], first["work_pool_name"]) == ("physics → es", "ticks")
    assert first["state"]["message"] == "2 started"
    grown.wait_for(grown.films)
    # One is at work, one waits for the worker.
    assert grown.tick()["state"]["message"] == "2 under way"
    grown.log.with_name("go").touch()

    def through() -> list[dict[str, Any]]:
        runs = runs_of(grown.port, "translate-lecture")
        return runs if sum(run["state_type"] in FINAL for run in runs) == len(lectures) else []

    runs = {run["name"]: run for run in grown.wait_for(through)}
    assert runs.keys() == {"intro → es", "week 2/energy → es"}
    for run in runs.values():
        assert (run["state_type"], run["state"]["message"]) == ("COMPLETED", "1 made")
        assert run["work_pool_name"] == "lectures" and {"f2f", "es", "physics"} <= set(run["tags"])
    assert sorted(run["name"] for run in runs_of(grown.port, "translate-video")) == [
        "energy → es",
        "intro → es",
    ]

    assert grown.tick()["state"]["message"] == "2 done"
    assert (
        len(ask(grown.port, "/flow_runs/filter", {"flows": {"name": {"any_": ["translate-lecture"]}}})) == 2
    )
    for name in lectures:
        made = (tmp_path / "out" / name).with_suffix(".es.mp4")
        assert made.read_text(encoding="utf-8") == "hello in es crf 18"
    lines = (tmp_path / "out" / "library.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["lecture"] for line in lines) == list(lectures)
    assert Counter(grown.films()) == {"intro.mp4": 1, "energy.mp4": 1}
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "intro.es.mp4" in page and "energy.es.mp4" in page

    before = datetime.now(timezone.utc)
    [translating] = grown.deployments("translate-lecture")
    far = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2999-01-01T00:00:00Z"}}
    wanted = {"state": far, "enforce_parameter_schema": False}
    made = ask(grown.port, f"/deployments/{translating['id']}/create_flow_run", wanted)
    crash = {"state": {"type": "CRASHED"}, "force": True}
    ask(grown.port, f"/flow_runs/{made['id']}/set_state", crash)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{grown.port}/api"}):
        pool = PrefectRunPool("translate-lecture/translate-lecture")
        assert pool.has_crashed_since(before)
        assert not pool.has_crashed_since(datetime.now(timezone.utc))
