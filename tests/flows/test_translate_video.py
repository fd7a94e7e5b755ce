from pathlib import Path
from typing import Any

import httpx
import pytest

from f2f.errors import EngineUnavailableError, StageError, UsageError
from f2f.request import Request
from f2f.stage import SilentObserver
from lipsync_core.errors import MediaError

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def run_while_the_server_goes(monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> None:
    """Run a flow in which the work fails, or not, and whose end the server does not take."""
    from flows import translate_video

    def flow(**parameters: Any) -> None:
        handover = translate_video._handover.get()
        assert handover is not None
        handover.failure = failure
        raise httpx.ConnectError("nothing listens there")

    monkeypatch.setattr(translate_video, "translate_video", flow)
    translate_video.run_as_flow(Request(Path("lecture.mp4"), ("hi",)), SilentObserver())


@pytest.mark.parametrize(
    "failure",
    [
        caused(StageError("lipsync", "lipsync: it broke"), MediaError("encoding failed")),
        caused(StageError("lipsync", "lipsync: it broke"), RuntimeError("CUDA error")),
        UsageError("no such language"),
        EngineUnavailableError("no weights"),
        MediaError("no video"),
    ],
)
def test_work_that_failed_is_not_done_again_because_the_server_went_away(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    cause = failure.__cause__
    with pytest.raises(type(failure)) as caught:
        run_while_the_server_goes(monkeypatch, failure)
    assert caught.value is failure and failure.__cause__ is cause


@pytest.mark.parametrize(
    "failure", [None, caused(StageError("lipsync", "lipsync: no answer"), httpx.ConnectError("no answer"))]
)
def test_work_that_only_lacked_the_server_is_done_without(
    monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    from flows.stage_tasks import ServerLostError

    with pytest.raises(ServerLostError, match="nothing listens there"):
        run_while_the_server_goes(monkeypatch, failure)
