import pytest

from f2f.errors import UsageError
from flows.address import api_url_of, exposure_warning, listening_address


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
