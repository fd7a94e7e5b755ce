"""A stage that hangs is ended, with everything it started; one that is only slow is not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from processes import living_members

from f2f import watchdog
from f2f.checked import checked
from f2f.config import Config, DeadlinesConfig
from f2f.errors import StageError
from f2f.limits import Limits
from f2f.request import Request
from f2f.results import EngineInfo
from f2f.stage import SilentObserver, StageContext
from f2f.stage_call import StageCall
from f2f.watchdog import Deadline, Watchdog, deadline_for, last_act
from f2f.workspace import Workspace

linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")

HANG = """
import subprocess, sys, time
from pathlib import Path
from f2f import watchdog
from f2f.config import DeadlinesConfig
from f2f.limits import Limits
from f2f.results import EngineInfo
from f2f.stage import SilentObserver
from f2f.stage_call import StageCall
from f2f.workspace import Workspace

watchdog.LOOK_EVERY_S = watchdog.GRACE_S = 0.1

def work(context):
    child = subprocess.Popen(["sleep", "1000"])
    (Path(sys.argv[1]) / "child").write_text(str(child.pid))
    context.progress(3, 8, "frames")
    while True:
        time.sleep(1000)

class Ears(SilentObserver):
    def notice(self, text):
        print("notice:", text, flush=True)

workspace = Workspace(Path(sys.argv[1]))
limits = Limits(deadlines=DeadlinesConfig(idle_s=0.4, total_s=60), duration_s=0.01)
with workspace.lock(SilentObserver()):
    StageCall("fit", "hi", "fit it", EngineInfo, 1, {}, work, workspace, Ears(), limits=limits)()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", 0.05)


def forbid_the_end(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ended: list[str] = []
    monkeypatch.setattr(watchdog, "end_process", ended.append)
    return ended


@linux
def test_a_stage_that_sleeps_for_ever_ends_its_process_with_children_reason_and_code(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANG, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    out, errors = process.communicate(timeout=60)
    reason = "fit was ended: it hung, with no progress for 0 s since 3 of 8 frames"
    assert process.returncode == 4
    assert reason in out and out.startswith("notice: ")
    assert errors.splitlines()[-1].startswith(f"f2f: {reason}") and errors.count("\n") == 1
    assert "the same command resumes" in errors
    assert living_members(process.pid) == []
    assert not Path(f"/proc/{(tmp_path / 'child').read_text()}/exe").exists()
    with Workspace(tmp_path).lock(SilentObserver()):  # free again, and nothing half-made is left
        assert list((tmp_path / "fit").iterdir()) == []


@linux
def test_a_stage_that_hangs_on_a_program_fails_and_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = forbid_the_end(monkeypatch)

    def work(context: StageContext) -> EngineInfo:
        subprocess.run(["sleep", "1000"], check=False)  # a killed program that nobody asks about
        return EngineInfo(name="none", version="1", licence="MIT")

    limits = Limits(deadlines=DeadlinesConfig(idle_s=0.2))
    workspace = Workspace(tmp_path)
    call = StageCall("mux", "hi", "mux", EngineInfo, 1, {}, work, workspace, SilentObserver(), limits=limits)
    with pytest.raises(StageError, match=r"mux was ended: it hung.*since its start.*deadlines\.idle_s"):
        call()
    assert call.find() is None and ended == []  # what a killed program left is no result


@linux
def test_checks_that_hang_on_a_file_are_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = forbid_the_end(monkeypatch)
    hang = partial(subprocess.run, ["sleep", "1000"], check=True)
    monkeypatch.setattr("f2f.preflight.check", lambda request: hang())
    config = Config(deadlines=DeadlinesConfig(idle_s=0.2))
    with pytest.raises(StageError, match="check was ended: it hung"):
        checked(Request(tmp_path / "lecture.mp4", ("hi",), config=config))
    assert ended == []


def test_a_slow_stage_that_comes_forward_is_not_hung(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = forbid_the_end(monkeypatch)
    with Watchdog("lipsync", Deadline(idle_s=0.3, total_s=60), print) as dog:
        for done in range(12):
            time.sleep(0.06)
            dog.saw(done, 100, "frames")
    assert ended == []


def test_the_same_progress_again_and_again_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "GRACE_S", 0)
    ended = forbid_the_end(monkeypatch)
    with (
        pytest.raises(StageError, match="hung"),
        Watchdog("lipsync", Deadline(idle_s=0.2, total_s=60), print) as dog,
    ):
        for _ in range(100):
            dog.saw(7, 100, "frames")
            time.sleep(0.02)
            if ended:
                break
    assert "since 7 of 100 frames" in ended[0]


def test_one_that_never_comes_to_an_end_is_ended_in_spite_of_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "GRACE_S", 0)
    ended = forbid_the_end(monkeypatch)
    with (
        pytest.raises(StageError, match=r"not done after.*deadlines\.total_s"),
        Watchdog("lipsync", Deadline(idle_s=60, total_s=0.3), print) as dog,
    ):
        for done in range(200):
            dog.saw(done, None, "frames")
            time.sleep(0.02)
            if ended:
                break
    assert ended


def test_time_in_which_the_process_did_not_run_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            now_s[0] += 1000.0  # stopped for long before every look
            return now_s[0]

    monkeypatch.setattr(watchdog, "time", Clock)
    ended = forbid_the_end(monkeypatch)
    with Watchdog("lipsync", Deadline(idle_s=30, total_s=30), print):
        time.sleep(0.3)
    assert ended == [] and now_s[0] > 3000


@pytest.mark.parametrize(("duration_s", "idle_s", "total_s"), [(None, 5, 50), (1, 5, 50), (100, 200, 3000)])
def test_a_deadline_grows_with_the_video_from_a_floor_on(
    duration_s: float | None, idle_s: float, total_s: float
) -> None:
    config = DeadlinesConfig(idle_s=5, idle_factor=2, total_s=50, total_factor=30)
    assert deadline_for(config, duration_s) == Deadline(idle_s, total_s)


def test_whoever_asked_is_told_before_the_end_and_cannot_put_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "GRACE_S", 0)
    monkeypatch.setattr(watchdog, "LAST_ACT_S", 0.05)
    ended, told = forbid_the_end(monkeypatch), list[tuple[str, int]]()
    hangs = threading.Event()
    with (
        pytest.raises(StageError),
        last_act(lambda reason: told.append((reason, len(ended)))),
        last_act(lambda reason: bool(hangs.wait(60))),
        Watchdog("lipsync", Deadline(idle_s=0.1, total_s=60), print),
    ):
        give_up_s = time.monotonic() + 20
        while not ended and time.monotonic() < give_up_s:
            time.sleep(0.02)
    hangs.set()
    [(reason, n_ended)] = told
    assert n_ended == 0 and ended[0].startswith(f"f2f: {reason}")
    assert not watchdog._last_acts
