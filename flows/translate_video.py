"""The flow ``translate-video``: the stages of ``f2f.pipeline`` as Prefect tasks.

The order of the stages and all work are f2f's; this file adds what Prefect shows: names, tags, retries,
progress, artifacts and an end state that says in one line what happened.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect import flow, get_client
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.urls import url_for

from f2f import pipeline
from f2f.console import Observers
from f2f.errors import F2FError
from f2f.outputs import placed_outputs
from f2f.request import Outcome, Request
from f2f.stage import Observer, SilentObserver
from flows.crashes import signs_of_life, told_when_it_hangs
from flows.dask_parts import dask_parts
from flows.endings import failure_line
from flows.environment import LOGGERS
from flows.names import run_name, run_tags
from flows.observer import PrefectObserver
from flows.parameters import RunOptions, parameters_of, request_of
from flows.publishing import publish
from flows.server import ask_server
from flows.shown import shown_if_possible
from flows.stage_tasks import SERVER_TROUBLE, ServerLostError, StageTasks, is_server_trouble, one_line
from lipsync_core.errors import LipSyncError

logger = logging.getLogger(__name__)


@dataclass
class Handover:
    """What a caller in this process shares with the run, beside its JSON parameters.

    Attributes:
        request: the job as the caller holds it; None takes it from the parameters.
        observer: the caller's own, such as the console.
        outputs: set when all languages are done.
        failure: set when the work, not Prefect, failed.
    """

    request: Request | None = None
    observer: Observer = field(default_factory=SilentObserver)
    outputs: list[Outcome] | None = None
    failure: BaseException | None = None


_handover: ContextVar[Handover | None] = ContextVar("f2f_handover", default=None)


def _flow_run_name() -> str:
    parameters = flow_run.parameters
    return run_name(parameters["source"], parameters["targets"])


@flow(name="translate-video", flow_run_name=_flow_run_name, persist_result=False)
def translate_video(
    source: str,
    targets: list[str],
    source_language: str | None = None,
    output_dir: str | None = None,
    config: dict[str, Any] | None = None,
    options: RunOptions | None = None,
) -> Any:
    """Translate a talking-face video into other languages.

    Args:
        source: path of the input video, on the machine that runs the flow.
        targets: language codes to make, such as `hi`.
        source_language: code of the spoken language; empty lets the engine say.
        output_dir: folder for the outputs; empty takes the folder of the source.
        config: keys of `configs/default.yaml` that differ from the defaults.
        options: folder for intermediate results, lip-sync on or off, overwriting, stage to stop after.
    """
    handover = _handover.get() or Handover()
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        if handover.request is None:
            handover.request = request_of(source, targets, source_language, output_dir, config, options)
        beating = PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is not None
        with nullcontext() if beating else signs_of_life(), told_when_it_hangs():
            handover.outputs = _run(handover.request, handover.observer)
    except KeyboardInterrupt:
        return Cancelled(message="Interrupted; the same command resumes")
    except (F2FError, LipSyncError) as error:
        handover.failure = error
        return Failed(message=failure_line(error), data=error)
    except ServerLostError:
        raise
    except Exception as error:
        handover.failure = error
        logger.exception("the run failed")
        return Failed(message=failure_line(error), data=error)
    return Completed(message=", ".join(each.summary for each in handover.outputs), data=handover.outputs)


def _run(request: Request, observer: Observer) -> list[Outcome]:
    """Run the pipeline, each stage a task; artifacts of finished languages stay even if another one fails."""
    shown_if_possible("tags", partial(_set_tags, request))
    if url := url_for("flow-run", flow_run.id):
        observer.notice(f"this run shows at {url}")
    observer = Observers([observer, PrefectObserver(request.source)])
    map_parts = dask_parts(request.config.lipsync.workers)
    tasks = StageTasks(observer)
    try:
        return pipeline.translate_video(request, observer, tasks, map_parts)
    finally:
        # Asked first: each artifact would wait for a server that went away.
        reachable = ask_server(PREFECT_API_URL.value() or "").healthy
        for target in tasks.finished_targets if reachable else ():
            outputs = placed_outputs(request, target)
            shown_if_possible("artifacts", partial(publish, request.source, outputs))


def _set_tags(request: Request) -> None:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    tags = {*context.flow_run.tags, *run_tags(request.source, request.targets, request.library)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=sorted(tags))


def run_as_flow(request: Request, observer: Observer) -> list[Outcome]:
    """Run ``request`` as a flow against the server that the environment names, told to ``observer`` too.

    Raises:
        F2FError: exactly as the pipeline raised it.
        KeyboardInterrupt: the run was interrupted; Prefect shows it as cancelled.
        ServerLostError: Prefect's server went away; finished stages are stored.
    """
    handover = Handover(request, observer)
    token = _handover.set(handover)
    try:
        # The heartbeat's thread would hold the end of every run for a second; signs_of_life stands in.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            translate_video(**parameters_of(request))
    except CancelledRun as error:
        raise KeyboardInterrupt from error
    except SERVER_TROUBLE as error:
        if error is handover.failure:
            raise
        # The work failed first, and would fail again without a server, perhaps after hours.
        if isinstance(handover.failure, (F2FError, LipSyncError)) and not is_server_trouble(handover.failure):
            raise handover.failure from handover.failure.__cause__
        if handover.outputs is None:
            raise ServerLostError(one_line(error)) from error
        observer.notice("the Prefect server went away; the run is done, but shows there as unfinished")
    finally:
        _handover.reset(token)
    if handover.outputs is None:
        raise ServerLostError("the run ended without a result")
    return handover.outputs
