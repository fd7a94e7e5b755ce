"""Slots hold over processes, are given back by death, and let those who wait longest go first."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from f2f import slots
from f2f.config import SlotsConfig
from f2f.limits import Limits, slot_name
from f2f.results import EngineInfo
from f2f.slots import take_slot
from f2f.stage import SilentObserver, StageContext
from f2f.stage_call import StageCall
from f2f.workspace import Workspace

HOLD = """
import sys, time
from f2f.slots import take_slot
with take_slot("gpu", int(sys.argv[1]), sys.argv[2], lambda text: print("told:", text, flush=True)):
    print("has it", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(slots, "POLL_S", 0.02)
    return tmp_path / "home"


def start(purpose: str, count: int = 1, hold_s: float = 60) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLD, str(count), purpose, str(hold_s)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def test_another_process_waits_says_so_once_and_goes_on_when_the_holder_is_killed() -> None:
    holder = start("lipsync lecture to hi")
    assert says(holder) == "has it\n"
    waiter = start("lipsync other to hi")
    told = says(waiter)
    assert "waiting for one of 1 gpu slots" in told
    assert f"process {holder.pid}: lipsync lecture to hi" in told
    holder.kill()
    assert says(waiter) == "has it\n"  # and nothing told in between
    end(holder, waiter)


def test_as_many_hold_as_there_are_slots() -> None:
    processes = [start("one", 2), start("two", 2)]
    assert [says(one) for one in processes] == ["has it\n"] * 2
    third = start("three", 2)
    assert "waiting for one of 2" in says(third)
    end(*processes, third)


def test_a_waiting_process_is_interrupted_at_once() -> None:
    holder = start("one")
    assert says(holder) == "has it\n"
    waiter = start("two")
    assert "waiting" in says(waiter)
    waiter.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in waiter.communicate(timeout=10)[1]
    end(holder)


def test_whoever_waits_goes_before_the_holders_own_next_stage() -> None:
    order: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        with take_slot("gpu", 1, "other run", lambda text: waiting.set()):
            order.append("other run")

    with take_slot("gpu", 1, "first stage", print):
        order.append("first stage")
        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(5)
    with take_slot("gpu", 1, "next stage", lambda text: None):
        order.append("next stage")
    thread.join()
    assert order == ["first stage", "other run", "next stage"]


def test_names_are_apart() -> None:
    told: list[str] = []
    with take_slot("gpu", 1, "a", told.append), take_slot("cpu", 1, "b", told.append):
        assert told == []


def test_where_slots_cannot_be_kept_the_work_is_done_and_it_is_said(home: Path) -> None:
    home.write_text("a file")
    told: list[str] = []
    with take_slot("gpu", 1, "a", told.append):
        assert "cannot be kept" in told[0] and "F2F_HOME" in told[0]


def test_the_slot_of_another_user_can_be_waited_for_and_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with take_slot("gpu", 1, "a", print):
        pass
    for path in (home / "slots").iterdir():
        path.chmod(0o444)
    plain_open, refused = os.open, []

    def open_as_other(path: Path, flags: int, *rest: int) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:  # root itself is refused nothing
            refused.append(path.name)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", open_as_other)
    told: list[str] = []
    with take_slot("gpu", 1, "b", told.append):
        assert told == []
        assert len(set(refused)) == 2  # queue and slot


@pytest.mark.parametrize(
    ("stage", "config", "device", "name"),
    [
        ("transcribe", {"engine": "captions"}, "cpu", None),
        ("transcribe", {"engine": "whisper"}, "cuda", "gpu"),
        ("translate", {"engine": "nllb"}, "cpu", "cpu"),
        ("synthesize", {"engine": "espeak"}, "cuda", None),
        ("lipsync", {"engine": "auto"}, "mps", "gpu"),
        ("mux", {"background": "duck"}, "cuda", None),
        ("mux", {"background": "separate"}, "cuda", "gpu"),
        ("evaluate_source", {"syncnet": "embedded"}, "cpu", "cpu"),
        ("fit", {}, "cuda", None),
    ],
)
def test_only_stages_with_networks_take_one(
    stage: str, config: dict[str, str], device: str, name: str | None
) -> None:
    assert slot_name(stage, config, device) == name


def test_a_stage_holds_it_while_it_works_and_a_stored_result_needs_none(tmp_path: Path) -> None:
    ran: list[str] = []

    def work(context: StageContext) -> EngineInfo:
        ran.append("lipsync")
        holder = next(path for path in (tmp_path / "home" / "slots").iterdir() if path.stem == "cpu-0")
        assert f"process {os.getpid()}: lipsync it" in holder.read_text()
        return EngineInfo(name="none", version="1", licence="MIT")

    call = StageCall(
        "lipsync", "hi", "lipsync it", EngineInfo, 1, {"config": {"engine": "auto"}}, work,
        Workspace(tmp_path / "work"), SilentObserver(), limits=Limits(SlotsConfig(cpu=1)),
    )  # fmt: skip
    assert not call().reused and ran == ["lipsync"]
    with take_slot("cpu", 1, "this very test", print):  # would wait for ever
        assert call().reused
