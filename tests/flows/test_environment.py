import logging

import pytest

from flows.environment import (
    CLIENT_SETTINGS,
    bypass_proxy,
    prepare_client,
    prepare_server,
    settle_server,
)


def test_nothing_is_sent_out_and_no_server_starts_by_itself() -> None:
    environ: dict[str, str] = {}
    prepare_client("http://127.0.0.1:4200/api", environ)
    assert environ["DO_NOT_TRACK"] == "1"
    assert environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
    assert environ["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


def test_what_a_person_exported_wins() -> None:
    environ = dict.fromkeys(CLIENT_SETTINGS, "mine")
    prepare_client("http://127.0.0.1:4200/api", environ)
    assert all(environ[name] == "mine" for name in CLIENT_SETTINGS)


def test_the_pages_of_a_server_find_its_port() -> None:
    environ = {"PREFECT_API_URL": "https://elsewhere/api"}
    prepare_server("127.0.0.1", 4281, environ)
    assert environ["PREFECT_SERVER_API_PORT"] == "4281"
    assert environ["PREFECT_API_URL"] == "http://127.0.0.1:4281/api"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_HOME" not in environ


@pytest.mark.parametrize(
    ("reason", "is_told"),
    [("Run is already in terminal state COMPLETED.", False), ("there is no such run", True)],
)
def test_a_run_that_ended_in_time_is_no_failure_of_the_server(reason: str, is_told: bool) -> None:
    actions = logging.getLogger("prefect.server.events.actions")
    record = actions.makeRecord(
        actions.name, logging.WARNING, "actions.py", 1, "Action failed: %r", (reason,), None
    )
    filters = list(actions.filters)
    try:
        settle_server()
        assert bool(actions.filter(record)) == is_told
    finally:
        actions.filters = filters


def test_loopback_joins_the_hosts_without_proxy() -> None:
    environ = {"no_proxy": "intranet,localhost"}
    bypass_proxy(environ)
    assert environ["no_proxy"] == "intranet,localhost,127.0.0.1,::1"
    assert environ["NO_PROXY"] == "127.0.0.1,localhost,::1"


def test_a_server_with_a_password_lets_itself_in() -> None:
    environ = {"PREFECT_SERVER_API_AUTH_STRING": "f2f:secret"}
    prepare_server("127.0.0.1", 4281, environ)
    assert environ["PREFECT_API_AUTH_STRING"] == "f2f:secret"
