"""``f2f schedule`` as a person starts it: one process, a real server, and ticks that the server schedules."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prefect_api import ask, free_port, runs_of
from processes import group_is_gone
from synthetic import make_clip

from flows.names import run_name

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 240


def wait_for_ticks(port: int, count: int) -> list[dict[str, Any]]:
    give_up_s = time.monotonic() + WAIT_S
    while True:
        ticks = runs_of(port, "translate-library")
        ended = [tick for tick in ticks if tick["state_type"] not in ("RUNNING", "CANCELLING")]
        if len(ended) >= count or time.monotonic() > give_up_s:
            return ended
        time.sleep(1)


def test_a_scheduled_tick_translates_what_is_new_and_the_next_one_leaves_it_alone(tmp_path: Path) -> None:
    library, port = tmp_path / "physics", free_port()
    library.mkdir()
    make_clip(library / "intro.mp4", 1, size="160x120")
    for suffix, text in ((".srt", "Good morning"), (".es.srt", "Buenos días")):
        cue = f"1\n00:00:00,100 --> 00:00:00,900\n{text}\n"
        (library / f"intro{suffix}").write_text(cue, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")} | {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    options = ["--every", "15s", "--to", "es", "--from", "en", "--profile", "embedded", "--no-lipsync"]
    command = [sys.executable, "-m", "f2f", "schedule", str(library), "-o", str(tmp_path / "out"), *options]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert f"http://127.0.0.1:{port}" in said[-1], said
        ticks = wait_for_ticks(port, 2)
        videos = runs_of(port, "translate-video")
        [deployment] = ask(port, "/deployments/filter")
        automations = ask(port, "/automations/filter")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0, rest
    assert rest.endswith("Schedule stopped.\n")
    assert group_is_gone(process.pid)

    manifest = json.loads((tmp_path / "out" / "intro.es.json").read_text(encoding="utf-8"))
    assert [segment["target_text"] for segment in manifest["segments"]] == ["Buenos días"]
    messages = [tick["state"]["message"] for tick in ticks]
    assert all(tick["auto_scheduled"] and tick["state_type"] == "COMPLETED" for tick in ticks), messages
    assert messages[0] == "1 made"
    idle = ("1 unchanged", "an earlier tick is still at work")
    assert all(message.startswith(idle) for message in messages[1:]), messages
    [video] = videos
    assert (video["name"], video["state_type"]) == (run_name(library / "intro.mp4", ["es"]), "COMPLETED")
    assert deployment["schedules"][0]["active"] and deployment["schedules"][0]["schedule"]["interval"] == 15
    assert [automation["enabled"] for automation in automations] == [True]
    assert (tmp_path / "out" / "index.html").is_file()
