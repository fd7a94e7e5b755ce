import errno
from urllib.error import URLError

import pytest

from f2f.errors import EngineUnavailableError, PreflightError, StageError, UsageError
from lipsync_core.errors import MediaError

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("hub went away"),
        TimeoutError("hub is slow"),
        OSError(errno.EIO, "input/output error"),
        OSError(errno.ENETUNREACH, "no network"),
        caused(StageError("translate", "translate: …"), ConnectionRefusedError("hub")),
        caused(StageError("translate", "translate: …"), caused(URLError("x"), TimeoutError())),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    from flows.stage_tasks import is_transient

    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("no such language"),
        PreflightError(["no sound"]),
        EngineUnavailableError("no weights"),
        caused(EngineUnavailableError("cannot be fetched"), ConnectionResetError()),
        StageError("lipsync", "lipsync: it broke"),
        caused(StageError("mux", "mux: …"), MediaError("encoding failed")),
        OSError(errno.ENOSPC, "disk full"),
        FileNotFoundError("gone"),
        ValueError("a bug"),
        MemoryError(),
    ],
)
def test_what_would_fail_the_same_way_is_not(error: Exception) -> None:
    from flows.stage_tasks import is_transient

    assert not is_transient(error)


def test_network_and_gpu_errors_of_libraries_are_recognised() -> None:
    import httpx
    import torch

    from flows.stage_tasks import is_transient

    assert is_transient(httpx.ConnectTimeout("x"))
    assert is_transient(httpx.ConnectError("x"))
    assert not is_transient(httpx.InvalidURL("x"))
    assert is_transient(torch.OutOfMemoryError("the card is full"))
    assert not is_transient(RuntimeError("shapes differ"))


def test_messages_become_one_line() -> None:
    from flows.stage_tasks import one_line

    assert one_line(PreflightError(["no sound", "disk full"])) == "no sound; disk full"
    assert one_line(ValueError()) == "ValueError"
