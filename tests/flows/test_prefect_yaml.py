import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def deployment() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert content["name"] == "f2f"
    [only] = content["deployments"]
    return dict(only)


def test_the_entrypoint_is_the_flow(deployment: dict[str, Any]) -> None:
    path, _, name = deployment["entrypoint"].partition(":")
    assert (ROOT / path).is_file()
    flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert flow.name == "translate-video"
    names = inspect.signature(flow.fn).parameters
    assert set(deployment["parameters"]) <= set(names)


def test_workers_send_nothing_out(deployment: dict[str, Any]) -> None:
    environment = deployment["work_pool"]["job_variables"]["env"]
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
    assert all(isinstance(value, str) for value in environment.values())
