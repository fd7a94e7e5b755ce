"""A library on a timetable in one process: Prefect's server, unless one runs, and what carries ticks out.

The server's database (``$PREFECT_HOME``, SQLite unless told otherwise) keeps the schedule; ticks that were
missed while this process was away are caught up by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from f2f.errors import EngineUnavailableError, UsageError
from f2f.foreign_modules import safe_path_variables
from f2f.library.lecture import LibraryOptions
from f2f.library.timetable import Timetable
from flows.address import api_url_of, listening_address
from flows.crashes import BEAT_S, ensure_automation, look_again_trigger
from flows.environment import prepare_client, prepare_server
from flows.library_parameters import LibraryParameters, library_key
from flows.server import ask_server, find_api_url, server_beside

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.runner import Runner
    from prefect.schedules import Schedule

POLL_S = 5.0
# One that works and one that sees it and ends: else ticks would queue up behind a long one.
MAX_TICKS = 2
_ANCHOR = datetime(2020, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class _Served:
    """What this process serves.

    Attributes:
        options: of the library.
        lecture_list: with the lectures; None takes all of the folder.
        timetable: when to look.
        zone: name of the time zone in which ``timetable.cron`` counts.
    """

    options: LibraryOptions
    lecture_list: Path | None
    timetable: Timetable
    zone: str


def serve_library(
    options: LibraryOptions, lecture_list: Path | None, timetable: Timetable, say: Callable[[str], None]
) -> int:
    """Look through a library at its times until Ctrl-C or SIGTERM.

    Args:
        options: of the library.
        lecture_list: CSV or YAML with the lectures; None takes all of the folder.
        timetable: when to look.
        say: tells a person.

    Returns:
        Exit code 0: stopped.

    Raises:
        UsageError: the timetable, or the address of the server, cannot be used.
        EngineUnavailableError: no server answers at ``PREFECT_API_URL``.
    """
    served = _Served(options, lecture_list, timetable, local_zone())
    address = _prepare()
    if timetable.cron is not None:
        check_cron(timetable.cron)
        if (wanted := _wanted_zone()) not in ("", served.zone):
            say(f"TZ={wanted} names no time zone that is known here: --cron counts in {served.zone} time")
    with _a_server(address, say) as ui_url:
        what = ", ".join(options.targets) or str(lecture_list)
        place = options.store.place(options.root)
        say(f"{place} → {what}: new and changed lectures {_when(served)}")
        say(f"Watch at {ui_url} – Ctrl-C ends this; the same command takes the schedule up again.")
        asyncio.run(_run(served))
    say("Schedule stopped.")
    return 0


def check_cron(text: str) -> None:
    """Check a cron line.

    Raises:
        UsageError: it is none.
    """
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        if len(text.split()) != 5:
            raise ValueError
        CronSchedule(cron=text)
    except (ValidationError, ValueError) as error:
        raise UsageError(
            f"--cron {text!r}: must be five fields, minute hour day month weekday, such as '0 2 * * *' for "
            "two at night or '*/30 * * * 1-5'"
        ) from error


def local_zone() -> str:
    """Return the IANA name of this machine's time zone; ``UTC`` where the system does not tell."""
    link = os.path.realpath("/etc/localtime")
    for name in (_wanted_zone(), link.partition("/zoneinfo/")[2]):
        # KeyError: no zone has the name, or the data on zones is not installed.
        with contextlib.suppress(ValueError, OSError, KeyError):
            if name:
                return ZoneInfo(name).key
    return "UTC"


def _wanted_zone() -> str:
    return os.environ.get("TZ", "").lstrip(":")


def _prepare() -> tuple[int, str] | None:
    """Set what Prefect must find before it is imported.

    Returns:
        Port and host for a server of this process; None if one answers already.
    """
    os.environ.update(safe_path_variables())  # runs are Pythons of their own, in the current folder
    answer = ask_server(find_api_url())
    if answer.healthy:
        prepare_client(answer.api_url)
        return None
    port, host = listening_address(None, None)
    here = api_url_of(host, port)
    if answer.is_refused:
        raise EngineUnavailableError(
            f"the Prefect server at {answer.api_url} lets nobody in: {answer.reason}"
        )
    if os.environ.get("PREFECT_API_URL") and answer.api_url != here:
        raise EngineUnavailableError(
            f"no Prefect server at {answer.api_url} ({answer.reason}); start it, or unset PREFECT_API_URL to "
            "have one in this process"
        )
    if ask_server(here).healthy:
        prepare_client(here)
        return None
    prepare_client(here)
    prepare_server(host, port)
    return port, host


@contextlib.contextmanager
def _a_server(address: tuple[int, str] | None, say: Callable[[str], None]) -> Iterator[str]:
    """Give the address of the pages of a server that answers."""
    ui_url = os.environ["PREFECT_API_URL"].removesuffix("/api")
    if address is None:
        _watch_for_crashes(say)
        yield ui_url
        return
    port, host = address
    say(f"Starting the Prefect server on {host}:{port} …")
    with server_beside(host, port, say):
        yield ui_url


def _watch_for_crashes(say: Callable[[str], None]) -> None:
    import httpx
    from prefect.exceptions import PrefectException

    try:
        ensure_automation()
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        say(f"Runs whose process dies will not be marked as crashed: {error}")


def _when(served: _Served) -> str:
    timetable = served.timetable
    if timetable.cron is not None:
        return f'at "{timetable.cron}" in {served.zone} time'
    return f"every {timetable.every}"


async def _run(served: _Served) -> None:
    """Serve until SIGINT or SIGTERM; a run under way is ended, and the next tick goes on with it."""
    from prefect import get_client
    from prefect.runner import Runner

    runner = Runner(
        "f2f-schedule", POLL_S, heartbeat_seconds=BEAT_S, limit=MAX_TICKS, pause_on_shutdown=False
    )
    deployment_id = await _deploy(runner, served)
    async with get_client() as client:
        # Events tell of a crash only later if the server died with the run.
        if served.timetable.now or await _is_unfinished(client, deployment_id):
            await client.create_flow_run_from_deployment(deployment_id)
    serving = asyncio.create_task(runner.start())
    await asyncio.sleep(0)  # until the runner has set its own handler of SIGTERM, which leaves in disorder
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _is_unfinished(client: PrefectClient, deployment_id: UUID) -> bool:
    """Whether the last tick came to no end, or to a bad one by no fault of its own."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    begun = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]),
        start_time=FlowRunFilterStartTime(is_null_=False),
    )
    last = await client.read_flow_runs(flow_run_filter=begun, sort=FlowRunSort.START_TIME_DESC, limit=1)
    return any(run.state is None or not run.state.is_final() or run.state.is_crashed() for run in last)


async def _deploy(runner: Runner, served: _Served) -> UUID:
    from prefect.types.entrypoint import EntrypointType

    from flows.library import translate_library

    options = served.options
    place = options.store.place(options.root.absolute())
    deployment = await translate_library.ato_deployment(
        library_key(options),
        schedule=_schedule(served),
        parameters=LibraryParameters.of(options, served.lecture_list).model_dump(mode="json"),
        description=f"Looks for new and changed lectures in {place} {_when(served)}.",
        tags=["f2f", Path(options.root).resolve().name],
        entrypoint_type=EntrypointType.MODULE_PATH,
        triggers=[look_again_trigger(library_key(options))],
    )
    return await runner.aadd_deployment(deployment)


def _schedule(served: _Served) -> Schedule:
    from prefect.schedules import Cron, Interval

    timetable = served.timetable
    if timetable.cron is not None:
        return Cron(timetable.cron, timezone=served.zone)
    assert timetable.every is not None
    # Counted from a fixed time, or each restart would put the next tick off.
    return Interval(timetable.every, anchor_date=_ANCHOR, timezone="UTC")
