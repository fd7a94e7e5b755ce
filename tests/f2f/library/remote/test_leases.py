"""Leases in a bucket: one holder at a time between real processes, whatever dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from object_store import Bucket

from f2f.errors import UsageError
from f2f.library.lease import read_holder_in, take_lease_in
from f2f.library.remote.leases import LeaseObjects, check_exclusive
from f2f.library.remote.objects import Objects

TTL_S = 4.0  # stores give time stamps by the second

_CONTENDER = """
import sys, time
from f2f.library.lease import take_lease_in
from f2f.library.remote.leases import LeaseObjects
from f2f.library.remote.objects import Objects
leases = LeaseObjects(Objects("s3"), sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
lease = take_lease_in(leases, 3600)
print("held" if lease else "not", flush=True)
if lease:
    with lease:
        sys.stdin.readline()
"""


def leases(bucket: Bucket) -> LeaseObjects:
    return LeaseObjects(bucket.objects, f"{bucket.key}/.f2f/a/lease")


def test_only_one_has_it_until_it_is_left(s3: Bucket) -> None:
    first = take_lease_in(leases(s3), TTL_S)
    assert first is not None
    with first:
        assert take_lease_in(leases(s3), TTL_S) is None
        assert first.is_held()
        assert read_holder_in(leases(s3)) == first.holder
    assert read_holder_in(leases(s3)) is None
    second = take_lease_in(leases(s3), TTL_S)
    assert second is not None
    with second:
        assert not first.is_held()
        assert s3.names(".f2f") == {".f2f/a/lease/000002.json"}


def test_of_several_processes_one_gets_it_and_a_killed_one_is_replaced(s3: Bucket) -> None:
    command = [sys.executable, "-c", _CONTENDER, f"{s3.key}/.f2f/a/lease"]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    try:
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        said = [one.stdout.readline() for one in both if one.stdout]
        assert sorted(said) == ["held\n", "not\n"]
        holder = both[said.index("held\n")]
        assert take_lease_in(leases(s3), 3600) is None
        holder.send_signal(signal.SIGKILL)
        deadline_s = time.monotonic() + 20
        while (lease := take_lease_in(leases(s3), 3600)) is None:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        with lease:
            assert lease.is_held()
    finally:
        for one in both:
            one.kill()
            one.communicate()


def test_one_that_is_renewed_stays_and_one_that_is_not_is_taken_over(s3: Bucket) -> None:
    first = take_lease_in(leases(s3), TTL_S)
    assert first is not None
    far = {**json.loads(s3.get(".f2f/a/lease/000001.json")), "machine": "far", "host": "far"}
    with first:
        time.sleep(1.2 * TTL_S)
        assert first.is_held()
        assert leases(s3).now_ns() - leases(s3).stamp_ns(1) < TTL_S * 1e9
    s3.put(".f2f/a/lease/000002.json", json.dumps(far))  # of another machine, whose power was cut
    assert take_lease_in(leases(s3), TTL_S) is None  # not yet
    time.sleep(1.6 * TTL_S)
    second = take_lease_in(leases(s3), TTL_S)
    assert second is not None
    with second:
        assert second.is_held()


def test_a_store_that_is_away_for_a_moment_ends_no_work(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take_lease_in(leases(memory), TTL_S)
    assert lease is not None

    def ls(*args: Any) -> list[Any]:
        raise OSError("away")

    with monkeypatch.context() as away:
        away.setattr(Objects, "ls", ls)
        assert not lease.is_held()
        assert lease.may_go_on()
    assert lease.is_held()


def test_a_store_that_creates_one_object_twice_is_refused(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, key = memory.objects, memory.key
    check_exclusive(objects, key)
    assert not memory.names()
    plain = objects._fs.pipe_file
    monkeypatch.setattr(objects._fs, "pipe_file", lambda name, data, mode="": plain(name, data))
    with pytest.raises(UsageError, match="creates one object twice"):
        check_exclusive(objects, key)
