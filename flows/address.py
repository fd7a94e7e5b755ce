"""Where a server listens, what that is called in links, and who can reach it there."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Mapping

from f2f.errors import UsageError

DEFAULT_PORT = 4200
DEFAULT_HOST = "127.0.0.1"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Hosts that stand for every address of this machine, and the one at which it finds itself."""


def listening_address(
    port: int | None, host: str | None, environ: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Return port and host to listen on: as given, else Prefect's own variables, else the defaults.

    Raises:
        UsageError: ``PREFECT_SERVER_API_PORT`` is no number.
    """
    environ = os.environ if environ is None else environ
    if port is None:
        text = environ.get("PREFECT_SERVER_API_PORT") or str(DEFAULT_PORT)
        if not text.isdecimal():
            raise UsageError(f"PREFECT_SERVER_API_PORT is {text!r}; a port is a number from 1 to 65535")
        port = int(text)
    return port, host or environ.get("PREFECT_SERVER_API_HOST") or DEFAULT_HOST


def api_url_of(host: str, port: int) -> str:
    """Return the address at which this machine reaches the API of a server that listens on ``host``."""
    host = ALL_ADDRESSES.get(host, host)
    return f"http://[{host}]:{port}/api" if ":" in host else f"http://{host}:{port}/api"


def exposure_warning(host: str, environ: Mapping[str, str] | None = None) -> str:
    """Say what a server that others can reach allows them; empty if none can, or only with a password."""
    environ = os.environ if environ is None else environ
    if is_loopback(host) or environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        return ""
    return (
        f"Warning: whoever reaches {host} can see, change and start runs, and with them programs on every "
        "machine with a worker. Stop this and set a password first, here "
        "PREFECT_SERVER_API_AUTH_STRING=NAME:PASSWORD and for all who use it the same as "
        "PREFECT_API_AUTH_STRING; or leave --host away, and only this machine can."
    )


def is_loopback(host: str) -> bool:
    """Return whether an address leads to the machine itself, whichever that is."""
    try:
        return host in LOOPBACK_HOSTS or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_here(host: str) -> bool:
    """Return whether an address is one of this machine's own."""
    if is_loopback(host):
        return True
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, _, _, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind) as probe:
            probe.bind(address)
            return True
    return False


def check_port(host: str, port: int) -> None:
    """Check that a server can listen there.

    Raises:
        UsageError: the port is taken, or ``host`` is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError, UnicodeError) as error:
        remedy = "choose another port: PREFECT_SERVER_API_PORT=4280, or f2f ui --port 4280"
        if _is_about_host(error):
            remedy = (
                "choose a host that is an address of this machine: PREFECT_SERVER_API_HOST=127.0.0.1, "
                "or f2f ui --host 127.0.0.1"
            )
        raise UsageError(f"cannot listen on {host}:{port}: {error}; {remedy}") from error


def _is_about_host(error: Exception) -> bool:
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        return error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    # No address has such a name, or it cannot even be asked for.
    return isinstance(error, (socket.gaierror, UnicodeError))
