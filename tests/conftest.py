"""Fixtures for all tests: no network, real media where a developer has it."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

# A shell starts its background jobs with SIGINT ignored, and children inherit that: the tests of Ctrl-C would
# wait for an answer that cannot come.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class NetworkBlockedError(RuntimeError):
    """A test tried to reach something else than this machine."""


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):  # unix sockets
        return True
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    resolve = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            raise NetworkBlockedError(f"test tried to connect to {address!r}")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_local(address):
            raise NetworkBlockedError(f"test tried to connect to {address!r}")
        return connect_ex(self, address)

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not _is_local((host if isinstance(host, str) else host.decode(), 0)):
            raise socket.gaierror(socket.EAI_NONAME, f"test tried to resolve {host!r}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes a developer's model cache."""
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(tmp_path_factory.getbasetemp() / "lipsync_core_home"))
    monkeypatch.setenv("F2F_HOME", str(tmp_path_factory.getbasetemp() / "f2f_home"))


@pytest.fixture(autouse=True)
def _crashes_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a test starts writes its stacks to stderr when a signal such as SIGSEGV ends it."""
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Folder of real talking faces (GRID clips and more), for developers who have it."""
    here = Path(__file__).resolve().parent.parent
    for folder in (os.environ.get("F2F_TEST_MEDIA"), here.parent / "shared" / "media"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    pytest.skip("no real media here; set F2F_TEST_MEDIA to a folder that holds it")


@pytest.fixture
def worker_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let workers have stages of no work; return the log of what they did."""
    log = tmp_path / "log" / "worked.txt"
    log.parent.mkdir()
    log.touch()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "support" / "tiny_worker"))
    monkeypatch.setenv("TINY_LOG", str(log))
    monkeypatch.setenv("F2F_RUNNER", "inline")
    return log
