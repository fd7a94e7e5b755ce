"""Prefect's server on this machine: whether one answers, and how to start one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from f2f.errors import EngineUnavailableError, UsageError
from flows.address import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    LOOPBACK_HOSTS,
    api_url_of,
    check_port,
    exposure_warning,
)
from flows.environment import prepare_server, settle_server

if TYPE_CHECKING:
    import uvicorn

LOCAL_TIMEOUT_S = 2.0
REMOTE_TIMEOUT_S = 3.0
_ANOTHER = "something that is no Prefect server answers"


@dataclass(frozen=True)
class Answer:
    """What came back from a server's health page.

    Attributes:
        api_url: address that was asked, ending in ``/api`` for one's own servers.
        healthy: a Prefect server answers and lets us in.
        reason: why not, in a few words; empty when healthy.
        is_refused: one answers, but does not let us in.
    """

    api_url: str
    healthy: bool
    reason: str = ""
    is_refused: bool = False

    @property
    def ui_url(self) -> str:
        """Address of the pages for a person."""
        return self.api_url.removesuffix("/api")


def find_api_url(environ: Mapping[str, str] | None = None) -> str:
    """Return ``PREFECT_API_URL``, else the address of a local server."""
    environ = os.environ if environ is None else environ
    url = environ.get("PREFECT_API_URL", "").strip() or f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/api"
    return url.rstrip("/")


def ask_server(api_url: str, environ: Mapping[str, str] | None = None) -> Answer:
    """Ask the server at ``api_url`` for its health and whether it lets us in, without importing Prefect.

    A closed local port answers within milliseconds, a silent one after ``LOCAL_TIMEOUT_S``, a silent
    machine elsewhere after ``REMOTE_TIMEOUT_S``.
    """
    try:
        parts = urllib.parse.urlsplit(api_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return Answer(api_url, False, "that is no http address")
        if not _is_health(_get(f"{api_url}/health", environ)):
            return Answer(api_url, False, _ANOTHER)
        # Everybody may ask for the health, only who knows the password for more.
        _get(f"{api_url}/hello", environ)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in {401, 403}:
            return Answer(api_url, False, _refusal(environ), is_refused=True)
        return Answer(api_url, False, f"it answers {error.code}")
    except urllib.error.URLError as error:
        return Answer(api_url, False, _words(error.reason))
    except (OSError, ValueError, http.client.InvalidURL) as error:
        return Answer(api_url, False, _words(error))
    except http.client.HTTPException:
        return Answer(api_url, False, _ANOTHER)
    return Answer(api_url, True)


def _get(url: str, environ: Mapping[str, str] | None) -> bytes:
    local = urllib.parse.urlsplit(url).hostname in LOOPBACK_HOSTS
    # A proxy of this machine must not see, nor answer for, a local server.
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
    request = urllib.request.Request(url, headers=_headers(environ))
    with opener.open(request, timeout=LOCAL_TIMEOUT_S if local else REMOTE_TIMEOUT_S) as response:
        return bytes(response.read(10_000))


def _headers(environ: Mapping[str, str] | None) -> dict[str, str]:
    """Return the credentials that Prefect's own client would send."""
    environ = os.environ if environ is None else environ
    if auth := environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(auth.encode()).decode()}"}
    if key := environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}


def _refusal(environ: Mapping[str, str] | None) -> str:
    if not _headers(environ):
        return "it wants PREFECT_API_AUTH_STRING=NAME:PASSWORD or PREFECT_API_KEY"
    environ = os.environ if environ is None else environ
    names = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
    return f"it refuses {next(name for name in names if environ.get(name))}"


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError | socket.timeout):
        return "no answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "nothing listens there"
    return str(reason)


def _is_health(body: bytes) -> bool:
    # Other programs like port 4200 too, and answer every address with a page.
    try:
        return json.loads(body) is True
    except ValueError:
        return False


def serve(port: int = DEFAULT_PORT, host: str = DEFAULT_HOST) -> int:
    """Run a Prefect server in this process until Ctrl-C; print its address once it answers.

    Runs are kept in ``$PREFECT_HOME`` (``~/.prefect``). No second process is started, so nothing can
    outlive this one.

    Returns:
        Exit code 0: stopped, or one was there already.

    Raises:
        UsageError: the port is taken by something else, or ``host`` is no address of this machine.
        EngineUnavailableError: Prefect is not installed.
    """
    from rich.console import Console

    console = Console(highlight=False)
    say = partial(console.print, soft_wrap=True, markup=False)
    answer = ask_server(api_url_of(host, port))
    if answer.healthy or answer.is_refused:
        reason = f" ({answer.reason})" if answer.reason else ""
        say(f"A Prefect server runs already: {answer.ui_url}{reason}")
        return 0
    check_port(host, port)
    prepare_server(host, port)
    say(f"Starting the Prefect server on {host}:{port} …")
    try:
        return _serve(host, port, say)
    except ImportError as error:
        raise EngineUnavailableError(
            f'the UI needs Prefect ({error}); run: pip install "f2f[standard]"'
        ) from error


def _serve(host: str, port: int, say: Callable[[str], None]) -> int:
    """Run uvicorn here. Imports Prefect, so the environment must be ready."""
    if warning := exposure_warning(host):
        say(warning)

    def welcome() -> None:
        for line in _welcome(host, port):
            say(line)

    server = _make_server(host, port, welcome, say)
    # uvicorn ends in order and then hands the signal on; this is how a person stops the server.
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise _start_error(host, port)
    say("Prefect server stopped.")
    return 0


@contextlib.contextmanager
def server_beside(host: str, port: int, say: Callable[[str], None]) -> Iterator[None]:
    """Run a server in a thread of this process, as long as the context lasts; the environment must be ready.

    Raises:
        UsageError: the port is taken, or the server cannot start.
    """
    check_port(host, port)
    if warning := exposure_warning(host):
        say(warning)
    ready = threading.Event()
    server = _make_server(host, port, ready.set, say)
    thread = threading.Thread(target=server.run, name="prefect-server", daemon=True)
    thread.start()
    try:
        while not ready.wait(0.1):
            if not thread.is_alive():
                raise _start_error(host, port)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def _start_error(host: str, port: int) -> UsageError:
    return UsageError(f"the Prefect server could not start on {host}:{port}; its log above says why")


def _make_server(
    host: str, port: int, on_ready: Callable[[], None], say: Callable[[str], None]
) -> uvicorn.Server:
    """Return a server that is not running yet; on its start it learns to notice crashed runs."""
    import uvicorn
    from prefect.server.api.server import create_app

    from flows.sqlite import let_writers_wait

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready()
                # No task: the loop's end would wait for it, and it for this server's answer.
                watch = partial(copy_context().run, _watch_for_crashes, self._tell)
                threading.Thread(target=watch, name="watch-for-crashes", daemon=True).start()

        def _tell(self, text: str) -> None:
            if not self.should_exit:
                say(text)

    let_writers_wait()
    settle_server()
    config = uvicorn.Config(
        create_app(final=True),
        host=host,
        port=port,
        log_level="warning",
        # A page that is still open must not hold up the end.
        timeout_graceful_shutdown=2,
    )
    return Server(config)


def _watch_for_crashes(say: Callable[[str], None]) -> None:
    from flows.crashes import ensure_automation, watch_unfinished

    try:
        ensure_automation()
        watch_unfinished()
    except Exception as error:  # noqa: BLE001 - the server is as good as it was without
        say(f"Runs whose process dies will not be marked as crashed: {error}")


def _welcome(host: str, port: int) -> list[str]:
    api_url = api_url_of(host, port)
    ui_url = api_url.removesuffix("/api")
    lines = [f"Ready: {ui_url} – f2f translate now shows its runs there. Ctrl-C stops the server."]
    if (host, port) != (DEFAULT_HOST, DEFAULT_PORT):
        lines.append(f"Tell it where: export PREFECT_API_URL={api_url}")
    if os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        lines.append("And the password: export PREFECT_API_AUTH_STRING=…, the same as the server's.")
    return lines
