"""Real runs against a real server, in processes of their own, read back through the server's API."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import Said, ended, group_is_gone
from synthetic import make_clip, make_talking_face

from f2f.workspace import hash_file
from flows.names import lecture_key

pytestmark = [pytest.mark.server, pytest.mark.slow]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUN_S = 240
STATISTICS_OFF = ("DO_NOT_TRACK", "CI", "GITHUB_ACTIONS")


@dataclass
class Server:
    """A Prefect server as ``f2f ui`` starts it, and the ways to speak with it."""

    process: subprocess.Popen[str]
    port: int
    environment: dict[str, str]

    def ask(self, path: str, body: Any = None) -> Any:
        data = json.dumps({} if body is None else body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def runs(self, source: Path) -> list[dict[str, Any]]:
        """Flow runs of one input, oldest first."""
        runs = self.ask("/flow_runs/filter", {"sort": "START_TIME_ASC"})
        return [run for run in runs if run["parameters"].get("source") == str(source)]

    def tasks(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Task runs by name, when all of them have ended: their states arrive by event, a little later."""
        query = {"flow_runs": {"id": {"any_": [run["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}
        final = {"COMPLETED", "FAILED", "CRASHED"}
        give_up_s = time.monotonic() + 20
        while True:
            tasks = {task["name"]: task for task in self.ask("/task_runs/filter", query)}
            if all(task["state_type"] in final for task in tasks.values()) or time.monotonic() > give_up_s:
                return tasks
            time.sleep(0.2)

    def artifacts(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = self.ask("/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
        return {artifact["key"]: artifact for artifact in found}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT") and k not in STATISTICS_OFF}
    environment = kept | {
        "PREFECT_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(HERE / "guard"), str(ROOT)]),
        "F2F_TEST_SOCKET_LOG": str(folder / "sockets.log"),
        "OMP_NUM_THREADS": "1",
    }
    code = f"import sys; from flows.runner import runner; sys.exit(runner.ui({port}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = Said(process)
        said.wait_for(f"Ready: http://127.0.0.1:{port}")
        here = environment | {
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "SERVER_PID": str(process.pid),
        }
        yield Server(process, port, here)
        process.send_signal(signal.SIGINT)
        assert said.end(20).endswith("Prefect server stopped.\n")
        assert process.returncode == 0
        assert group_is_gone(process.pid)
        lines = [line.split(" ", 1) for line in (folder / "sockets.log").read_text().splitlines()]
        assert [str(process.pid), "guarded"] in lines
        assert [line for line in lines if line[1] != "guarded"] == [], "something was sent out"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def drive(server: Server, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run the driver with small stages and return what it says."""
    make_clip(tmp_path / "Lecture 1.mp4", 1)

    def run(way: str, *targets: str, on_terminal: bool = False) -> dict[str, Any]:
        command = [sys.executable, str(HERE / "driver.py"), way, str(tmp_path), *targets]
        # Prefect's usage statistics are for people: without a terminal there would be nothing to hold back.
        ours, theirs = os.openpty() if on_terminal else (None, subprocess.PIPE)
        done = subprocess.run(
            command,
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            timeout=RUN_S,
            check=True,
        )
        if ours is not None:
            os.close(ours)
            os.close(theirs)
        assert not done.stderr  # nothing may be written over the progress display
        said = json.loads(done.stdout)
        assert said["available"]
        return dict(said)

    return run


def test_a_translation_shows_in_prefect(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "physics"
    folder.mkdir()
    source = make_talking_face(folder / "lecture.mp4", 1.2)
    for language, text in (("en", "Good morning to you all."), ("hi", "आप सभी को सुप्रभात।")):
        captions = f"1\n00:00:00,100 --> 00:00:01,100\n{text}\n"
        (folder / f"lecture.{language}.srt").write_text(captions, encoding="utf-8")
    command = [sys.executable, "-m", "f2f", "translate", str(source), "--to", "hi", "--profile", "embedded"]
    first = subprocess.run(
        command, env=server.environment, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert first.returncode == 0, first.stderr
    assert f"http://127.0.0.1:{server.port}/runs/flow-run/" in first.stdout + first.stderr
    [run] = server.runs(source)
    assert (run["name"], run["state_type"]) == ("lecture → hi", "COMPLETED")
    assert run["state"]["message"] == "lecture.hi.mp4"
    assert set(run["tags"]) == {"f2f", "hi", "physics"}
    assert run["parameters"]["config"]["profile"] == "embedded"
    tasks = server.tasks(run)
    own = ("translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
    assert {"probe", "transcribe", *(f"{stage} → hi" for stage in own)} <= set(tasks)
    assert {task["state_type"] for task in tasks.values()} == {"COMPLETED"}
    before = [each["id"] for each in tasks["lipsync → hi"]["task_inputs"]["wait_for"]]
    assert before == [tasks["fit → hi"]["id"]]
    artifacts = server.artifacts(run)
    key = f"{lecture_key(source)}-hi"
    assert {f"{key}-{what}" for what in ("segments", "lip-sync-error", "picture", "report")} <= set(artifacts)
    assert "सुप्रभात" in json.loads(artifacts[f"{key}-segments"]["data"])[0]["target (hi)"]
    assert "data:image/jpeg;base64," in artifacts[f"{key}-picture"]["data"]
    assert (folder / "lecture.hi.html").as_uri() in artifacts[f"{key}-report"]["data"]

    again = subprocess.run(
        command, env=server.environment, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert again.returncode == 0, again.stderr
    states = {task["state_name"] for task in server.tasks(server.runs(source)[1]).values()}
    assert states == {"Cached"}


def test_a_run_that_stops_is_completed_and_resume_goes_on(server: Server, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "lecture.mp4", 2, size="128x96")
    for language, text in (("en", "Good morning."), ("hi", "सुप्रभात।")):
        captions = f"1\n00:00:00,100 --> 00:00:01,100\n{text}\n"
        source.with_name(f"lecture.{language}.srt").write_text(captions, encoding="utf-8")

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "f2f", *words, "--runner", "prefect"]
        done = subprocess.run(
            command, env=server.environment, capture_output=True, text=True, timeout=RUN_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    words = (str(source), "--to", "hi")
    assert "lecture.hi.csv" in run("translate", *words, "--profile", "embedded", "--until", "translate")
    table = source.with_name("lecture.hi.csv")
    table.write_text(table.read_text("utf-8").replace("सुप्रभात।", "नमस्ते।"), encoding="utf-8")
    assert "stopped after synthesize" in run("resume", *words, "--until", "synthesize")
    first, second = server.runs(source)
    assert (first["state_type"], second["state_type"]) == ("COMPLETED", "COMPLETED")
    assert first["state"]["message"] == "hi: stopped after translate, as asked"
    assert set(server.tasks(first)) == {"probe", "transcribe", "translate → hi"}
    states = {name: task["state_name"] for name, task in server.tasks(second).items()}
    assert states == {
        "probe": "Cached", "transcribe": "Cached", "translate → hi": "Cached", "synthesize → hi": "Completed",
    }  # fmt: skip


def test_the_lips_of_one_video_are_made_by_two_workers(server: Server, tmp_path: Path) -> None:
    source = make_talking_face(tmp_path / "lecture.mp4", 5.0)
    for language, text in (("en", "Good day."), ("hi", "नमस्ते।")):
        spans = (
            "00:00:00,200 --> 00:00:00,700",
            "00:00:02,200 --> 00:00:02,700",
            "00:00:04,300 --> 00:00:04,800",
        )
        cues = [f"{number}\n{span}\n{text}\n" for number, span in enumerate(spans, 1)]
        source.with_name(f"lecture.{language}.srt").write_text("\n".join(cues), encoding="utf-8")
    words = [sys.executable, "-m", "f2f", "translate", str(source), "--to", "hi", "--profile", "embedded"]
    words += ["--until", "lipsync", "--set", "lipsync.min_part_s=1"]

    # Dask learns this machine's address from a datagram socket to a public one; nothing is sent by it.
    environment = {key: value for key, value in server.environment.items() if key != "F2F_TEST_SOCKET_LOG"}

    def patches(folder: str, *more: str) -> str:
        done = subprocess.run(
            [*words, "-o", str(tmp_path / folder), *more],
            env=environment, capture_output=True, text=True, timeout=RUN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Finished in state" not in done.stderr, "over the progress display"
        [file] = (tmp_path / folder).glob(".f2f/lecture/lipsync/*/patches.mkv")
        assert not list((tmp_path / folder).glob(".f2f/lecture/lipsync_parts/hi"))
        return hash_file(file)

    port = free_port()
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    address = f"tcp://127.0.0.1:{port}"
    worker = [
        *dask,
        "worker",
        address,
        "--host",
        "127.0.0.1",
        "--nworkers",
        "2",
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    with ended(scheduler, environment), ended(worker, environment) as workers:
        workers.wait_for("Starting established connection")
        split = patches("split", "--dask", address)
    assert split == patches("single", "--runner", "inline")
    [parts] = [run for run in server.ask("/flow_runs/filter") if run["name"] == "lips in 3 parts"]
    assert (parts["state_type"], parts["parameters"]["scheduler"]) == ("COMPLETED", address)
    tasks = server.tasks(parts)
    assert set(tasks) == {f"lipsync part {number} of 3" for number in (1, 2, 3)}
    assert {task["state_type"] for task in tasks.values()} == {"COMPLETED"}


def test_what_passes_is_tried_again_and_long_stages_show_progress(
    server: Server, drive: Any, tmp_path: Path
) -> None:
    said = drive("passing", "hi", "es")
    assert said["videos"] == [str(tmp_path / f"Lecture 1.{target}.mp4") for target in ("hi", "es")]
    assert any("trying again in 2 s" in event[1] for event in said["events"] if event[0] == "notice")
    [run] = server.runs(tmp_path / "Lecture 1.mp4")
    assert run["name"] == "Lecture 1 → hi, es"
    tasks, artifacts = server.tasks(run), server.artifacts(run)
    assert tasks["lipsync → hi"]["run_count"] == 2
    assert tasks["lipsync → es"]["run_count"] == 1
    key = lecture_key(tmp_path / "Lecture 1.mp4")
    bar = artifacts[f"{key}-hi-lipsync-progress"]
    assert (bar["type"], bar["data"], bar["task_run_id"]) == ("progress", 100, tasks["lipsync → hi"]["id"])
    assert {f"{key}-{what}" for what in ("hi-segments", "es-segments", "es-notices")} <= set(artifacts)


def test_errors_come_back_as_they_were(server: Server, drive: Any, tmp_path: Path) -> None:
    said = drive("engine-missing", "hi")
    assert (said["error"], said["message"]) == ("EngineUnavailableError", "no engine 'x'\nrun: pip install x")
    [run] = server.runs(tmp_path / "Lecture 1.mp4")
    assert (run["state_type"], run["state"]["message"]) == ("FAILED", "no engine 'x'; run: pip install x")
    assert server.tasks(run)["lipsync → hi"]["run_count"] == 1  # no use in trying that again


def test_a_stage_that_hangs_on_a_program_fails_the_run(server: Server, drive: Any, tmp_path: Path) -> None:
    said = drive("hanging-program", "hi")
    reason = "lipsync was ended: it hung, with no progress for 2 s"
    assert said["error"] == "StageError" and said["message"].startswith(reason)
    [run] = server.runs(tmp_path / "Lecture 1.mp4")
    assert run["state_type"] == "FAILED" and run["state"]["message"].startswith(reason)


def test_a_stage_that_hangs_ends_process_and_run_with_the_reason(server: Server, tmp_path: Path) -> None:
    make_clip(tmp_path / "Lecture 1.mp4", 1)
    command = [sys.executable, str(HERE / "driver.py"), "hanging", str(tmp_path), "hi"]
    done = subprocess.run(
        command, env=server.environment, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    reason = "lipsync was ended: it hung, with no progress for 2 s"
    [line] = done.stderr.splitlines()
    assert done.returncode == 4 and line.startswith(f"f2f: {reason}")
    assert line.endswith("the same command resumes")
    [run] = server.runs(tmp_path / "Lecture 1.mp4")
    assert (run["state_type"], f"f2f: {run['state']['message']}") == ("FAILED", line)


def test_ctrl_c_cancels_the_run(server: Server, drive: Any, tmp_path: Path) -> None:
    assert drive("interrupted", "hi", on_terminal=True)["error"] == "KeyboardInterrupt"
    [run] = server.runs(tmp_path / "Lecture 1.mp4")
    assert run["state_type"] == "CANCELLED"
    assert run["state"]["message"] == "Interrupted; the same command resumes"


def test_the_deployments_can_be_made(server: Server, tmp_path: Path) -> None:
    for pool in ("lectures", "ticks"):
        server.ask("/work_pools/", {"name": pool, "type": "process"})
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=server.environment | {"DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    deployments = {made["name"]: made for made in server.ask("/deployments/filter")}
    assert deployments.keys() == {"translate-video", "translate-lecture", "translate-library"}
    assert [one["schedule"]["cron"] for one in deployments["translate-library"]["schedules"]] == ["0 2 * * *"]
    made = deployments["translate-video"]
    assert made["parameters"] == {"targets": ["hi"]}
    assert set(made["parameter_openapi_schema"]["properties"]) >= {"source", "targets", "config", "options"}


def test_the_guard_sees_every_way_out(server: Server, tmp_path: Path) -> None:
    """Without this, the end of the server fixture would prove nothing."""
    code = (
        "import asyncio, socket\n"
        "try: socket.create_connection(('192.0.2.1', 9), timeout=0.1)\n"
        "except ConnectionRefusedError: pass\n"
        "try: asyncio.run(asyncio.open_connection('192.0.2.2', 9))\n"
        "except ConnectionRefusedError: pass\n"
        "try: socket.getaddrinfo('statistics.example', 443)\n"
        "except OSError: pass\n"
    )
    log = tmp_path / "sockets.log"
    environment = server.environment | {"F2F_TEST_SOCKET_LOG": str(log)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=20)
    assert all(host in log.read_text() for host in ("192.0.2.1", "192.0.2.2", "statistics.example"))
