"""Each stage call as one Prefect task: a name, retries for what may pass, no cache.

What is done already is decided by f2f's own store, by content; Prefect's cache would ask for the same
answer by file name only. A stage that found its stored result ends in the state ``Cached``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.states import Completed

from f2f.errors import EngineUnavailableError, UsageError
from f2f.stage import Observer
from f2f.stage_call import R, StageCall
from f2f.workspace import Stored
from flows.names import task_run_name
from lipsync_core.errors import LipSyncError

RETRY_DELAYS_S = (2.0, 10.0)
FINAL = (UsageError, EngineUnavailableError, LipSyncError)
TRANSIENT = (ConnectionError, TimeoutError, InterruptedError, BlockingIOError)
TRANSIENT_ERRNOS = frozenset(
    {errno.EIO, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
    | {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH}
)
SERVER_TROUBLE = (httpx.HTTPError, PrefectException, RuntimeError)
"""What Prefect raises when its server is gone or refuses; the client gives up with a RuntimeError."""
NETWORK_PACKAGES = frozenset({"httpx", "httpcore", "requests", "urllib3"})


class ServerLostError(RuntimeError):
    """Prefect could not start, follow or finish the run; nothing is wrong with the work."""


def is_transient(error: BaseException) -> bool:
    """Return whether trying again later may help: network, a busy disk, a GPU that another process fills.

    Everything else would fail the same way again, after the same long work.
    """
    chain = list(_causes(error))
    return not any(isinstance(each, FINAL) for each in chain) and any(map(_passes, chain))


def is_server_trouble(error: BaseException) -> bool:
    """Return whether an error, or what led to it, is what Prefect raises when its server is gone.

    A ``RuntimeError`` alone, which Prefect raises from one of these, may just as well be PyTorch's.
    """
    return any(isinstance(each, (httpx.HTTPError, PrefectException)) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__


def _passes(error: BaseException) -> bool:
    package, name = type(error).__module__.split(".")[0], type(error).__name__
    if package in NETWORK_PACKAGES and name.endswith(
        ("Timeout", "ConnectionError", "ConnectError", "ReadError")
    ):
        return True
    if package == "torch" and name == "OutOfMemoryError":
        return True
    return isinstance(error, TRANSIENT) or (isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS)


@dataclass
class StageTasks:
    """The pipeline's ``execute`` hook inside a flow run.

    Attributes:
        observer: told when a stage will be tried again.
        retry_delays_s: pauses before the second and later attempts.
        finished_targets: languages whose last stage, the report, is done.
    """

    observer: Observer
    retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S
    finished_targets: list[str] = field(default_factory=list)
    _last: dict[str | None, State[Any]] = field(default_factory=dict)

    def __call__(self, call: StageCall[R], /) -> Stored[R]:
        """Run ``call`` as a task, after the tasks before it.

        Raises:
            ServerLostError: Prefect failed, not the stage.
            Exception: whatever the stage raised, itself.
        """
        before = self._last.get(call.target_language) or self._last.get(None)
        errors: list[Exception] = []
        task = self._task(call, errors)
        try:
            state: State[Any] = task(return_state=True, wait_for=[before] if before else None)
            stored: Stored[R] = state.result()
        except SERVER_TROUBLE as error:
            if error in errors:
                raise
            raise ServerLostError(one_line(error)) from error
        # A name in place of the data: Prefect would walk through all of it in search of states.
        self._last[call.target_language] = state.model_copy(update={"data": call.stage})
        if call.stage == "report" and call.target_language is not None:
            self.finished_targets.append(call.target_language)
        return stored

    def _task(self, call: StageCall[R], errors: list[Exception]) -> Task[[], Any]:
        """Return the task for ``call``; what the stage raises is appended to ``errors``."""
        delays_s = self.retry_delays_s

        def run_stage() -> Any:
            try:
                stored = call()
            except Exception as error:
                if is_transient(error) and len(errors) < len(delays_s):
                    delay_s = delays_s[len(errors)]
                    self.observer.notice(f"{call.stage}: {one_line(error)}; trying again in {delay_s:g} s")
                errors.append(error)
                raise
            return Completed(name="Cached", data=stored) if stored.reused else stored

        return Task(
            run_stage,
            name=call.stage,
            description=call.description,
            task_run_name=task_run_name(call.stage, call.target_language),
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(delays_s),
            retry_delay_seconds=list(delays_s),
            retry_condition_fn=lambda task, run, state: is_transient(errors[-1]),
        )


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, its type's name if it has none."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__
