"""The names of the stages, in the order in which ``pipeline`` runs them."""

from __future__ import annotations

from f2f.request import Request

SHARED_STAGES = ("probe", "transcribe")
TARGET_STAGES = ("translate", "synthesize", "fit", "lipsync", "mux", "evaluate", "report")
STAGES = (*SHARED_STAGES, *TARGET_STAGES)


def reaches(request: Request, stage: str) -> bool:
    """Whether the request runs a stage, or stops before it."""
    return request.until is None or STAGES.index(stage) <= STAGES.index(request.until)
