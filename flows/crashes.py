"""Runs whose process died are marked as crashed by the server itself, nobody has to look.

Every flow run gives a sign of life each 30 s; an automation of the server marks those that fall silent, and
another has the library looked through again. That takes up what crashed, because its lease has run out and
its status does not say that it is done. A run is watched from when a worker takes it: if the worker dies
before the run begins, nothing else would ever end it, and a tick that waits so would keep all others away.
"""

from __future__ import annotations

import contextvars
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from f2f.session import RESUME
from f2f.watchdog import last_act

if TYPE_CHECKING:
    from prefect.events import DeploymentEventTrigger
    from prefect.events.schemas.automations import AutomationCore

logger = logging.getLogger(__name__)
BEAT_S = 30
SILENCE_S = 90
AGAIN_AFTER_S = 30
AUTOMATION_NAME = "f2f: mark runs without a sign of life as crashed"
MESSAGE = (
    f"No sign of life for {SILENCE_S} s: process or machine is gone. Finished stages are kept; the next tick "
    "of its library goes on, or the same command"
)
VERSION = 2
"""Of the automation; to be raised with whatever it watches or does, or servers would keep the old one."""
_DESCRIPTION = re.compile(rf"{re.escape(AUTOMATION_NAME)}, after \d+ s(?: \(version (\d+)\))?")
FLOWS = ("translate-video", "translate-lecture", "translate-library", "lipsync-parts")
BEAT = "prefect.flow-run.heartbeat"
WATCHED = "f2f.flow-run.watched"
"""Of a run that was under way when the server started, which may have died together with the server."""
# Names, not types, of states: flows of ours must take no state of another name.
SIGNS = (
    BEAT,
    WATCHED,
    *(f"prefect.flow-run.{name}" for name in ("Pending", "Submitting", "InfrastructurePending", "Running")),
)
ENDS = tuple(
    f"prefect.flow-run.{name}"
    for name in (
        *("Completed", "Failed", "Cancelled", "Crashed"),
        *("Scheduled", "AwaitingRetry", "AwaitingConcurrencySlot"),
    )
)


def ensure_automation() -> bool:
    """Have the server that the environment names mark silent runs.

    One that an earlier version of f2f made is renewed, but stays switched off where a person did that; one
    that is described in other words is a person's own, and stays as it is.

    Returns:
        Whether the automation was made or renewed now.

    Raises:
        RuntimeError, httpx.HTTPError, PrefectException: the server does not answer or refuses.
    """
    from prefect import get_client
    from prefect.events.schemas.automations import AutomationCore

    with get_client(sync_client=True) as client:
        known = client.read_automations_by_name(AUTOMATION_NAME)
        if not known:
            client.create_automation(automation())
        old = [one for one in known if _version(one.description) < VERSION]
        for one in old:
            # The client sends only what was set here, and the server takes no owner anew.
            new = automation().model_dump(mode="json", exclude={"owner_resource"})
            new |= {"enabled": one.enabled, "tags": one.tags}
            client.update_automation(one.id, AutomationCore.model_validate(new))
    return bool(old) or not known


def _version(description: str) -> int:
    """Return the version of an automation by its description, `VERSION` where a person wrote that."""
    ours = _DESCRIPTION.fullmatch(description)
    return int(ours[1] or 1) if ours else VERSION


def automation() -> AutomationCore:
    """Return what marks a run of ours as crashed when it has given no sign of life for 90 s."""
    from datetime import timedelta

    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    runs = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
    return AutomationCore(
        name=AUTOMATION_NAME,
        description=f"{AUTOMATION_NAME}, after {SILENCE_S} s (version {VERSION})",
        trigger=EventTrigger(
            match=runs,
            # Flows of others may give signs more seldom, or none.
            match_related=ResourceSpecification(
                {"prefect.resource.role": "flow", "prefect.resource.name": list(FLOWS)}
            ),
            after=set(SIGNS),
            expect={*SIGNS, *ENDS},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENCE_S),
        ),
        # Not by force: a run that ended in the meantime keeps its end.
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=MESSAGE, force=False)],
    )


def watch_unfinished() -> int:
    """Have the automation watch the runs that are under way as the server knows them; return how many.

    Call it when the server has started: what runs told it last may have been lost with its memory.

    Raises:
        RuntimeError, httpx.HTTPError, PrefectException: the server does not answer or refuses.
    """
    from prefect import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.events import emit_event

    under_way = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
    )
    n_runs = 0
    with get_client(sync_client=True) as client:
        for flow in FLOWS:
            ours = FlowFilter(name=FlowFilterName(any_=[flow]))
            for run in client.read_flow_runs(flow_filter=ours, flow_run_filter=under_way):
                resource = {
                    "prefect.resource.id": f"prefect.flow-run.{run.id}",
                    "prefect.resource.name": run.name,
                }
                emit_event(WATCHED, resource=resource, related=[_flow_resource(str(run.flow_id), flow)])
                n_runs += 1
    return n_runs


def _flow_resource(flow_id: str, name: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"prefect.flow.{flow_id}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": name,
    }


def look_again_trigger(deployment: str) -> DeploymentEventTrigger:
    """Return what has a deployment of ``translate-library`` run once more when a run of it crashed.

    Args:
        deployment: its name.
    """
    from datetime import timedelta

    from prefect.events import DeploymentEventTrigger
    from prefect.events.schemas.events import ResourceSpecification

    return DeploymentEventTrigger(
        name=f"f2f: look through {deployment} again after a crash",
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification(
            {"prefect.resource.role": "deployment", "prefect.resource.name": deployment}
        ),
        expect={"prefect.flow-run.Crashed"},
        # A machine that cannot do the work must not be busy with crashing all the time.
        schedule_after=timedelta(seconds=AGAIN_AFTER_S),
    )


@contextmanager
def signs_of_life(every_s: float = BEAT_S) -> Iterator[None]:
    """Tell the server every 30 s that the current flow run lives.

    For runs in which Prefect's own heartbeat is off: that one holds the end of every run for a second.
    """
    from prefect.runtime import flow_run

    resource = {
        "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
        "prefect.resource.name": flow_run.name or "",
    }
    stop = threading.Event()
    # With this context, or the thread would not know which server the run belongs to.
    context = contextvars.copy_context()
    beat = threading.Thread(
        target=context.run, args=(_beat, resource, stop, every_s), name="signs-of-life", daemon=True
    )
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()


@contextmanager
def told_when_it_hangs() -> Iterator[None]:
    """Have the current flow run end with the reason when a stage hangs and takes this process with it."""
    from prefect.runtime import flow_run

    # With this context, or the watchdog's thread would not know which server the run belongs to.
    context, run_id = contextvars.copy_context(), UUID(flow_run.id)
    with last_act(lambda reason: context.run(_fail, run_id, reason)):
        yield


def _fail(run_id: UUID, reason: str) -> None:
    from prefect import get_client
    from prefect.states import Failed

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Failed(message=f"{reason}; {RESUME}"), force=True)


def _beat(resource: dict[str, str], stop: threading.Event, every_s: float) -> None:
    from prefect.events import emit_event

    while True:
        try:
            emit_event(BEAT, resource=resource)
        except Exception as error:  # noqa: BLE001 - no run ends because it cannot be watched
            logger.debug("no sign of life could be given: %s", error)
        if stop.wait(every_s):
            return
