"""Put on PYTHONPATH by the server tests: writes down every attempt of a process to leave this machine.

An audit hook sees what Python's own socket module does, from whatever library it is called.
"""

import ipaddress
import os
import sys
from typing import Any

_log = os.environ.get("F2F_TEST_SOCKET_LOG")


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _write(line: str) -> None:
    assert _log is not None
    file = os.open(_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.getpid()} {line}\n".encode())
    os.close(file)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[-1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            _write(f"{event} {address}")
            raise ConnectionRefusedError(f"test guard: {address}")
    elif event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        _write(f"{event} {arguments[0]!r}")


if _log:
    _write("guarded")
    sys.addaudithook(_hook)
