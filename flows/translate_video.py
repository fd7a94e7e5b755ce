"""The flow ``translate-video``: the stages of ``f2f.pipeline`` as Prefect tasks.

The order of the stages and all work are f2f's; this file adds what Prefect shows: names, tags, retries,
progress, artifacts and an end state that says in one line what happened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Completed, Failed
from pydantic import BaseModel, ConfigDict

from f2f import pipeline
from f2f.config import Config
from f2f.errors import F2FError
from f2f.request import OUTPUT_SUFFIXES, Outputs, Request
from f2f.stage import Observer, SilentObserver
from flows import artifacts
from flows.names import run_name, run_tags
from flows.observer import CompositeObserver, PrefectObserver
from flows.stage_tasks import SERVER_TROUBLE, ServerLostError, StageTasks, one_line
from lipsync_core.errors import LipSyncError

logger = logging.getLogger(__name__)


class RunOptions(BaseModel):
    """What a run may need beside source, languages and configuration; paths as text."""

    model_config = ConfigDict(extra="forbid")

    workdir: str | None = None
    lipsync: bool = True
    force: bool = False


@dataclass
class Session:
    """What a caller in this process shares with the run, beside its JSON parameters.

    Attributes:
        request: the job, as the caller holds it.
        observer: the caller's own, such as the console.
        outputs: set when all languages are done.
        failure: set when the work, not Prefect, failed.
    """

    request: Request
    observer: Observer
    outputs: list[Outputs] | None = None
    failure: BaseException | None = None


_session: ContextVar[Session | None] = ContextVar("f2f_session", default=None)


def parameters_of(request: Request) -> dict[str, Any]:
    """Return the flow's parameters for ``request``: JSON values, every path absolute."""
    return {
        "source": str(request.source.resolve()),
        "targets": list(request.targets),
        "source_language": request.source_language,
        "output_dir": str(request.output_dir.resolve()),
        "config": _absolute_paths(request.config).model_dump(mode="json"),
        "options": RunOptions(
            workdir=None if request.workdir is None else str(request.workdir.resolve()),
            lipsync=request.lipsync,
            force=request.force,
        ).model_dump(),
    }


def _absolute_paths(section: Any) -> Any:
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = value.resolve()
        elif isinstance(value, BaseModel):
            changes[name] = _absolute_paths(value)
    return section.model_copy(update=changes)


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
        options: folder for intermediate results, lip-sync on or off, overwriting.
    """
    session = _session.get()
    if session is None:
        options = options or RunOptions()
        request = Request(
            source=Path(source),
            targets=tuple(targets),
            source_language=source_language,
            output_dir=Path(output_dir) if output_dir else Path(source).parent,
            workdir=Path(options.workdir) if options.workdir else None,
            config=Config.model_validate(config or {}),
            lipsync=options.lipsync,
            force=options.force,
        )
        session = Session(request, SilentObserver())
    return _run_and_tell(session)


def _run_and_tell(session: Session) -> State[Any]:
    """Run the pipeline and return the state to end in; a language that fails takes no other's artifacts."""
    request = session.request
    _optional("tags", lambda: _set_tags(request))
    observer = CompositeObserver([session.observer, PrefectObserver(request.source)])
    tasks = StageTasks(observer)
    try:
        session.outputs = pipeline.translate_video(request, observer, tasks)
    except KeyboardInterrupt:
        return Cancelled(message="Interrupted; the same command resumes")
    except ServerLostError:
        raise
    except Exception as error:
        session.failure = error
        _publish_all(request, tasks.finished_targets)
        if isinstance(error, F2FError | LipSyncError):
            return Failed(message=one_line(error), data=error)
        raise
    _publish_all(request, tasks.finished_targets)
    return Completed(message=", ".join(each.video.name for each in session.outputs), data=session.outputs)


def _set_tags(request: Request) -> None:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    tags = {*context.flow_run.tags, *run_tags(request.source, request.targets)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=sorted(tags))


def _publish_all(request: Request, targets: list[str]) -> None:
    for target in targets:
        files = [request.output_path(target, suffix) for suffix in OUTPUT_SUFFIXES]
        outputs = Outputs(target, files[0], files[1], files[2], files[3])
        _optional("artifacts", partial(artifacts.publish, request.source, outputs))


def _optional(what: str, show: Callable[[], None]) -> None:
    """Show something on the run page; where that fails the translation itself is none the worse."""
    try:
        show()
    except (*SERVER_TROUBLE, LipSyncError, OSError, ValueError) as error:
        logger.warning("%s could not be shown: %s", what, one_line(error))


def run_as_flow(request: Request, observer: Observer) -> list[Outputs]:
    """Run ``request`` as a flow against the server that the environment names, told to ``observer`` too.

    Raises:
        F2FError: exactly as the pipeline raised it.
        KeyboardInterrupt: the run was interrupted; Prefect shows it as cancelled.
        ServerLostError: Prefect's server went away; finished stages are stored.
    """
    session = Session(request, observer)
    token = _session.set(session)
    try:
        # The heartbeat's thread would hold the end of every run for a second.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            translate_video(**parameters_of(request))
    except CancelledRun as error:
        raise KeyboardInterrupt from error
    except SERVER_TROUBLE as error:
        if error is session.failure:
            raise
        if session.outputs is None:
            raise ServerLostError(one_line(error)) from error
        logger.warning("the end of the run could not be reported: %s", one_line(error))
    finally:
        _session.reset(token)
    if session.outputs is None:
        raise ServerLostError("the run ended without a result")
    return session.outputs
