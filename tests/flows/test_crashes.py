import hashlib
import time
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

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


@pytest.fixture
def automations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The automations of a server, which takes what its own kind takes."""
    import prefect
    from prefect.events.schemas.automations import Automation
    from prefect.server.events.schemas.automations import AutomationCreate, AutomationUpdate

    kept: list[Automation] = []

    class Client:
        def __enter__(self) -> "Client":
            return self

        def __exit__(self, *error: object) -> None:
            """Nothing to close."""

        def read_automations_by_name(self, name: str) -> list[Automation]:
            return [one for one in kept if one.name == name]

        def create_automation(self, new: Any) -> None:
            sent = AutomationCreate.model_validate(new.model_dump(mode="json"))
            kept.append(Automation.model_validate({"id": uuid4(), **sent.model_dump(mode="json")}))

        def update_automation(self, automation_id: Any, new: Any) -> None:
            [place] = [place for place, one in enumerate(kept) if one.id == automation_id]
            sent = AutomationUpdate.model_validate(new.model_dump(mode="json", exclude_unset=True))
            kept[place] = Automation.model_validate({"id": automation_id, **sent.model_dump(mode="json")})

    monkeypatch.setattr(prefect, "get_client", lambda sync_client: Client())
    return kept


def made_earlier(automations: list[Any], **changes: Any) -> Any:
    """Leave the automation as the first version made it, which watched fewer flows and states."""
    crashes.ensure_automation()
    [now] = automations
    trigger = now.trigger.model_copy(update={"after": {crashes.BEAT}, "expect": {crashes.BEAT}})
    words = f"{crashes.AUTOMATION_NAME}, after 90 s"
    automations[:] = [now.model_copy(update={"description": words, "trigger": trigger, **changes})]
    return automations[0]


def test_an_automation_is_made_once(automations: list[Any]) -> None:
    assert crashes.ensure_automation() is True
    assert crashes.ensure_automation() is False
    [made] = automations
    assert made.name == crashes.AUTOMATION_NAME and made.enabled


@pytest.mark.parametrize("is_on", [True, False])
def test_an_automation_of_an_earlier_version_is_renewed(automations: list[Any], is_on: bool) -> None:
    old = made_earlier(automations, enabled=is_on, tags=["night watch"])
    assert crashes.ensure_automation() is True
    [new] = automations
    wanted = crashes.automation()
    assert new.id == old.id and (new.name, new.description) == (wanted.name, wanted.description)
    assert (new.enabled, new.tags) == (is_on, ["night watch"])
    for part in ("after", "expect", "match_related", "within", "posture"):
        assert getattr(new.trigger, part) == getattr(wanted.trigger, part), part
    [action], [wanted_action] = new.actions, wanted.actions
    assert (action.type, action.state, action.message) == (
        "change-flow-run-state", wanted_action.state, crashes.MESSAGE,
    )  # fmt: skip
    assert crashes.ensure_automation() is False


@pytest.mark.parametrize(
    "words", ["watches the night shift", f"{crashes.AUTOMATION_NAME}, after 90 s (version 99)"]
)
def test_an_automation_of_a_person_or_of_a_later_version_stays(automations: list[Any], words: str) -> None:
    old = made_earlier(automations, description=words)
    assert crashes.ensure_automation() is False
    assert automations == [old]


def test_whoever_changes_the_automation_raises_its_version() -> None:
    trigger: Any = crashes.automation().trigger
    what = (sorted(trigger.after), sorted(trigger.expect), crashes.FLOWS, trigger.within, crashes.MESSAGE)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:12]
    assert (crashes.VERSION, digest) == (2, "23a85b84ea1e")


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
