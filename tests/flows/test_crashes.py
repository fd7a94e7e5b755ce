import time
from types import SimpleNamespace
from typing import Any

import pytest

from flows import crashes

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    import prefect.events
    from prefect.runtime import flow_run

    seen: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(prefect.events, "emit_event", lambda event, resource: seen.append((event, resource)))
    monkeypatch.setattr(flow_run, "id", "1234", raising=False)
    monkeypatch.setattr(flow_run, "name", "lecture → hi", raising=False)
    return seen


def test_a_run_gives_signs_of_life_as_the_automation_expects_them(beats: list[Any]) -> None:
    with crashes.signs_of_life(every_s=0.01):
        give_up_s = time.monotonic() + 20
        while len(beats) < 3 and time.monotonic() < give_up_s:
            time.sleep(0.01)
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count >= 3  # and none after the end
    resource = {"prefect.resource.id": "prefect.flow-run.1234", "prefect.resource.name": "lecture → hi"}
    assert set(map(str, beats)) == {str((crashes.BEAT, resource))}


def test_a_run_that_cannot_be_watched_goes_on(beats: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(event: str, resource: dict[str, str]) -> None:
        beats.append(event)
        raise RuntimeError("no server")

    monkeypatch.setattr("prefect.events.emit_event", refuse)
    began_s = time.monotonic()
    with crashes.signs_of_life():
        pass
    assert beats == [crashes.BEAT]
    # Prefect's own heartbeat looks only every second whether its run has ended.
    assert time.monotonic() - began_s < crashes.BEAT_S


def test_silence_is_longer_than_two_missed_signs() -> None:
    assert 2 * crashes.BEAT_S < crashes.SILENCE_S


def test_a_crash_of_one_library_does_not_stir_another() -> None:
    from prefect.events import Resource

    trigger = crashes.look_again_trigger("physics-1f0c2a")
    assert trigger.expect == {"prefect.flow-run.Crashed"}
    for name, stirred in (("physics-1f0c2a", True), ("history-99aa00", False)):
        resource = Resource.model_validate(
            {
                "prefect.resource.id": "prefect.deployment.1",
                "prefect.resource.role": "deployment",
                "prefect.resource.name": name,
            }
        )
        assert trigger.match_related.matches(resource) is stirred


def related(name: str, role: str = "flow") -> Any:
    from prefect.events import Resource

    resource = {"prefect.resource.id": f"prefect.{role}.1", "prefect.resource.role": role}
    return Resource.model_validate(resource | {"prefect.resource.name": name})


def test_a_run_of_ours_is_watched_from_when_a_worker_takes_it_and_those_of_others_are_not() -> None:
    trigger: Any = crashes.automation().trigger
    # What the server tells of a run whose worker died before the run began.
    assert {"prefect.flow-run.Pending", "prefect.flow-run.Submitting"} <= trigger.after
    # A sign begins the time anew only if it is in both; an end must not begin it.
    assert trigger.after < trigger.expect
    assert trigger.expect - trigger.after == set(crashes.ENDS)
    assert all(trigger.match_related.matches(related(name)) for name in crashes.FLOWS)
    assert not trigger.match_related.matches(related("nightly-backup"))


def test_the_flows_are_called_what_the_automation_watches() -> None:
    from flows.library import translate_lecture, translate_library
    from flows.translate_video import translate_video

    ours = {each.name for each in (translate_video, translate_lecture, translate_library)}
    assert ours <= set(crashes.FLOWS)


def test_what_was_under_way_when_the_server_died_is_watched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import prefect
    import prefect.events

    seen: list[tuple[str, dict[str, str], Any]] = []

    class Client:
        def __enter__(self) -> "Client":
            return self

        def __exit__(self, *error: object) -> None:
            """Nothing to close."""

        def read_flow_runs(self, flow_filter: Any, flow_run_filter: Any) -> list[Any]:
            assert {state.value for state in flow_run_filter.state.type.any_} == {"PENDING", "RUNNING"}
            [name] = flow_filter.name.any_
            return [SimpleNamespace(id="1234", name="a → hi", flow_id="5")] if "lecture" in name else []

    monkeypatch.setattr(prefect, "get_client", lambda sync_client: Client())
    monkeypatch.setattr(
        prefect.events, "emit_event", lambda event, resource, related: seen.append((event, resource, related))
    )
    assert crashes.watch_unfinished() == 1
    [(event, resource, [flow])] = seen
    trigger: Any = crashes.automation().trigger
    assert event in trigger.after and resource["prefect.resource.id"] == "prefect.flow-run.1234"
    assert trigger.match_related.matches(prefect.events.Resource.model_validate(flow))
