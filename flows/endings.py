"""What a run that failed says of itself, in one line: what happened, and what to do."""

from __future__ import annotations

from f2f.errors import EngineUnavailableError, F2FError, UsageError
from f2f.session import RESUME
from flows.stage_tasks import one_line
from lipsync_core.errors import LipSyncError


def failure_line(error: BaseException) -> str:
    """Return an error in one line that ends in a remedy.

    What is wrong with the input, an option or an engine says so itself; after a failed stage the remedy is
    to go on; what nobody foresaw must be looked at.
    """
    line = one_line(error)
    if not isinstance(error, (F2FError, LipSyncError)):
        return f"internal error: {type(error).__name__}: {line}; run f2f translate with --debug to see where"
    return line if isinstance(error, (UsageError, EngineUnavailableError)) else f"{line}; {RESUME}"
