"""The flows ``translate-library``, a look for new and changed lectures, and ``translate-lecture``, for one.

What is to be done, who may do it and what became of it is all f2f's: ``f2f.library`` plans, leases, runs
each lecture in a process of its own, whose stages show as a run ``translate-video``, and keeps its status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, get_client
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment as this_deployment
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from f2f.disk_errors import disk_words
from f2f.errors import F2FError
from f2f.library.batch import run_batch
from f2f.library.index_page import INDEX_NAME, IndexKeeper
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.pages import refresh_pages, write_pages
from f2f.library.planning import utc_now
from f2f.library.processing import BatchRun, process_lecture
from f2f.library.summary import Row, Summary
from f2f.stage import Observer, SilentObserver
from flows.crashes import AGAIN_AFTER_S
from flows.environment import LOGGERS
from flows.library_parameters import LibraryParameters, LibraryRunOptions, library_key
from flows.library_runs import PrefectRunPool, RunPool, start_runs
from flows.names import artifact_key, run_name
from flows.shown import shown_if_possible
from flows.stage_tasks import SERVER_TROUBLE, one_line

logger = logging.getLogger(__name__)
TICK_FOLDER = "tick"
MAX_ROWS = 500
ENDS = ("made", "failed", "quarantined")
"""What a run can have brought about."""


def _tick_name() -> str:
    parameters = flow_run.parameters
    return f"{Path(parameters['library']).name} → {', '.join(parameters['targets'])}"


def _lecture_name() -> str:
    parameters = flow_run.parameters
    return run_name(parameters["lecture"], parameters["targets"])


@flow(name="translate-library", flow_run_name=_tick_name, persist_result=False)
def translate_library(  # noqa: PLR0913 - one parameter per field of the form
    library: str,
    targets: list[str],
    output_dir: str | None = None,
    source_language: str | None = None,
    config: dict[str, Any] | None = None,
    options: LibraryRunOptions | None = None,
    lecture_list: str | None = None,
    deployment: str | None = None,
) -> Any:
    """Look for lectures that are new, changed or due for another attempt, and translate each.

    Args:
        library: folder of the lectures, on the machine that runs the flow, or URL.
        targets: language codes to make, such as `hi`.
        output_dir: folder or URL for the outputs, which mirrors the library; empty: beside the lectures.
        source_language: code of the spoken language; empty finds it out for each lecture.
        config: keys of `configs/default.yaml` that differ from the defaults.
        options: patterns, lip-sync on or off, attempts, pause after a failure, and whether to try again what
            was given up.
        lecture_list: CSV or YAML with the lectures and what each wants; empty takes all of the folder.
        deployment: starts a run of this deployment, such as `translate-lecture/translate-lecture`, for each
            lecture; empty translates one lecture after another here.
    """
    _show_logs()
    parameters = LibraryParameters(
        library=library, targets=targets, output_dir=output_dir, source_language=source_language,
        config=config, options=options, lecture_list=lecture_list,
    )  # fmt: skip
    wanted = None
    try:
        wanted = parameters.as_options()
        lease = wanted.store.take_lease(wanted.folder / TICK_FOLDER)
        if lease is None:
            holder = wanted.store.read_holder(wanted.folder / TICK_FOLDER)
            where = f" on {holder.host}" if holder else ""
            return Completed(message=f"an earlier tick is still at work{where}")
        with lease:
            shown_if_possible("ended ticks", _cancel_missed_ticks)
            return _tick(parameters, wanted, deployment)
    except KeyboardInterrupt:
        return Cancelled(message="Interrupted; the next tick goes on")
    except (F2FError, OSError) as error:
        return _failed(error, wanted)


@flow(name="translate-lecture", flow_run_name=_lecture_name, persist_result=False)
def translate_lecture(  # noqa: PLR0913 - one parameter per field of the form
    lecture: str,
    library: str,
    targets: list[str],
    output_dir: str | None = None,
    source_language: str | None = None,
    config: dict[str, Any] | None = None,
    options: LibraryRunOptions | None = None,
    lecture_list: str | None = None,
) -> Any:
    """Translate one lecture of a library, unless somebody else does; `translate-library` starts these.

    Args:
        lecture: its path relative to the library, with `/`.
        library: folder of the lectures, on the machine that runs the flow, or URL.
        targets: language codes to make, such as `hi`; those that are done are left alone.
        output_dir: folder or URL for the outputs, which mirrors the library; empty: beside the lectures.
        source_language: code of the spoken language; empty finds it out.
        config: keys of `configs/default.yaml` that differ from the defaults.
        options: as of `translate-library`.
        lecture_list: CSV or YAML that says what the lecture wants.
    """
    _show_logs()
    parameters = LibraryParameters(
        library=library, targets=targets, output_dir=output_dir, source_language=source_language,
        config=config, options=options, lecture_list=lecture_list,
    )  # fmt: skip
    wanted = None
    try:
        wanted = parameters.as_options()
        found = parameters.lecture(lecture, wanted)
        listener = FlowListener(parameters, wanted)
        rows, _ = process_lecture(found, BatchRun(wanted, listener))
        if any(row.state in ENDS for row in rows):
            listener.refresh_pages()
    except KeyboardInterrupt:
        return Cancelled(message="Interrupted; the next tick goes on")
    except (F2FError, OSError) as error:
        return _failed(error, wanted)
    summary = Summary()
    for row in rows:
        summary.add(row)
    return _end_state(summary)


def _tick(parameters: LibraryParameters, options: LibraryOptions, deployment: str | None) -> State[Any]:
    listener = FlowListener(parameters, options)
    if deployment is not None:
        return _start_all(parameters, options, PrefectRunPool(deployment), listener)
    options.store.look()
    summary, is_through = Summary(), False
    try:
        run_batch(BatchRun(options, listener), parameters.lectures(options), summary)
        is_through = True
    finally:
        listener.write_pages(is_last=is_through)
        shown_if_possible("lectures", partial(_publish, options, summary))
    return _end_state(summary)


def _start_all(
    parameters: LibraryParameters, options: LibraryOptions, pool: RunPool, listener: FlowListener
) -> State[Any]:
    """Start a run for each lecture that needs one; look again if any crashed under the look's eyes.

    The look that a crash calls for is cancelled as long as this one is at work.
    """
    names: set[str] = set()
    while True:
        began = utc_now()
        try:
            options.store.look()
            started = start_runs(parameters, options, pool)
            listener.write_pages(is_last=True)
            is_through = not pool.has_crashed_since(began)
        except ObjectNotFound as error:
            remedy = "prefect deploy --all makes the deployments"
            return Failed(message=f"{one_line(error)}; {remedy}", data=error)
        except SERVER_TROUBLE as error:
            logger.debug("the look ended early", exc_info=True)
            return Failed(message=f"Prefect's server: {one_line(error)}; the next tick goes on", data=error)
        names.update(started.names)
        if is_through:
            break
        time.sleep(AGAIN_AFTER_S)  # a machine that cannot do the work must not be busy with crashing
    for reason in started.reasons:
        logger.warning("%s", reason)
    started.counts["under way"] -= len(names) - started.counts["started"]
    started.counts["started"] = len(names)
    counts = (f"{count} {what}" for what, count in sorted(started.counts.items()) if count > 0)
    return Completed(message=", ".join(counts) or "no lecture found")


class FlowListener:
    """Logs with the run what a batch does, and keeps the library's own pages up to date.

    Args:
        parameters: of the library.
        options: the same as the library's own.
    """

    def __init__(self, parameters: LibraryParameters, options: LibraryOptions) -> None:
        self._parameters, self._options = parameters, options
        self._keeper = IndexKeeper(self.write_pages)

    @contextmanager
    def working(self, lecture: Lecture, targets: tuple[str, ...]) -> Iterator[Observer]:
        """Log that work begins; the stages show in the run of the lecture's own process."""
        logger.info("%s → %s", lecture.name, ", ".join(targets))
        yield SilentObserver()

    def row(self, row: Row) -> None:
        """Log what became of a language."""
        if row.state != "unchanged":
            log = logger.warning if row.reason else logger.info
            log("%s → %s: %s%s", row.lecture, row.target, row.state, f": {row.reason}" if row.reason else "")
        if row.state in ENDS:
            self._keeper.refresh()

    def note(self, text: str) -> None:
        """Log what a person must know."""
        logger.warning("%s", text)

    def write_pages(self, *, is_last: bool = False) -> None:
        """Write index, trends and figures of the library; nothing ends because they cannot be."""
        self._write(partial(write_pages, is_last=is_last))

    def refresh_pages(self) -> None:
        """Write them after one lecture, see ``f2f.library.pages``; nothing ends because they cannot be."""
        self._write(refresh_pages)

    def _write(self, write: Callable[[LibraryOptions, Iterable[Lecture | Refused] | None], object]) -> None:
        try:
            listed = self._parameters.lecture_list is not None
            write(self._options, self._parameters.lectures(self._options) if listed else None)
        except (F2FError, OSError) as error:
            words = disk_words(error, self._options.output_dir) or one_line(error)
            logger.warning("the library's pages cannot be written: %s", self._options.store.words(words))


def _failed(error: Exception, options: LibraryOptions | None) -> State[Any]:
    """Return how a run ends that could not do its work, with URLs where the library has them."""
    words = disk_words(error) or one_line(error)
    return Failed(message=options.store.words(words) if options else words, data=error)


def _end_state(summary: Summary) -> State[Any]:
    """Return how a run ends: failed only by what failed now, not by what was given up long ago."""
    failed = [row for row in summary.rows.values() if row.state == "failed" or (row.reason and row.seconds)]
    counts = ", ".join(f"{count} {state}" for state, count in summary.counts.items()) or "no lecture found"
    if not failed:
        return Completed(message=counts)
    one = failed[0]
    then = "tried again at a later tick" if one.state == "failed" else "given up until it changes"
    return Failed(message=f"{counts}; {one.lecture} → {one.target}: {one.reason} ({then})")


def _publish(options: LibraryOptions, summary: Summary) -> None:
    rows = sorted(summary.rows.values(), key=lambda row: (row.lecture, row.target))[:MAX_ROWS]
    table = [
        {"lecture": row.lecture, "language": row.target, "state": row.state, "seconds": f"{row.seconds:.1f}",
         "reason": row.reason}
        for row in rows
    ]  # fmt: skip
    if table:
        description = (
            f"{summary.n_unchanged} unchanged; index: {options.store.place(options.output_dir / INDEX_NAME)}"
        )
        key = artifact_key(library_key(options), None, "lectures")
        create_table_artifact(table, key=key, description=description)


def _cancel_missed_ticks() -> None:
    """Cancel the ticks that were due before now: this one does the work of all."""
    if this_deployment.id is None:
        return
    missed = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[this_deployment.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime.model_validate({"before_": utc_now()}),
    )
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=missed):
            state: State[Any] = Cancelled(message="missed; a later tick did its work")
            client.set_flow_run_state(run.id, state)


def _show_logs() -> None:
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
