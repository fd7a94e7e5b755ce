import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.crashes import AGAIN_AFTER_S, BEAT_S

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
CONTENT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS: dict[str, dict[str, Any]] = {one["name"]: one for one in CONTENT["deployments"]}

every_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)


def flow_of(deployment: dict[str, Any]) -> Any:
    path, _, name = deployment["entrypoint"].partition(":")
    assert (ROOT / path).is_file()
    return getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)


def test_there_is_a_deployment_for_a_video_a_lecture_and_a_library() -> None:
    assert CONTENT["name"] == "f2f"
    assert list(DEPLOYMENTS) == ["translate-video", "translate-lecture", "translate-library"]


def test_the_example_of_another_library_differs_by_name_and_parameters_only() -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    first, _, rest = text.partition("  # - <<: *library")
    content = yaml.safe_load(first + "  - <<: *library" + rest.replace("\n  # ", "\n  "))
    *_, library, other = content["deployments"]
    assert {name for name in library if library[name] != other[name]} == {"name", "parameters"}
    assert set(other) == set(library) and set(other["parameters"]) == set(library["parameters"])


@every_deployment
def test_the_entrypoint_is_the_flow_and_takes_the_parameters(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    assert flow.name == deployment["name"]
    given = deployment.get("parameters", {})
    assert set(given) <= set(inspect.signature(flow.fn).parameters)
    # What Prefect itself asks of the parameters of a run; what is missing is said when the run is started.
    missing = {"source": "/data/a.mp4", "lecture": "a.mp4", "library": "/data", "targets": ["hi"]}
    wanted = {name: value for name, value in missing.items() if name in flow.parameters.required}
    flow.validate_parameters({**wanted, **given})


@every_deployment
def test_workers_send_nothing_out_and_give_signs_of_life(deployment: dict[str, Any]) -> None:
    environment = deployment["work_pool"]["job_variables"]["env"]
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(BEAT_S)
    assert all(isinstance(value, str) for value in environment.values())


def test_the_library_is_looked_through_on_a_schedule_and_by_one_tick_at_a_time() -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.client.schemas.schedules import CronSchedule

    library = DEPLOYMENTS["translate-library"]
    assert [CronSchedule(**schedule).cron for schedule in library["schedules"]] == ["0 2 * * *"]
    limit = ConcurrencyLimitConfig(**library["concurrency_limit"])
    assert (limit.limit, limit.collision_strategy) == (1, "CANCEL_NEW")


def test_a_crash_leads_to_another_look() -> None:
    from prefect.events import DeploymentEventTrigger, Resource

    [trigger] = [DeploymentEventTrigger(**one) for one in DEPLOYMENTS["translate-library"]["triggers"]]
    assert trigger.expect == {"prefect.flow-run.Crashed"}
    crashed = {
        flow: trigger.match_related.matches(
            Resource.model_validate(
                {"prefect.resource.id": "prefect.flow.1", "prefect.resource.role": "flow"}
                | {"prefect.resource.name": flow}
            )
        )
        for flow in DEPLOYMENTS
    }
    # The process of a single video is watched over by whoever started it.
    assert crashed == {"translate-video": False, "translate-lecture": True, "translate-library": True}
    assert trigger.schedule_after.total_seconds() == AGAIN_AFTER_S


def test_the_tick_starts_runs_of_a_deployment_that_is_there_in_another_pool() -> None:
    library, lecture = DEPLOYMENTS["translate-library"], DEPLOYMENTS["translate-lecture"]
    assert library["parameters"]["deployment"] == f"{flow_of(lecture).name}/{lecture['name']}"
    # In the same pool the tick would wait behind the lectures that the tick before it started.
    assert library["work_pool"]["name"] != lecture["work_pool"]["name"]
