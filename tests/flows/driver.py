"""Run by the server tests in a process of its own: one job through the Prefect runner.

    python driver.py WAY FOLDER

The stages are small, everything above them is the real thing: stage calls, workspace, runner, flow, server.
WAY says what the second stage does. Prints one JSON line with how the run ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from flow_samples import engine, make_manifest

from f2f import pipeline
from f2f.config import DeadlinesConfig
from f2f.errors import EngineUnavailableError
from f2f.limits import Limits
from f2f.request import Outputs, Request
from f2f.results import EngineInfo
from f2f.stage import StageContext
from f2f.stage_call import Execute, StageCall, call_inline
from f2f.workspace import Workspace
from flows.runner import runner

PROGRESS_S = 2.5


class Recorder:
    """Observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def stage_started(self, stage: str, target_language: str | None) -> None:
        self.events.append(["started", stage, target_language])

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        self.events.append(["progress", stage, done])

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        self.events.append(["finished", stage, reused])

    def notice(self, text: str) -> None:
        self.events.append(["notice", text])


def second_stage(way: str, context: StageContext, attempts: list[int]) -> EngineInfo:
    attempts.append(len(attempts))
    if way == "engine-missing":
        raise EngineUnavailableError("no engine 'x'\nrun: pip install x")
    if way == "passing" and len(attempts) == 1:
        raise ConnectionResetError("hub went away")
    if way == "interrupted":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    if way == "hanging":
        time.sleep(1000)
    if way == "hanging-program":
        subprocess.run(["sleep", "1000"], check=False)
    if way == "server-lost":
        os.kill(int(os.environ["SERVER_PID"]), signal.SIGKILL)
        time.sleep(0.2)
    if way == "passing" and len(attempts) == 2:
        started_s = time.monotonic()
        while (passed_s := time.monotonic() - started_s) < PROGRESS_S:
            context.progress(passed_s, PROGRESS_S, "frames")
            time.sleep(0.05)
    context.notice("a stage has something to say")
    return engine("second")


def small_pipeline(way: str) -> Any:
    attempts: list[int] = []

    def translate_video(
        request: Request, observer: Any, execute: Execute = call_inline, map_parts: Any = None
    ) -> list[Outputs]:
        workspace = Workspace(request.workspace_root)

        def stage(name: str, target: str | None, work: Any) -> None:
            inputs = {"source": request.source.name, "target": target}
            limits = Limits(deadlines=DeadlinesConfig(idle_s=2)) if way.startswith("hanging") else Limits()
            call = StageCall(
                name, target, name, EngineInfo, 1, inputs, work, workspace, observer, limits=limits
            )
            execute(call)

        done = []
        with workspace.lock(observer):
            stage("probe", None, lambda context: engine("first"))
            for target in request.targets:
                stage("lipsync", target, lambda context: second_stage(way, context, attempts))
                stage("report", target, lambda context: engine("last"))
                done.append(put_outputs(request, target))
        return done

    return translate_video


def put_outputs(request: Request, target: str) -> Outputs:
    paths = [request.output_path(target, suffix) for suffix in (".mp4", ".srt", ".json", ".html")]
    shutil.copyfile(request.source, paths[0])
    paths[1].write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    paths[2].write_text(make_manifest(request.source, target).model_dump_json())
    paths[3].write_text("<p>report</p>")
    return Outputs(target, *paths)


def main() -> None:
    way, folder = sys.argv[1], Path(sys.argv[2])
    pipeline.translate_video = small_pipeline(way)
    observer = Recorder()
    request = Request(folder / "Lecture 1.mp4", tuple(sys.argv[3:]) or ("hi",), output_dir=folder)
    ended: dict[str, Any] = {"available": runner.is_available(), "hint": runner.hint()}
    try:
        ended["videos"] = [str(each.video) for each in runner.run(request, observer)]
    except BaseException as error:  # noqa: BLE001 - also KeyboardInterrupt is an outcome
        ended["error"], ended["message"] = type(error).__name__, str(error)
    ended["events"] = observer.events
    sys.stdout.write(json.dumps(ended) + "\n")


if __name__ == "__main__":
    main()
