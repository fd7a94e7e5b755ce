import asyncio
import os
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from prefect_api import free_port

from f2f.cli import run
from f2f.errors import EngineUnavailableError, UsageError
from f2f.library.lecture import LibraryOptions
from f2f.library.store import Store
from f2f.library.timetable import Timetable
from flows.library_parameters import LibraryParameters
from flows.schedule import _is_unfinished, check_cron, local_zone, serve_library

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def options(folder: Path) -> LibraryOptions:
    return LibraryOptions(folder, folder, ("hi",))


@pytest.mark.parametrize("line", ["0 2 * * *", "*/30 8-18 * * 1-5", "15 3 1,15 * *"])
def test_cron_lines_are_taken(line: str) -> None:
    check_cron(line)


@pytest.mark.parametrize(
    "line", ["", "2", "nightly", "0 2 * *", "61 2 * * *", "0 2 * * * *", "R 2 * * *", "@daily"]
)
def test_what_is_no_cron_line_is_named_in_one_line(line: str) -> None:
    with pytest.raises(UsageError, match="must be five fields") as caught:
        check_cron(line)
    assert repr(line) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_time_zone_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Zagreb")
    assert local_zone() == "Europe/Zagreb"
    monkeypatch.setenv("TZ", ":Asia/Kolkata")
    assert local_zone() == "Asia/Kolkata"
    monkeypatch.setenv("TZ", "../../etc/passwd")
    assert ZoneInfo(local_zone())
    monkeypatch.setattr(os.path, "realpath", lambda path: "/usr/share/zoneinfo/America/Lima")
    for name in ("CET-1CEST", "Mars/Olympus"):
        monkeypatch.setenv("TZ", name)
        assert local_zone() == "America/Lima"
    monkeypatch.delenv("TZ")
    monkeypatch.setattr(os.path, "realpath", lambda path: "/usr/share/zoneinfo/America/Lima")
    assert local_zone() == "America/Lima"
    monkeypatch.setattr(os.path, "realpath", lambda path: "/etc/localtime")
    assert local_zone() == "UTC"


def test_a_zone_that_is_none_is_said_to_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(served: Any) -> None:
        zones.append(served.zone)

    monkeypatch.setattr("flows.schedule._prepare", lambda: None)
    monkeypatch.setattr("flows.schedule._a_server", lambda address, say: nullcontext("http://here"))
    monkeypatch.setattr("flows.schedule._run", run)
    monkeypatch.setattr(os.path, "realpath", lambda path: "/usr/share/zoneinfo/America/Lima")
    told: dict[str, list[str]] = {}
    zones: list[str] = []
    for zone in ("CET-1CEST", ":Asia/Kolkata"):
        monkeypatch.setenv("TZ", zone)
        serve_library(options(tmp_path), None, Timetable(cron="0 2 * * *"), told.setdefault(zone, []).append)
    assert zones == ["America/Lima", "Asia/Kolkata"]
    notice = "TZ=CET-1CEST names no time zone that is known here: --cron counts in America/Lima time"
    assert told["CET-1CEST"][0] == notice
    assert not any("TZ=" in line for line in told[":Asia/Kolkata"])
    # Where no hour is named, no zone counts.
    monkeypatch.setenv("TZ", "CET-1CEST")
    every: list[str] = []
    serve_library(options(tmp_path), None, Timetable(every=timedelta(hours=2)), every.append)
    assert not any("TZ=" in line for line in every)


def test_a_server_elsewhere_that_is_gone_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", str(free_port()))
    for name in ("PYTHONSAFEPATH", "PYTHONPATH"):  # which are set, and are to be as before
        monkeypatch.setenv(name, os.environ.get(name, ""))
    said: list[str] = []
    with pytest.raises(EngineUnavailableError, match="unset PREFECT_API_URL"):
        serve_library(options(tmp_path), None, Timetable(cron="0 2 * * *"), said.append)
    assert said == []


def test_a_mistake_in_the_timetable_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A server that answered would be used, one that does not would be started: neither comes that far.
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr("flows.schedule._prepare", lambda: (free_port(), "127.0.0.1"))
    said: list[str] = []
    with pytest.raises(UsageError, match="--cron 'soon'"):
        serve_library(options(tmp_path), None, Timetable(cron="soon"), said.append)
    assert said == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "hi"], "give either --cron"),
        (["--to", "hi", "--cron", "0 2 * * *", "--every", "10m"], "give either --cron"),
        (["--to", "hi", "--every", "soon"], "--every soon: must be a number and s, m, h or d"),
        (["--every", "10m"], "no target language"),
        (["--to", "hi", "--every", "10m", "--set", "fit.max_tempo=nine"], "fit.max_tempo"),
        (["--every", "10m", "--list", "missing.csv"], "missing.csv"),
    ],
)
def test_the_command_says_what_is_wrong_and_starts_nothing(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def start(*args: object) -> int:
        raise AssertionError("it was started")

    monkeypatch.setattr("flows.runner.PrefectRunner.schedule", start)
    assert run(["schedule", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err


def test_the_command_hands_over_what_it_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr("flows.runner.PrefectRunner.schedule", lambda self, *rest: told.append(rest) or 0)
    words = ["--to", "hi", "--to", "es", "--every", "2h", "--now", "--no-lipsync", "--pattern", "*.mp4"]
    assert run(["schedule", str(tmp_path), "-o", str(tmp_path / "out"), *words]) == 0
    [(library, lecture_list, timetable, _)] = told
    assert (library.root, library.output_dir) == (tmp_path, tmp_path / "out")
    assert (library.targets, library.lipsync, library.patterns) == (("hi", "es"), False, ("*.mp4",))
    assert lecture_list is None
    assert timetable == Timetable(every=timedelta(hours=2), now=True)


def test_a_batch_and_a_schedule_with_the_same_options_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("flows.runner.PrefectRunner.schedule", lambda self, *rest: told.append(rest) or 0)
    monkeypatch.setattr("f2f.commands.batch._run", lambda session, *rest: told.append(rest))
    (tmp_path / "terms.csv").write_text("a,b\n")
    words = [
        str(tmp_path), "--to", "hi", "--glossary", str(tmp_path / "terms.csv"), "--licence", "permissive",
        "--device", "cpu", "--i-have-consent", "--attempts", "5", "--backoff", "7", "--retry-quarantined",
    ]  # fmt: skip
    assert run(["batch", *words]) == run(["schedule", *words, "--every", "2h"]) == 0
    by_batch, by_schedule = (rest[0] for rest in told)
    assert by_batch == by_schedule
    assert by_schedule.config.synthesize.consent and by_schedule.config.licence == "permissive"
    parameters = LibraryParameters.of(by_schedule)
    again = LibraryParameters.model_validate_json(parameters.model_dump_json()).as_options()
    assert (again.max_attempts, again.backoff_s, again.retry_quarantined) == (5, 7, True)
    assert again.config == by_batch.config


def test_a_store_in_which_machines_cannot_share_the_work_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(store: Store) -> None:
        raise UsageError("creates one object twice")

    monkeypatch.setattr(Store, "check", check)
    monkeypatch.setattr("flows.runner.PrefectRunner.schedule", lambda self, *rest: 0)
    assert run(["schedule", str(tmp_path), "--to", "hi", "--every", "2h"]) == 2
    assert "creates one object twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "is_unfinished"),
    [(None, False), ("RUNNING", True), ("CRASHED", True), ("COMPLETED", False), ("FAILED", False)],
)
def test_a_tick_that_came_to_no_end_is_followed_by_one_at_the_start(
    state: str | None, is_unfinished: bool
) -> None:
    from prefect.client.schemas.objects import FlowRun, State

    class Client:
        async def read_flow_runs(self, **filters: Any) -> list[FlowRun]:
            assert (filters["limit"], filters["sort"].value) == (1, "START_TIME_DESC")
            assert filters["flow_run_filter"].deployment_id.any_ == [deployment_id]
            return [] if state is None else [FlowRun(flow_id=uuid4(), state=State(type=state))]

    deployment_id = uuid4()
    assert asyncio.run(_is_unfinished(Client(), deployment_id)) is is_unfinished
