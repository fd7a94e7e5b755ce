import pytest

from f2f.errors import CaptionError, EngineUnavailableError, PreflightError, StageError
from flows.endings import failure_line
from lipsync_core.errors import MediaError


@pytest.mark.parametrize(
    "error",
    [
        StageError("lipsync", "lipsync: out of memory;\nclose other programs"),
        MediaError("decoding talk.mp4 failed", command=["ffmpeg"], stderr_tail="x"),
    ],
)
def test_after_a_failed_stage_the_line_says_how_to_go_on(error: Exception) -> None:
    line = failure_line(error)
    assert "\n" not in line and line.endswith("; what is finished is kept; the same command resumes")
    assert line.startswith(("lipsync: out of memory;; close", "decoding talk.mp4 failed"))


def test_what_nobody_foresaw_must_be_looked_at() -> None:
    line = failure_line(TypeError("an unexpected\nkeyword"))
    assert (
        line
        == "internal error: TypeError: an unexpected; keyword; run f2f translate with --debug to see where"
    )


@pytest.mark.parametrize("kind", [CaptionError, EngineUnavailableError])
def test_what_can_be_known_before_has_its_own_remedy(kind: type[Exception]) -> None:
    assert failure_line(kind("no engine 'x'\nrun: pip install x")) == "no engine 'x'; run: pip install x"
    assert failure_line(PreflightError(["one", "two"])) == "one; two"
