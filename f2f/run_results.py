"""What a run hands from stage to stage, and how it ends early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from f2f.results import (
    Evaluation,
    FittedSpeech,
    LipSyncResult,
    MuxResult,
    SourceVideo,
    Speech,
    Transcript,
    Translation,
)
from f2f.time_map import StretchedSource
from f2f.workspace import Stored


@dataclass(frozen=True)
class Shared:
    """Results that all target languages share."""

    video: Stored[SourceVideo]
    transcript: Stored[Transcript]


@dataclass(frozen=True)
class TargetResults:
    """Results of one target language, without its report."""

    target: str
    translation: Stored[Translation]
    speech: Stored[Speech]
    fitted: Stored[FittedSpeech]
    lips: Stored[LipSyncResult]
    muxed: Stored[MuxResult]
    evaluation: Stored[Evaluation]
    stretched: Stored[StretchedSource] | None = None


class StopRun(Exception):
    """The run has come to the stage after which it was to stop.

    Attributes:
        stored: what that stage made.
    """

    def __init__(self, stored: Stored[Any]) -> None:
        super().__init__(stored.stage)
        self.stored = stored
