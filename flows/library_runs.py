"""One run in a work pool for each lecture of a library that needs one, and never two for the same work."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.planning import Plan, plan_lecture, utc_now
from flows.library_parameters import LibraryParameters, real_place
from flows.names import run_name, run_tags

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

KEYS_AT_ONCE = 50


class RunPool(Protocol):
    """Where runs are started."""

    def runs(self, keys: list[str]) -> list[FlowRun]:
        """Return the runs that were started under these keys."""

    def start(self, key: str, name: str, parameters: dict[str, Any], tags: list[str]) -> None:
        """Start a run, unless one was started under this key."""

    def has_crashed_since(self, since: datetime) -> bool:
        """Whether any of the runs crashed since then."""


@dataclass(frozen=True)
class PrefectRunPool:
    """Starts runs of a deployment.

    Attributes:
        deployment: as ``flow-name/deployment-name``.
    """

    deployment: str

    def runs(self, keys: list[str]) -> list[FlowRun]:
        """Ask the server."""
        from prefect import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey

        known = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=keys))
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_run_filter=known, limit=len(keys))

    def start(self, key: str, name: str, parameters: dict[str, Any], tags: list[str]) -> None:
        """Start a run and do not wait for it; the server takes a key once only."""
        from prefect.deployments import run_deployment

        run_deployment(
            self.deployment, parameters=parameters, flow_run_name=name, tags=tags, idempotency_key=key,
            as_subflow=False, timeout=0,
        )  # fmt: skip

    def has_crashed_since(self, since: datetime) -> bool:
        """Ask the server."""
        from prefect import get_client
        from prefect.client.schemas.filters import (
            DeploymentFilter,
            DeploymentFilterName,
            FlowRunFilter,
            FlowRunFilterEndTime,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        ours = DeploymentFilter(name=DeploymentFilterName(any_=[self.deployment.partition("/")[2]]))
        crashed = FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
            end_time=FlowRunFilterEndTime.model_validate({"after_": since}),
        )
        with get_client(sync_client=True) as client:
            return bool(client.read_flow_runs(deployment_filter=ours, flow_run_filter=crashed, limit=1))


@dataclass(frozen=True)
class Started:
    """What a look at a library led to.

    Attributes:
        counts: lectures by ``started``, ``under way``, ``given up``, ``waiting``, ``done``, ``refused``.
        reasons: a line for each that a person should see to.
        names: of the lectures with a run that was started now.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def start_runs(
    parameters: LibraryParameters, options: LibraryOptions, pool: RunPool, max_reasons: int = 100
) -> Started:
    """Start a run for each lecture that is new, changed or due for another attempt.

    Args:
        parameters: of the library; each run gets them, too.
        options: the same as the library's own.
        pool: where to start them.
        max_reasons: no more are kept.
    """
    started = Started()
    for one in parameters.lectures(options):
        if isinstance(one, Refused):
            what, reason = "refused", f"{one.name}: {one.reason}"
        else:
            what, reason = _start(one, parameters, options, pool)
        started.counts[what] += 1
        if what == "started":
            started.names.append(one.name)
        if reason and len(started.reasons) < max_reasons:
            started.reasons.append(reason)
    return started


def _start(
    lecture: Lecture, parameters: LibraryParameters, options: LibraryOptions, pool: RunPool
) -> tuple[str, str]:
    plan = plan_lecture(lecture, options, utc_now())
    if not plan.targets:
        todo = set(plan.todo.values())
        if "quarantined" in todo:
            return "given up", _why_given_up(plan)
        return ("waiting" if "waiting" in todo else "done"), ""
    before, key = _runs_of(_work_key(plan, options), pool)
    if any(not run.state or not run.state.is_final() for run in before):
        return "under way", ""
    # A run that ends in order counts its failures itself, in the lecture's status.
    n_crashed = _count_crashes(before, plan)
    if n_crashed >= options.max_attempts:
        return "given up", f"{lecture.name}: its run crashed {n_crashed} times; touch the video to try again"
    pool.start(
        key,
        run_name(lecture.name, plan.targets),
        {"lecture": lecture.name, **parameters.model_dump(mode="json")},
        run_tags(lecture.source, plan.targets, options.root),
    )
    return "started", ""


def _work_key(plan: Plan, options: LibraryOptions) -> str:
    """Return a key that is the same as long as the same is wanted of the same video, however much is made."""
    parts = [
        real_place(options, options.output_dir), plan.lecture.name, plan.size, plan.mtime_ns,
        sorted(plan.settings.items()),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _runs_of(work_key: str, pool: RunPool) -> tuple[list[FlowRun], str]:
    """Return the runs that were started for some work, and a key for another."""
    found: list[FlowRun] = []
    for first in itertools.count(0, KEYS_AT_ONCE):
        more = pool.runs([_key(work_key, number) for number in range(first, first + KEYS_AT_ONCE)])
        found += more
        if not more:  # old ones may have been deleted, so that one free key says nothing
            break
    taken = {run.idempotency_key for run in found}
    return found, next(key for number in itertools.count() if (key := _key(work_key, number)) not in taken)


def _key(work_key: str, number: int) -> str:
    return f"{work_key}-{number}"


def _count_crashes(runs: list[FlowRun], plan: Plan) -> int:
    """Return how many runs crashed since one last brought a language to an end."""
    languages = plan.status.languages.values() if plan.status else ()
    ended = [datetime.fromisoformat(one.finished) for one in languages]
    crashed = [run.state.timestamp for run in runs if run.state and run.state.is_crashed()]
    return sum(not ended or at > max(ended) for at in crashed)


def _why_given_up(plan: Plan) -> str:
    languages = plan.status.languages if plan.status else {}
    errors = [f"{target}: {one.error}" for target, one in languages.items() if one.state == "quarantined"]
    return f"{plan.lecture.name} → {'; '.join(errors)}"
