"""What is left is read as the kernel tells it; refused is only what cannot fit."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from f2f import memory
from f2f.errors import StageError
from f2f.memory import Available, available_memory, check_memory, demand_key, keep_demand, read_demands
from f2f.results import EngineInfo
from f2f.stage import SilentObserver, StageContext
from f2f.stage_call import StageCall
from f2f.workspace import Workspace

MIB = 2**20
MEMINFO = "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\nSwapFree: 1048576 kB\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("F2F_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def kernel(tmp_path: Path) -> Callable[..., Available | None]:
    """Read from made files: what ``/proc/self/cgroup`` says, and groups with their files."""

    def read(cgroup: str = "", **groups: dict[str, str]) -> Available | None:
        proc, root = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text(MEMINFO)
        (proc / "self" / "cgroup").write_text(cgroup)
        for name, files in groups.items():
            folder = root / name.replace("__", "/")
            folder.mkdir(parents=True)
            for file, content in files.items():
                (folder / file.replace("memory_", "memory.")).write_text(content)
        return available_memory(proc, root)

    return read


def test_without_limits_it_is_what_the_machine_has(kernel: Callable[..., Available | None]) -> None:
    assert kernel() == Available(4096, 1024)


def test_a_container_has_what_its_limit_leaves_with_idle_file_pages(
    kernel: Callable[..., Available | None],
) -> None:
    inner = {"memory_max": "max", "memory_current": "0", "memory_stat": ""}
    outer = {
        "memory_max": str(1000 * MIB), "memory_current": str(900 * MIB),
        "memory_stat": f"anon {700 * MIB}\ninactive_file {150 * MIB}\n",
    }  # fmt: skip
    assert kernel("0::/outer/inner\n", outer=outer, outer__inner=inner) == Available(250, 0)


def test_groups_of_the_first_version_count_too(kernel: Callable[..., Available | None]) -> None:
    files = {
        "memory_limit_in_bytes": str(500 * MIB), "memory_usage_in_bytes": str(600 * MIB),
        "memory_stat": f"total_inactive_file {20 * MIB}\n",
    }  # fmt: skip
    assert kernel("4:cpu:/x\n3:memory:/not/visible/here\n", memory=files) == Available(0, 0)


def test_elsewhere_nothing_is_known(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


def settle(monkeypatch: pytest.MonkeyPatch, left: Available | None, used_mib: float | None = 100) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: left)
    monkeypatch.setattr(memory, "used_mib", lambda: used_mib)


def told_of(stage: str, config: dict[str, str], key: str) -> list[str]:
    told: list[str] = []
    check_memory(stage, config, key, told.append)
    return told


def test_what_never_took_so_little_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_demand("lipsync cpu x", 3000)
    keep_demand("lipsync cpu x", 5000)
    settle(monkeypatch, Available(1000, 500))
    with pytest.raises(StageError, match=r"^lipsync takes at least 3,000 MiB of memory, and 1,100 MiB can"):
        check_memory("lipsync", {}, "lipsync cpu x", print)


def test_what_may_be_too_little_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_demand("lipsync cpu x", 3000)
    keep_demand("lipsync cpu x", 5000)
    settle(monkeypatch, Available(3500, 0))
    [text] = told_of("lipsync", {}, "lipsync cpu x")
    assert "took 5,000 MiB of memory the last time, and 3,600 MiB can be had" in text
    settle(monkeypatch, Available(4900, 0))  # with the 100 that it has: enough
    assert told_of("lipsync", {}, "lipsync cpu x") == []


def test_before_the_first_time_the_weights_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, Available(200, 0))
    with pytest.raises(StageError, match="transcribe takes at least"):
        check_memory("transcribe", {"engine": "whisper", "whisper_model": "large-v3"}, "new", print)
    assert told_of("transcribe", {"engine": "whisper", "whisper_model": "tiny"}, "new") == []
    assert told_of("transcribe", {"engine": "whisper", "whisper_model": "/my/own.pt"}, "new") == []
    assert told_of("transcribe", {"engine": "captions"}, "new") == []


def test_nothing_is_refused_where_nothing_is_known(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    keep_demand("lipsync cpu x", 3000)
    settle(monkeypatch, None)
    assert told_of("lipsync", {}, "lipsync cpu x") == []
    [file] = home.glob("memory.*.json")
    file.write_text("{ half")
    assert read_demands() == {}


def test_machines_that_share_a_folder_keep_their_demands_apart(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    for host, peak_mib in (("large", 8000), ("small/1", 2000)):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        assert read_demands() == {}
        keep_demand("lipsync cpu x", peak_mib)
    settle(monkeypatch, Available(4000, 0))
    assert told_of("lipsync", {}, "lipsync cpu x") == []
    assert len(list(home.iterdir())) == 2


def test_demands_are_kept_apart_by_engine_device_and_size_of_picture() -> None:
    keys = [
        demand_key("lipsync", {"engine": "embedded"}, "cpu", 640 * 360),
        demand_key("lipsync", {"engine": "wav2lip"}, "cpu", 640 * 360),
        demand_key("lipsync", {"engine": "embedded"}, "cuda", 640 * 360),
        demand_key("lipsync", {"engine": "embedded"}, "cpu", 3840 * 2160),
    ]
    assert len(set(keys)) == 4
    assert demand_key("lipsync", {"engine": "embedded"}, "cpu", 640 * 368) == keys[0]


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="nothing is measured without /proc")
def test_a_stage_leaves_what_it_took_and_is_refused_where_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(context: StageContext) -> EngineInfo:
        return EngineInfo(name="none", version="1", licence="MIT")

    def call(number: int) -> StageCall[EngineInfo]:
        workspace = Workspace(tmp_path / "work")
        return StageCall("fit", "hi", "fit", EngineInfo, 1, {"n": number}, work, workspace, SilentObserver())

    call(1)()
    [(key, demand)] = read_demands().items()
    assert key.startswith("fit cpu ") and demand.least_mib > 10
    monkeypatch.setattr(memory, "available_memory", lambda: Available(0, 0))
    monkeypatch.setattr(memory, "used_mib", lambda: 1.0)
    with pytest.raises(StageError, match="fit takes at least"):
        call(2)()
