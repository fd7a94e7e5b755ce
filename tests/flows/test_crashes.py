import time
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
