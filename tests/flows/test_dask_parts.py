"""What is said before any work when the workers of the lips cannot be had."""

from __future__ import annotations

import pickle
import socket
from contextlib import nullcontext
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from f2f import pipeline
from f2f.errors import ConfigError, EngineUnavailableError, PreflightError, WorkersAwayError
from f2f.options import build_config
from f2f.request import Request
from flows import dask_parts
from flows.dask_parts import DaskParts, PartError, make_part


def test_no_address_means_no_workers() -> None:
    assert dask_parts.dask_parts(None) is None
    assert not DaskParts("local:2").is_elsewhere and DaskParts("tcp://192.0.2.1:8786").is_elsewhere


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_parts, "CONNECT_S", 0.2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(WorkersAwayError) as error:
            dask_parts.dask_parts(address)
    said = str(error.value)
    assert error.value.is_passing, "a library must not give its lectures up for that"
    assert said.startswith(f"no Dask scheduler answers at {address} (") and "\n" not in said
    assert said.endswith("start one with dask scheduler --host 127.0.0.1")


@pytest.mark.parametrize(
    ("api_url", "worker", "is_refused"),
    [
        ("http://127.0.0.1:4280/api", "tcp://192.0.2.11:40001", True),
        ("http://localhost:4280/api", "tcp://[2001:db8::1]:40001", True),
        ("http://192.0.2.10:4280/api", "tcp://192.0.2.11:40001", False),
        ("http://127.0.0.1:4280/api", "tcp://127.0.0.1:40001", False),
    ],
)
def test_workers_elsewhere_must_reach_the_server_of_the_run(
    api_url: str, worker: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_parts, "_ask_scheduler", lambda address: ["tcp://127.0.0.1:40000", worker])
    refusal = pytest.raises(EngineUnavailableError) if is_refused else nullcontext()
    with temporary_settings({PREFECT_API_URL: api_url}), refusal as error:
        dask_parts.dask_parts("tcp://192.0.2.10:8786")
    if error is not None:
        said = str(error.value)
        assert f"{worker} of tcp://192.0.2.10:8786 cannot reach the Prefect server at {api_url}" in said
        assert "f2f ui --host ADDRESS" in said and "PREFECT_API_URL=http://ADDRESS:4280/api" in said
        assert "\n" not in said


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailableError, match=r'pip install "f2f\[dask\]"'):
        dask_parts.dask_parts("local:2")


def test_without_prefect_nobody_speaks_with_workers(tmp_path: Path) -> None:
    request = Request(tmp_path / "lecture.mp4", ("hi",), config=build_config(None, {"dask": "local:2"}))
    with pytest.raises(WorkersAwayError, match=r"lipsync\.dask local:2 needs a Prefect server"):
        pipeline.translate_video(request)


def test_nobody_is_asked_where_no_lips_are_wanted(tmp_path: Path) -> None:
    config = build_config(None, {"dask": "tcp://192.0.2.1:8786", "lips": "none"})
    assert config.lipsync.workers is None
    with pytest.raises(PreflightError, match=r"lecture\.mp4"):
        pipeline.translate_video(Request(tmp_path / "lecture.mp4", ("hi",), config=config))


@pytest.mark.parametrize("address", ["192.0.2.1:8786", "local:0", "http://192.0.2.1:8786", "tcp://host"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="allowed are tcp://HOST:PORT"):
        build_config(None, {"dask": address})


def test_errors_of_f2f_travel_between_processes(tmp_path: Path) -> None:
    with pytest.raises(PartError, match=r"part 3 on .* does not see .*job\.json") as error:
        make_part(str(tmp_path), 2)
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
