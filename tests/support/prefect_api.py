"""A Prefect server on loopback, spoken to as a browser does."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def own_environment(home: Path) -> dict[str, str]:
    """Return this environment with a Prefect of its own in place of this user's, and one thread for each."""
    mine = ("PREFECT", "PYTHONSAFEPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return kept | {"PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: Any = None) -> Any:
    data = json.dumps({} if body is None else body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api{path}", data, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def runs_of(port: int, flow: str) -> list[dict[str, Any]]:
    """Runs of a flow that have begun, oldest first."""
    query = {
        "sort": "START_TIME_ASC",
        "flows": {"name": {"any_": [flow]}},
        "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}},
    }
    return list(ask(port, "/flow_runs/filter", query))
