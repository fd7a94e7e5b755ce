"""Settings that Prefect must find in the environment before it is imported.

Everything is set with ``setdefault``: what a person has exported wins. Nothing may leave the machine
unless ``PREFECT_API_URL`` names another one: neither the client's nor the server's usage statistics, and
no request to a local server through a proxy.
"""

from __future__ import annotations

import logging
import os
from collections.abc import MutableMapping

from flows.address import LOOPBACK_HOSTS, api_url_of

LOGGERS = ("f2f", "flows", "lipsync_core")
"""Standard loggers whose lines are shown with the run."""
CLIENT_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGERS),
    # A server that went away must not hold up the work for a minute at every request.
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    # Stages log from threads that belong to no run; those lines stay local without a complaint.
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
SERVER_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # In memory, which is Prefect's default, the slot of a run that died with its server is never freed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}


def prepare_client(api_url: str, environ: MutableMapping[str, str] | None = None) -> None:
    """Set what the flow's process needs; ``api_url`` is the server that was found to answer."""
    environ = os.environ if environ is None else environ
    # Explicit, so that no Prefect profile of this user can lead the run to another server.
    environ["PREFECT_API_URL"] = api_url
    for name, value in CLIENT_SETTINGS.items():
        environ.setdefault(name, value)
    bypass_proxy(environ)


def prepare_server(host: str, port: int, environ: MutableMapping[str, str] | None = None) -> None:
    """Set what a local server needs. The pages call the API at the port given here, not uvicorn's."""
    environ = os.environ if environ is None else environ
    environ["PREFECT_SERVER_API_HOST"] = host
    environ["PREFECT_SERVER_API_PORT"] = str(port)
    environ["PREFECT_API_URL"] = api_url_of(host, port)
    if auth := environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        # The server is its own client, too, when it learns to notice crashed runs.
        environ["PREFECT_API_AUTH_STRING"] = auth
    for name, value in SERVER_SETTINGS.items():
        environ.setdefault(name, value)
    bypass_proxy(environ)


def bypass_proxy(environ: MutableMapping[str, str]) -> None:
    """Add loopback to ``no_proxy``, so that a proxy of this machine never sees a local request."""
    for name in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in environ.get(name, "").split(",") if host]
        environ[name] = ",".join(hosts + [host for host in LOOPBACK_HOSTS if host not in hosts])


def settle_server() -> None:
    """Keep off the console that a run had ended before it could be marked as crashed: so it shall be."""
    logging.getLogger("prefect.server.events.actions").addFilter(
        lambda record: "already in terminal state" not in record.getMessage()
    )


def settle_prefect() -> None:
    """Keep Prefect off the console, and its end short. Call after Prefect was imported.

    The import may give the root logger a console handler, which would write over the progress display;
    the lines still reach the server. Reports to a local server that is gone are given up after two
    attempts each, else hundreds of them would hold the process for minutes.
    """
    from prefect.events.clients import PrefectEventsClient
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import PrefectConsoleHandler

    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, PrefectConsoleHandler):
            root.removeHandler(handler)
    for name in ("prefect", "prefect._internal", "EventsWorker", "APILogWorker"):
        logger = logging.getLogger(name)
        logger.propagate = False
        # Without any handler Python would print warnings itself.
        logger.handlers = [logging.NullHandler()]
    logging.raiseExceptions = False  # of log lines that cannot be sent
    if not os.environ.get("PREFECT_API_KEY"):
        EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=1)
