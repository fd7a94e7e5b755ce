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
from prefect_api import ask, free_port, own_environment, runs_of
from processes import Said, group_is_gone
from synthetic import make_clip

from flows.crashes import AUTOMATION_NAME, BEAT, look_again_trigger
from flows.names import run_name

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    # Prefect's import passes through libraries whose own deprecations are not ours to fix.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

WAIT_S = 540


def wait_for_ticks(port: int, *messages: str) -> dict[str, dict[str, Any]]:
    """Return the ticks that have ended by what they said, once these are among them."""
    give_up_s = time.monotonic() + WAIT_S
    while True:
        ticks = runs_of(port, "translate-library")
        ended = {tick["state"]["message"]: tick for tick in ticks if tick["state"]["message"]}
        if ended.keys() >= set(messages) or time.monotonic() > give_up_s:
            return ended
        time.sleep(1)


@pytest.mark.timeout(600)
def test_a_scheduled_tick_translates_what_is_new_and_the_next_one_leaves_it_alone(tmp_path: Path) -> None:
    library, port = tmp_path / "physics", free_port()
    library.mkdir()
    make_clip(library / "intro.mp4", 1, size="160x120")
    for suffix, text in ((".srt", "Good morning"), (".es.srt", "Buenos días")):
        cue = f"1\n00:00:00,100 --> 00:00:00,900\n{text}\n"
        (library / f"intro{suffix}").write_text(cue, encoding="utf-8")
    environment = own_environment(tmp_path / "home") | {"PREFECT_SERVER_API_PORT": str(port)}
    options = ["--every", "30s", "--to", "es", "--from", "en", "--profile", "embedded", "--no-lipsync"]
    # As the installed command, which does not look for modules here; nor must what it starts.
    f2f = "import sys; sys.path[:] = filter(None, sys.path); from f2f.cli import main; sys.exit(main())"
    if sys.version_info >= (3, 11):
        (library / "random.py").write_text("open('ran', 'w').close(); raise SystemExit", encoding="utf-8")
    command = [sys.executable, "-c", f2f, "schedule", str(library), "-o", str(tmp_path / "out"), *options]
    process = subprocess.Popen(
        command, cwd=library, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        said = Said(process)
        said.wait_for(f"http://127.0.0.1:{port}")
        while not runs_of(port, "translate-library"):
            time.sleep(1)
        # On a busy machine a dozen more would come, see the first at work and end, each at a cost.
        [deployment] = ask(port, "/deployments/filter")
        ask(port, f"/deployments/{deployment['id']}/pause_deployment")
        wait_for_ticks(port, "1 made")
        ask(port, f"/deployments/{deployment['id']}/resume_deployment")
        ticks = wait_for_ticks(port, "1 made", "1 unchanged")
        videos = runs_of(port, "translate-video")
        [deployment] = ask(port, "/deployments/filter")
        automations = ask(port, "/automations/filter")
        runs = {"id": [f"prefect.flow-run.{video['id']}" for video in videos]}
        beats = ask(port, "/events/filter", {"filter": {"event": {"name": [BEAT]}, "resource": runs}})
        process.send_signal(signal.SIGINT)
        rest = said.end(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 0, rest
    assert rest.endswith("Schedule stopped.\n")
    assert group_is_gone(process.pid)
    assert not (library / "ran").exists()

    manifest = json.loads((tmp_path / "out" / "intro.es.json").read_text(encoding="utf-8"))
    assert [segment["target_text"] for segment in manifest["segments"]] == ["Buenos días"]
    made, unchanged = ticks["1 made"], ticks["1 unchanged"]
    assert made["start_time"] < unchanged["start_time"]
    assert all(tick["auto_scheduled"] and tick["state_type"] == "COMPLETED" for tick in (made, unchanged))
    [video] = videos
    assert (video["name"], video["state_type"]) == (run_name(library / "intro.mp4", ["es"]), "COMPLETED")
    assert deployment["schedules"][0]["active"] and deployment["schedules"][0]["schedule"]["interval"] == 30
    assert beats["events"], "the run gave no sign of life"
    names = sorted(automation["name"] for automation in automations if automation["enabled"])
    assert names == [look_again_trigger(deployment["name"]).name, AUTOMATION_NAME]
    assert (tmp_path / "out" / "index.html").is_file()
