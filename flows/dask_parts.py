"""The parts of one video's lips as Prefect tasks on the workers of a Dask scheduler: ``--dask``.

A flow ``lipsync-parts`` below the stage's task has a task for each part. What a part needs lies in files that
all workers see; only the folder's name and the part's number travel.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.futures import as_completed
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY
from prefect.states import Completed

from f2f.errors import EngineUnavailableError, F2FError, StageError, WorkersAwayError
from flows.address import DEFAULT_PORT, is_here, is_loopback
from flows.crashes import signs_of_life
from flows.stage_tasks import one_line
from lipsync_core.errors import LipSyncError

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

INSTALL = 'pip install "f2f[dask]"'
CONNECT_S = 10.0
HERE = "local:"
_made: ContextVar[Callable[[int], None]] = ContextVar("f2f_parts_made")


class PartError(Exception):
    """A part failed; holds one line, which is all that has to travel between processes."""


@dataclass(frozen=True)
class DaskParts:
    """Has the parts made by the workers of a Dask scheduler; see `f2f.stage.MapParts`.

    Attributes:
        address: of the scheduler, or ``local:N`` for N processes of this machine.
    """

    address: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether the workers are not of this run, but whoever is at the scheduler's."""
        return not self.address.startswith(HERE)

    def check(self) -> None:
        """See that there is somebody to do the work.

        Raises:
            EngineUnavailableError: a package is missing, or workers could not reach Prefect's server.
            WorkersAwayError: no scheduler answers, or it has no workers.
        """
        missing = [name for name in ("prefect_dask", "distributed") if importlib.util.find_spec(name) is None]
        if missing:
            raise EngineUnavailableError(f"--dask needs the package {missing[0]}; run: {INSTALL}")
        if self.is_elsewhere:
            _check_reach(self.address, _ask_scheduler(self.address))

    def __call__(
        self, folder: Path, numbers: Sequence[int], n_parts: int, made: Callable[[int], None]
    ) -> None:
        """Have parts made, each a task; ``made`` is called as they are done.

        Raises:
            StageError: a part failed.
            WorkersAwayError: no scheduler answers, or it has no workers.
        """
        self.check()
        flow = Flow(
            _lipsync_parts,
            name="lipsync-parts",
            flow_run_name=f"lips in {n_parts} parts",
            task_runner=self._runner(),
            persist_result=False,
        )
        # Prefect sends its context to the workers, but the task of the whole stage holds locks and files.
        context = copy_context()
        context.run(cast(ContextVar[Any], TaskRunContext.__var__).set, None)
        context.run(_made.set, made)
        try:
            context.run(flow, str(folder), [number + 1 for number in numbers], n_parts, self.address)
        except PartError as error:
            raise StageError("lipsync", str(error)) from error
        except _lost_work() as error:
            raise StageError(
                "lipsync", f"the workers of {self.address} were lost again and again: {one_line(error)}"
            ) from error

    def _runner(self) -> TaskRunner[PrefectFuture[Any]]:
        from prefect_dask.task_runners import DaskTaskRunner

        settings: dict[str, Any] = {"address": self.address, "client_kwargs": {"timeout": CONNECT_S}}
        if not self.is_elsewhere:
            n_workers = int(self.address.removeprefix(HERE))
            settings = {
                "cluster_kwargs": {
                    "n_workers": n_workers,
                    "threads_per_worker": 1,
                    "host": "127.0.0.1",
                    "dashboard_address": None,
                    # By default each gets its share of the memory by cores, and is ended where it takes more.
                    "memory_limit": 0,
                    # Nothing may be written over the progress display.
                    "silence_logs": logging.CRITICAL,
                    "env": {"PREFECT_LOGGING_LEVEL": "CRITICAL"},
                }
            }
        return cast("TaskRunner[PrefectFuture[Any]]", DaskTaskRunner(**settings))


def dask_parts(address: str | None) -> DaskParts | None:
    """Return what has parts made at an address, once it was seen to work; None for none.

    Raises:
        EngineUnavailableError: it does not work.
    """
    if address is None:
        return None
    parts = DaskParts(address)
    parts.check()
    return parts


def _lipsync_parts(folder: str, parts: list[int], n_parts: int, scheduler: str) -> Any:
    """Have parts of one video's lips made.

    Args:
        folder: holds the job, and takes what is made of it.
        parts: their numbers, from 1.
        n_parts: parts that there are.
        scheduler: where the workers are asked for.
    """
    beating = PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is not None
    with nullcontext() if beating else signs_of_life():
        futures = {_task(number, n_parts).submit(folder, number - 1): number - 1 for number in parts}
        for future in as_completed(list(futures)):
            future.result()
            _made.get()(futures[future])
    return Completed(message=f"{len(parts)} parts made")


def make_part(folder: str, number: int) -> int:
    """Make one part of the lips, on the worker where this is called.

    Raises:
        PartError: it failed.
    """
    from f2f.lips.worker import make_part_at

    try:
        return make_part_at(folder, number)
    except (F2FError, LipSyncError, OSError, MemoryError) as error:
        raise PartError(f"part {number + 1} on {socket.gethostname()}: {one_line(error)}") from None


def _task(number: int, n_parts: int) -> Task[[str, int], int]:
    return Task(
        make_part,
        name="lipsync-part",
        task_run_name=f"lipsync part {number} of {n_parts}",
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _check_reach(address: str, workers: Iterable[str]) -> None:
    """See that workers at these addresses reach the Prefect server of this run, which they are told of.

    Raises:
        EngineUnavailableError: it answers on this machine only, and a worker is on another one.
    """
    api_url = PREFECT_API_URL.value() or ""
    if not is_loopback(urlsplit(api_url).hostname or ""):
        return
    elsewhere = [one for one in workers if not is_here(urlsplit(one).hostname or "")]
    if elsewhere:
        raise EngineUnavailableError(
            f"the worker {elsewhere[0]} of {address} cannot reach the Prefect server at {api_url}, as only "
            "this machine can: start it with f2f ui --host ADDRESS, and export PREFECT_API_URL="
            f"http://ADDRESS:{urlsplit(api_url).port or DEFAULT_PORT}/api here; ADDRESS is this machine's in "
            "your network"
        )


def _ask_scheduler(address: str) -> list[str]:
    """Return the addresses of a scheduler's workers.

    Raises:
        WorkersAwayError: not so.
    """
    from distributed import Client

    try:
        with cast(Any, Client)(address, timeout=CONNECT_S, set_as_default=False) as client:
            workers = client.scheduler_info(n_workers=-1)["workers"]
    except (OSError, ValueError, ImportError, TypeError) as error:  # TypeError: tls:// without its settings
        raise WorkersAwayError(
            f"no Dask scheduler answers at {address} ({one_line(error)}): start one with dask scheduler "
            f"--host {urlsplit(address).hostname}"
        ) from error
    if not workers:
        raise WorkersAwayError(
            f"the Dask scheduler at {address} has no workers: start some with dask worker {address} "
            "--nthreads 1 --memory-limit 0"
        )
    return list(workers)


def _lost_work() -> tuple[type[Exception], ...]:
    from distributed import CancelledError, KilledWorker

    return (KilledWorker, CancelledError)
