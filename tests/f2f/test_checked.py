"""The checks before the work: made once, whoever begins the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_stages import install, request_for

from f2f.checked import CheckedRequest, checked
from f2f.pipeline import translate_video
from f2f.request import Request


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that were checked."""
    install(monkeypatch)
    seen: list[Request] = []
    monkeypatch.setattr("f2f.preflight.check", lambda request: (seen.append(request), "cpu")[1])
    return seen


def test_a_request_keeps_what_it_asks_for(asked: list[Request], tmp_path: Path) -> None:
    request = request_for(tmp_path, "hi", "es", lipsync=False)
    ready = checked(request)
    assert isinstance(ready, CheckedRequest) and ready.device == "cpu"
    assert Request(**{name: getattr(ready, name) for name in vars(request)}) == request
    assert ready.output_path("hi", ".mp4") == request.output_path("hi", ".mp4")


def test_the_pipeline_checks_only_what_nobody_checked(asked: list[Request], tmp_path: Path) -> None:
    request = request_for(tmp_path)
    translate_video(request)
    assert asked == [request]
    translate_video(checked(request))
    assert asked == [request, request]
