import socket

import pytest

from f2f.errors import UsageError
from flows.address import api_url_of, check_port, exposure_warning, listening_address


def test_where_to_listen_is_prefects_own_setting() -> None:
    assert listening_address(None, None, {}) == (4200, "127.0.0.1")
    theirs = {"PREFECT_SERVER_API_PORT": "4281", "PREFECT_SERVER_API_HOST": "127.0.0.2"}
    assert listening_address(None, None, theirs) == (4281, "127.0.0.2")
    assert listening_address(4300, "::1", theirs) == (4300, "::1")
    with pytest.raises(UsageError, match="'http'"):
        listening_address(None, None, {"PREFECT_SERVER_API_PORT": "http"})


def test_links_lead_to_where_a_server_listens() -> None:
    assert api_url_of("192.0.2.10", 4200) == "http://192.0.2.10:4200/api"
    assert api_url_of("::1", 4200) == "http://[::1]:4200/api"
    # Those stand for all addresses and are none that a client could call.
    assert api_url_of("0.0.0.0", 4280) == "http://127.0.0.1:4280/api"
    assert api_url_of("::", 4280) == "http://[::1]:4280/api"


@pytest.mark.parametrize("host", ["192.0.2.10", "0.0.0.0", "::", "server.example"])
def test_a_server_that_others_reach_without_a_password_is_warned_of(host: str) -> None:
    assert host in exposure_warning(host, {})
    assert "PREFECT_SERVER_API_AUTH_STRING=NAME:PASSWORD" in exposure_warning(host, {})
    assert exposure_warning(host, {"PREFECT_SERVER_API_AUTH_STRING": "f2f:secret"}) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_this_machine_alone_needs_no_password(host: str) -> None:
    assert exposure_warning(host, {}) == ""


def test_a_port_that_is_taken_asks_for_another_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: .* another port: .*f2f ui --port"):
            check_port("127.0.0.1", port)
    with pytest.raises(UsageError, match="another port"):
        check_port("127.0.0.1", 70_000)


@pytest.mark.parametrize("host", ["192.0.2.1", "x" * 70])
def test_a_host_that_is_not_here_asks_for_another_host(host: str) -> None:
    with pytest.raises(UsageError, match="a host that is an address of this machine") as caught:
        check_port(host, 0)
    assert "PREFECT_SERVER_API_HOST=127.0.0.1, or f2f ui --host" in str(caught.value)
    assert "port:" not in str(caught.value)


def test_a_host_whose_name_is_unknown_asks_for_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    class Socket(socket.socket):
        def bind(self, address: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "socket", Socket)
    with pytest.raises(UsageError, match=r"nowhere\.example:4200: .*; choose a host"):
        check_port("nowhere.example", 4200)
