"""The figure rises by what the work, or a program it starts, really holds, and falls away after it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from f2f import peak_memory
from f2f.peak_memory import PeakMemory
from f2f.results import Take
from f2f.stage import SilentObserver, StageContext
from f2f.stage_call import StageCall
from f2f.workspace import Workspace

MIB = 2**20
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nothing is measured without /proc")


def idle_mib() -> float:
    with PeakMemory(0.02) as memory:
        time.sleep(0.05)
    assert memory.peak_mib is not None
    return memory.peak_mib


@linux
def test_memory_of_the_work_itself_counts_even_when_it_is_free_at_the_end() -> None:
    # In a process of its own: pages of a large one, which the system may take back meanwhile, count too.
    code = (
        "import time\n"
        "from f2f.peak_memory import PeakMemory\n"
        "with PeakMemory(0.02) as idle: time.sleep(0.05)\n"
        "with PeakMemory(0.02) as memory:\n"
        f"    held = bytearray(b'\\1') * {120 * MIB}\n"
        "    time.sleep(0.1)\n"
        "    del held\n"
        "print(idle.peak_mib, memory.peak_mib)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, peak = map(float, done.stdout.split())
    assert 110 < peak - before < 250


@linux
@pytest.mark.parametrize("shell", [False, True], ids=["child", "grandchild"])
def test_memory_of_programs_it_starts_counts(shell: bool) -> None:
    code = f"import time; held = bytearray(b'1') * {120 * MIB}; time.sleep(0.6)"
    before = idle_mib()
    with PeakMemory(0.02) as memory:
        if shell:
            words = ["/bin/sh", "-c", '"$0" -c "$1"; true', sys.executable, code]
        else:
            words = [sys.executable, "-c", code]
        subprocess.run(words, check=True)
    assert memory.peak_mib is not None and 110 < memory.peak_mib - before < 200


@linux
def test_a_child_between_fork_and_exec_is_not_its_parent_twice() -> None:
    held = bytearray(b"\1") * (200 * MIB)
    before = idle_mib()
    with PeakMemory(0.001) as memory:
        for _ in range(10):
            subprocess.run(["/bin/true"], check=True, preexec_fn=lambda: None)  # forces a true fork
    assert memory.peak_mib is not None and memory.peak_mib - before < 0.75 * len(held) / MIB


def test_without_proc_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peak_memory, "_PROC", tmp_path)
    with PeakMemory() as memory:
        pass
    assert memory.peak_mib is None


@linux
def test_a_reused_stage_still_has_its_figure(tmp_path: Path) -> None:
    def work(context: StageContext) -> Take:
        held = bytearray(b"\1") * (64 * MIB)
        time.sleep(0.3)
        assert held
        return Take(segment_id=1, wav="1.wav", duration_s=1, sample_rate_hz=16000, voice="hi+f2")

    call = StageCall(
        "synthesize", "hi", "speak", Take, 1, {}, work, Workspace(tmp_path), SilentObserver()
    )  # fmt: skip
    made, found = call(), call()
    assert found.reused and not made.reused
    assert found.peak_memory_mib == made.peak_memory_mib and (made.peak_memory_mib or 0) > 64
