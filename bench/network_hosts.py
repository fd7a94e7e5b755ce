"""Hosts of a network of their own on this machine, made of the kernel's namespaces; for ``two_hosts.py``.

Each host has an address, a name, process ids and a core of its own, and shares the disk with the others, as
machines share a folder. The whole network lives in namespaces, too, that end with the script however it
ends: nothing of it is ever seen outside, and nothing stays.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect_setup import ROOT, Host, descendants, kill_tree

SERVER_ADDRESS = "10.77.0.1"
TOOLS = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "taskset": "util-linux"}
NAMESPACES = ("--net", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
INSIDE = "F2F_BENCH_INSIDE"
# Whoever lost its parent is waited for by the first process; names and cores are set before anything runs.
FIRST_PROCESS = 'hostname "$0"; ip link set lo up; echo ready; while :; do sleep 1000 & wait $!; done'


def enter_network() -> None:
    """Run this script again with a network and process ids of its own; returns in there only."""
    if os.environ.pop(INSIDE, None) is not None:
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "bridge0", "type", "bridge")
        _run("ip", "address", "add", f"{SERVER_ADDRESS}/24", "dev", "bridge0")
        _run("ip", "link", "set", "bridge0", "up")
        return
    missing = [f"{tool} (Debian: {package})" for tool, package in TOOLS.items() if not shutil.which(tool)]
    if os.getuid() or missing:
        sys.exit(f"hosts of a network of their own need {' and '.join(missing) or 'root: sudo'}")
    command = ["unshare", *NAMESPACES, sys.executable, *sys.argv]
    os.execvpe(command[0], command, os.environ | {INSIDE: "1"})


@dataclass(frozen=True)
class NetworkHost(Host):
    """A machine that can be switched off.

    Attributes:
        pid: of its first process, as this script sees it.
    """

    pid: int = 0

    def cut_power(self) -> None:
        """Kill everything on it at once: the kernel does when the first process dies."""
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def network_host(number: int, folder: Path) -> Iterator[NetworkHost]:
    """Run a host called ``w1``, ``w2`` … with a core and homes of its own until the end of the context.

    Args:
        number: from 1; chooses name, address and core.
        folder: for its homes.
    """
    name, cores = f"w{number}", sorted(os.sched_getaffinity(0))
    words = ["unshare", *NAMESPACES, "sh", "-c", FIRST_PROCESS, name]
    home = folder / name
    home.mkdir()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            sys.exit(f"host {name} cannot be made: {(home / 'log').read_text()}")
        pid = descendants(process.pid)[1]
        enter = ("nsenter", "--target", str(pid), "--net", "--uts", "--pid", "--mount", f"--wd={ROOT}")
        _run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _run("ip", "link", "set", f"to-{name}", "master", "bridge0", "up")
        _run(*enter, "ip", "address", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
        _run(*enter, "ip", "link", "set", "eth0", "up")
        core = cores[(number - 1) % len(cores)]
        homes = {"F2F_HOME": str(home / "f2f"), "PREFECT_HOME": str(home / "prefect")}
        yield NetworkHost(name, (*enter, "taskset", "--cpu-list", str(core)), homes, pid)
    finally:
        kill_tree(process)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
