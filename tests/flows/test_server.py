import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from f2f.errors import EngineUnavailableError, UsageError
from f2f.request import Request
from f2f.stage import SilentObserver
from flows import runner as runner_module
from flows import schedule, server
from flows.runner import PrefectRunner
from flows.server import ask_server, find_api_url, serve


@contextmanager
def http_server(
    status: int, body: bytes, kind: str = "application/json", hello: int | None = None
) -> Iterator[SimpleNamespace]:
    """A server on loopback that gives every request the same answer and remembers the requests.

    With ``hello``, a greeting is answered with that status.
    """
    seen: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(hello if hello and self.path.endswith("/hello") else status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield SimpleNamespace(
            url=f"http://127.0.0.1:{http.server_port}/api", port=http.server_port, seen=seen
        )
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_environment_names_the_server() -> None:
    assert find_api_url({}) == "http://127.0.0.1:4200/api"
    assert find_api_url({"PREFECT_API_URL": "https://flows.example/api/"}) == "https://flows.example/api"
    assert find_api_url({"PREFECT_API_URL": ""}) == "http://127.0.0.1:4200/api"


def test_a_prefect_server_is_recognised() -> None:
    with http_server(200, b"true") as http:
        answer = ask_server(http.url, {})
        assert answer.healthy and answer.reason == ""
        assert answer.ui_url == f"http://127.0.0.1:{http.port}"
        assert http.seen == [("/api/health", None), ("/api/hello", None)]


@pytest.mark.parametrize(
    ("environ", "header"),
    [
        ({"PREFECT_API_KEY": "pnu_1"}, "Bearer pnu_1"),
        ({"PREFECT_API_AUTH_STRING": "admin:pass"}, "Basic YWRtaW46cGFzcw=="),
    ],
)
def test_credentials_are_sent(environ: dict[str, str], header: str) -> None:
    with http_server(200, b"true") as http:
        assert ask_server(http.url, environ).healthy
        assert http.seen == [("/api/health", header), ("/api/hello", header)]
    # Prefect tells everybody of its health.
    with http_server(200, b"true", hello=401) as http:
        answer = ask_server(http.url, environ)
    assert (answer.is_refused, answer.reason) == (True, f"it refuses {next(iter(environ))}")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html>my web shop</html>", "no Prefect server"),
        (200, b"false", "no Prefect server"),
        (401, b"{}", "PREFECT_API_KEY"),
        (401, b"{}", "PREFECT_API_AUTH_STRING=NAME:PASSWORD"),
        (500, b"", "500"),
    ],
)
def test_other_answers_are_no_prefect_server(status: int, body: bytes, reason: str) -> None:
    with http_server(status, body) as http:
        answer = ask_server(http.url, {})
    assert not answer.healthy
    assert reason in answer.reason


def test_a_closed_port_a_silent_one_and_nonsense_are_reported() -> None:
    assert "nothing listens" in ask_server(f"http://127.0.0.1:{free_port()}/api", {}).reason
    assert "no http address" in ask_server("ftp://x", {}).reason
    assert "no http address" in ask_server("4200", {}).reason
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "no answer in time" in ask_server(f"http://127.0.0.1:{silent.getsockname()[1]}/api", {}).reason


@contextmanager
def greeter(greeting: bytes) -> Iterator[str]:
    """A server on loopback that says something of its own and hangs up; gives the address of its API."""

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(10_000)
            with suppress(ConnectionError):  # who has heard enough hangs up
                connection.sendall(greeting)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        thread.join()


@pytest.mark.parametrize(
    "greeting", [b"SSH-2.0-x\r\n", b"\x15\x03\x03\x00\x02\x02\x16", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000]
)
def test_what_speaks_no_http_is_no_prefect_server(greeting: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOCAL_TIMEOUT_S", 60.0)
    with greeter(greeting) as url:
        answer = ask_server(url, {})
    assert (answer.healthy, answer.reason) == (False, "something that is no Prefect server answers")


@pytest.mark.parametrize(
    ("url", "reason"),
    [("http://127.0.0.1:42oo/api", "42oo"), ("http://[::1/api", "IPv6"), ("http://a b/api", "a b")],
)
def test_an_address_that_is_none_is_one_line(url: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    runner = PrefectRunner()
    assert not runner.is_available()
    assert f"No Prefect server at {url} (" in runner.hint() and reason in runner.hint()
    assert "\n" not in runner.hint()


def test_a_proxy_never_sees_a_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(200, b"true") as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert not ask_server(f"http://127.0.0.1:{free_port()}/api", {}).healthy
        assert proxy.seen == []


def test_a_second_server_on_the_same_port_is_not_started(capsys: pytest.CaptureFixture[str]) -> None:
    with http_server(200, b"true") as http:
        assert serve(http.port) == 0
        assert f"runs already: http://127.0.0.1:{http.port}" in capsys.readouterr().out


@pytest.mark.parametrize("port", [None, 70000])
def test_a_port_that_cannot_be_had_is_one_line(port: int | None) -> None:
    with (
        http_server(200, b"<html></html>") as http,
        pytest.raises(UsageError, match="cannot listen on"),
    ):
        serve(http.port if port is None else port)


def test_the_runner_is_there_while_a_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(200, b"true") as http:
        monkeypatch.setenv("PREFECT_API_URL", http.url)
        runner = PrefectRunner()
        assert runner.is_available()
        assert f"127.0.0.1:{http.port}" in runner.hint()
    assert not runner.is_available()
    assert "nothing listens there" in runner.hint() and "f2f ui" in runner.hint()


def test_a_server_that_refuses_us_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with http_server(401, b"{}") as http:
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        monkeypatch.setattr(server, "DEFAULT_PORT", http.port)
        runner = PrefectRunner()
        assert not runner.is_available()
        assert "lets nobody in (it wants PREFECT_API_AUTH_STRING=" in runner.hint()
        assert serve(http.port) == 0
        assert f"runs already: http://127.0.0.1:{http.port} (it wants" in " ".join(
            capsys.readouterr().out.split()
        )
        with pytest.raises(EngineUnavailableError, match="lets nobody in"):
            schedule._prepare()


def test_without_a_server_the_hint_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(server, "DEFAULT_PORT", port)
    runner = PrefectRunner()
    assert not runner.is_available()
    assert runner.hint() == "To watch runs in the browser, start: f2f ui"
    with pytest.raises(EngineUnavailableError, match=f"127.0.0.1:{port}"):
        runner.run(Request(server.__file__, ("hi",)), SilentObserver())  # type: ignore[arg-type]


def test_without_prefect_the_runner_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module.importlib.util, "find_spec", lambda name: None)
    with http_server(200, b"true") as http:
        monkeypatch.setenv("PREFECT_API_URL", http.url)
        assert not PrefectRunner().is_available()
    assert "pip install" in PrefectRunner().hint()


def test_asking_imports_no_prefect() -> None:
    code = (
        "import json, sys; from flows.runner import runner; runner.is_available(); runner.hint();"
        "print(json.dumps([name for name in ('prefect', 'httpx', 'torch') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Prefect's import passes through
def test_a_server_ends_although_crashed_runs_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's client asks for minutes for a server that is on its way out."""

    async def nothing(scope: object, receive: object, send: object) -> None: ...

    asks, said = threading.Event(), list[str]()
    ended = threading.Event()

    def watch(say: Callable[[str], None]) -> None:
        asks.set()
        ended.wait()
        say("no server answers")
        asks.clear()

    monkeypatch.setattr("prefect.server.api.server.create_app", lambda **rest: nothing)
    monkeypatch.setattr("flows.sqlite.let_writers_wait", lambda: None)
    monkeypatch.setattr(server, "_watch_for_crashes", watch)
    made = server._make_server("127.0.0.1", 0, lambda: setattr(made, "should_exit", True), said.append)
    made.config.lifespan = "off"
    made.run()
    assert asks.wait() is True and made.started
    ended.set()
    while asks.is_set():
        time.sleep(0.01)
    assert said == []
