"""Errors of ``f2f`` and the exit codes of its command.

    F2FError                      exit 4
    ├── UsageError                exit 2   bad option, bad configuration, bad input file
    │   ├── ConfigError           exit 2   unknown key or value in a configuration
    │   ├── CaptionError          exit 2   a caption file cannot be used
    │   └── PreflightError        exit 2/3 everything that is wrong before work starts, one line each
    ├── EngineUnavailableError    exit 3   an engine or its weights are missing
    │   └── WorkersAwayError      exit 3   whoever is to do the work does not answer now
    └── StageError                exit 4   a stage failed; run the same command again to resume

``lipsync_core.errors.LipSyncError`` is a second root: a stage that meets one reports it as exit 4, the
checks before the work as exit 2 (``MissingModelError`` as exit 3). 130 means interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_ENGINE_MISSING = 3
EXIT_STAGE_FAILED = 4
EXIT_INTERRUPTED = 130


class F2FError(Exception):
    """Root of all errors that ``f2f`` raises on purpose."""

    exit_code = EXIT_STAGE_FAILED


class UsageError(F2FError):
    """The command, its configuration or its input cannot be used as given."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A file of settings cannot be read, or holds an unknown key or a value that is not allowed."""


class CaptionError(UsageError):
    """A caption file holds no usable cue or cannot be parsed."""


class EngineUnavailableError(F2FError):
    """An engine, or the weights it needs, is not on this machine."""

    exit_code = EXIT_ENGINE_MISSING


class WorkersAwayError(EngineUnavailableError):
    """Whoever is to do the work does not answer now; the same request may do later."""

    is_passing = True


class PreflightError(UsageError):
    """Checks before the work found problems.

    Attributes:
        problems: one line for each problem, with its remedy.
        is_passing: they are those of the moment, such as a full disk; the same request may do later.
    """

    def __init__(
        self, problems: Sequence[str], *, exit_code: int = EXIT_USAGE, is_passing: bool = False
    ) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.exit_code = exit_code
        self.is_passing = is_passing


class StageError(F2FError):
    """A stage failed; what is finished is kept and the same command resumes.

    Attributes:
        stage: name of the stage that failed.
        is_passing: for want of something that this machine may have another time, such as memory.
    """

    def __init__(self, stage: str, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.stage = stage
        self.is_passing = is_passing
