"""Errors of ``lipsync_core``.

    LipSyncError
    ├── MediaError          a file cannot be decoded, encoded or is not what it claims
    ├── NoFaceError         a face was needed and none was found
    ├── CheckpointError     weights are damaged, of another architecture, or unsafe
    ├── MissingModelError   weights or an optional package are absent; the message has the command
    ├── InvalidInputError   an argument or array is outside what is allowed
    └── TrainingDivergedError  a loss, gradient or weight is not finite any more

Every message holds the offending value, what is allowed, and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence


class LipSyncError(Exception):
    """Root of all errors that ``lipsync_core`` raises on purpose."""


class MediaError(LipSyncError):
    """A media file could not be read or written.

    Attributes:
        command: the ffmpeg argument list that failed, or an empty tuple.
        stderr_tail: last lines that ffmpeg printed, or an empty string.
    """

    def __init__(self, message: str, *, command: Sequence[str] = (), stderr_tail: str = "") -> None:
        super().__init__(message)
        self.command = tuple(command)
        self.stderr_tail = stderr_tail


class NoFaceError(LipSyncError):
    """No face was found where one was needed."""


class CheckpointError(LipSyncError):
    """A weights file is damaged, unsafe, or belongs to another network."""


class MissingModelError(LipSyncError):
    """Weights or an optional package are not on this machine."""


class InvalidInputError(LipSyncError):
    """An argument or array has a value or shape that is not allowed."""


class TrainingDivergedError(LipSyncError):
    """A loss, gradient or weight is not finite any more; the last checkpoint is from before that."""
