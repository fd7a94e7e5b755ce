"""What ``translate`` would do: which engines, what is stored already, which files. Does no work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from f2f import choices
from f2f.outputs import output_paths
from f2f.pipeline import run_shared, run_target
from f2f.request import Request
from f2f.review.files import review_paths
from f2f.run import Run
from f2f.run_results import Shared, StopRun
from f2f.stage import SilentObserver
from f2f.stage_call import R, StageCall
from f2f.stage_order import SHARED_STAGES, TARGET_STAGES, reaches
from f2f.workspace import Stored, Workspace

STORED, TO_DO = "stored already", "to do"
WHERE_HURRIED = "to do if lines are hurried"


@dataclass(frozen=True)
class Step:
    """One stage of the plan.

    Attributes:
        stage: its name.
        target_language: None for stages that all languages share.
        state: ``"stored already"``, ``"to do"`` or under which condition it is to do.
        engine: engine that will do or did the work, empty for stages without a choice.
    """

    stage: str
    target_language: str | None
    state: str
    engine: str = ""


@dataclass(frozen=True)
class RunPlan:
    """What a run would do.

    Attributes:
        steps: the stages in order.
        outputs: files that would be written.
        workspace: where intermediate results are kept.
        device: where networks would run.
        notices: what a person must know of the choices.
    """

    steps: tuple[Step, ...]
    outputs: tuple[Path, ...]
    workspace: Path
    device: str
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "steps": [asdict(step) for step in self.steps],
            "outputs": [str(path) for path in self.outputs],
            "workspace": str(self.workspace),
            "device": self.device,
            "notices": list(self.notices),
        }

    @property
    def lines(self) -> list[str]:
        """What stands below the table."""
        files = [f"writes {path}" for path in self.outputs]
        return [*(f"note: {notice}" for notice in self.notices), *files, f"keeps results in {self.workspace}"]


def plan_run(request: Request) -> RunPlan:
    """Find out what a run would do.

    Raises:
        PreflightError: it would not even start.
    """
    from f2f.preflight import check

    device = check(request)
    finder = _Finder()
    run = Run(request, Workspace(request.workspace_root), SilentObserver(), finder, device)
    engines, notices = _engines(request, device)
    _until_missing(partial(run_shared, run))
    steps = [finder.step(stage, None, engines) for stage in SHARED_STAGES if reaches(request, stage)]
    video, transcript = finder.found("probe", None), finder.found("transcribe", None)
    if reaches(request, "evaluate"):
        if video is not None:
            _until_missing(partial(run.evaluate_source, video))
        steps.append(finder.step("evaluate_source", None, engines))
    for target in request.targets:
        if video is not None and transcript is not None:
            _until_missing(partial(run_target, run, Shared(video, transcript), target))
        for stage in TARGET_STAGES:
            if stage == "fit" and reaches(request, stage) and request.config.fit.video_stretch:
                steps.append(finder.step("stretch", target, engines, WHERE_HURRIED))
            if reaches(request, stage):
                steps.append(finder.step(stage, target, engines))
    paths = tuple(path for target in request.targets for path in _files(request, target))
    return RunPlan(tuple(steps), paths, request.workspace_root, device, notices)


def _files(request: Request, target: str) -> tuple[Path, ...]:
    """Return what lies beside the input afterwards."""
    if reaches(request, "report"):
        return tuple(output_paths(request, target).values())
    return review_paths(request, target) if reaches(request, "transcribe") else ()


def plan_table(plan: RunPlan) -> Table:
    """Return the plan's stages as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "language", "engine", ""):
        table.add_column(column)
    for step in plan.steps:
        table.add_row(step.stage, step.target_language or "", step.engine, step.state)
    return table


class _NotStoredError(Exception):
    """A stage's result is not there; ends the walk."""


class _Finder:
    """Looks stage calls up instead of carrying them out."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], Stored[Any]] = {}

    def __call__(self, call: StageCall[R], /) -> Stored[R]:
        found = call.find()
        if found is None:
            raise _NotStoredError
        self._found[call.stage, call.target_language] = found
        return found

    def found(self, stage: str, target: str | None) -> Stored[Any] | None:
        return self._found.get((stage, target))

    def step(
        self,
        stage: str,
        target: str | None,
        engines: dict[tuple[str, str | None], str],
        otherwise: str = TO_DO,
    ) -> Step:
        found = self._found.get((stage, target))
        engine = engines.get((stage, target), "")
        if found is not None:
            return Step(stage, target, STORED, engine or (found.engine.name if found.engine else ""))
        return Step(stage, target, otherwise, engine)


def _until_missing(walk: Callable[[], object]) -> None:
    with contextlib.suppress(_NotStoredError, StopRun):
        walk()


def _engines(request: Request, device: str) -> tuple[dict[tuple[str, str | None], str], tuple[str, ...]]:
    """Return the engine chosen for each stage and what is to be said of the choices."""
    pin: dict[str, Callable[[str], choices.Pinned[Any]]] = {
        "translate": lambda target: choices.pin_translate(request, request.source_language, target),
        "synthesize": lambda target: choices.pin_synthesize(request, target),
        "lipsync": lambda target: choices.pin_lipsync(request, device),
        "mux": lambda target: choices.pin_mux(request),
        "evaluate": lambda target: choices.pin_evaluate(request, device),
    }
    pins: dict[tuple[str, str | None], choices.Pinned[Any]] = {}
    if reaches(request, "transcribe"):
        pins["transcribe", None] = choices.pin_transcribe(request)
    if reaches(request, "evaluate"):
        pins["evaluate_source", None] = choices.pin_evaluate(request, device)
    wanted = [stage for stage in pin if reaches(request, stage)]
    pins |= {(stage, target): pin[stage](target) for target in request.targets for stage in wanted}
    notices = dict.fromkeys(pin.notice for pin in pins.values() if pin.notice)
    return {place: pin.choice.engine for place, pin in pins.items()}, tuple(notices)
