"""Leases: one holder at a time, between threads, processes and hosts, whatever dies or jumps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from f2f.library import lease as leases
from f2f.library.lease import read_holder, take_lease
from f2f.library.lease_folder import LeaseFolder

TTL_S = 0.4


def files(root: Path) -> list[Path]:
    return sorted((root / "lease").iterdir())


def of_another_machine(root: Path) -> Path:
    """Rewrite the lease as if a process of another machine held it; nobody renews it."""
    [path] = files(root)
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "far", "host": "far"}))
    return path


def test_only_one_has_it_until_it_is_left(tmp_path: Path) -> None:
    first = take_lease(tmp_path, TTL_S)
    assert first is not None
    with first:
        assert take_lease(tmp_path, TTL_S) is None
        assert first.is_held()
        holder = read_holder(tmp_path)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert not holder.is_gone()
    assert read_holder(tmp_path) is None
    second = take_lease(tmp_path, TTL_S)
    assert second is not None
    with second:
        assert not first.is_held()
        assert second.is_held()
        assert len(files(tmp_path)) == 1


def test_it_is_renewed_while_it_is_held(tmp_path: Path) -> None:
    first = take_lease(tmp_path, TTL_S)
    assert first is not None
    with first:
        of_another_machine(tmp_path)  # so that only the time stamp speaks for it
        time.sleep(2.5 * TTL_S)
        assert take_lease(tmp_path, TTL_S) is None
        assert first.is_held()


def test_one_that_is_not_renewed_is_taken_over_once(tmp_path: Path) -> None:
    assert take_lease(tmp_path, TTL_S) is not None  # never entered: nobody renews it
    of_another_machine(tmp_path)
    assert take_lease(tmp_path, TTL_S) is None  # not yet
    time.sleep(1.2 * TTL_S)
    taken = []
    threads = [threading.Thread(target=lambda: taken.append(take_lease(tmp_path, TTL_S))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in taken if one is not None]) == 1


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_jumps_takes_nothing_from_a_living_holder(tmp_path: Path, jump_s: int) -> None:
    path = tmp_path / "lease" / "000001.json"
    first = take_lease(tmp_path, TTL_S)
    assert first is not None
    of_another_machine(tmp_path)
    before = path.stat().st_mtime
    os.utime(path, (before - jump_s, before - jump_s))
    with first:
        assert take_lease(tmp_path, TTL_S) is None
        assert first.is_held()


def test_who_lost_it_knows(tmp_path: Path) -> None:
    first = take_lease(tmp_path, TTL_S)
    assert first is not None
    of_another_machine(tmp_path)
    time.sleep(1.2 * TTL_S)
    second = take_lease(tmp_path, TTL_S)
    assert second is not None
    with second, first:
        assert not first.is_held()
    assert not first.is_held()


def test_one_who_was_too_slow_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others came and went between the look and the creation, and tidied the number away."""
    for _ in range(3):
        lease = take_lease(tmp_path, TTL_S)
        assert lease is not None
        with lease:
            pass
    assert leases._create(LeaseFolder(tmp_path / "lease"), 2, TTL_S) is None
    assert [path.name for path in files(tmp_path)] == ["000003.json"]


def test_a_killed_holder_is_replaced_at_once_on_its_own_host(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from f2f.library.lease import take_lease\n"
        "lease = take_lease(Path(sys.argv[1]), 3600)\n"
        "with lease: print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"held\n"
        assert take_lease(tmp_path, 3600) is None
        process.send_signal(signal.SIGKILL)
        deadline_s = time.monotonic() + 10
        while (lease := take_lease(tmp_path, 3600)) is None:  # nobody has reaped it yet: that counts as gone
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
    with lease:
        assert lease.is_held()


def test_a_number_of_a_process_that_runs_another_program_now_counts_as_gone(tmp_path: Path) -> None:
    assert take_lease(tmp_path, 3600) is not None
    [path] = files(tmp_path)
    values = json.loads(path.read_text())
    if not values["pid_started"]:
        pytest.skip("this system does not tell when a process began")
    path.write_text(json.dumps({**values, "pid_started": "1"}))
    assert take_lease(tmp_path, 3600) is not None
