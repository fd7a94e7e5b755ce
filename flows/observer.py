"""Live progress on the run page."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from flows.names import artifact_key, lecture_key, task_run_name

logger = logging.getLogger(__name__)
UPDATE_INTERVAL_S = 2.0


class ProgressStore(Protocol):
    """Where progress is shown."""

    def create(self, progress: float, key: str, description: str) -> UUID | None:
        """Show a new bar at ``progress`` percent; None if it could not be shown."""

    def update(self, artifact_id: UUID, progress: float, description: str) -> None:
        """Move a bar."""


class PrefectProgressStore:
    """Shows progress as artifacts of the task run in whose context it is called.

    A bar is a courtesy: when the server does not take one, the run goes on without bars.
    """

    def __init__(self) -> None:
        self._lost = False

    def create(self, progress: float, key: str, description: str) -> UUID | None:
        """Create a progress artifact."""
        from prefect.artifacts import create_progress_artifact

        return self._try(create_progress_artifact, progress, key=key, description=description)

    def update(self, artifact_id: UUID, progress: float, description: str) -> None:
        """Update a progress artifact."""
        from prefect.artifacts import update_progress_artifact

        self._try(update_progress_artifact, artifact_id, progress, description=description)

    def _try(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> UUID | None:
        import httpx
        from prefect.exceptions import PrefectException

        if self._lost:
            return None
        try:
            shown: UUID = call(*args, **kwargs)
        except (httpx.HTTPError, PrefectException, RuntimeError) as exc:
            self._lost = True
            logger.warning("progress is no longer shown: %s", exc)
            return None
        return shown


@dataclass
class _Bar:
    target_language: str | None
    last_update_s: float
    artifact_id: UUID | None = None


@dataclass
class PrefectObserver:
    """Shows the progress of stages that take longer than ``UPDATE_INTERVAL_S``, and logs the rest.

    Attributes:
        source: the input, for the artifact keys.
        store: where progress goes.
        now_s: monotonic clock.
    """

    source: Path
    store: ProgressStore = field(default_factory=PrefectProgressStore)
    now_s: Callable[[], float] = time.monotonic
    _bars: dict[str, _Bar] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def stage_started(self, stage: str, target_language: str | None) -> None:
        """Begin to count the time until the first bar."""
        self._bars[stage] = _Bar(target_language, self.now_s())
        logger.info("%s started", task_run_name(stage, target_language))

    def stage_progress(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """Show or move the stage's bar, at most every ``UPDATE_INTERVAL_S``; unknown totals show none."""
        bar = self._bars.get(stage)
        now_s = self.now_s()
        if bar is None or not total or now_s - bar.last_update_s < UPDATE_INTERVAL_S:
            return
        bar.last_update_s = now_s
        percent = min(max(100 * done / total, 0.0), 100.0)
        description = f"{task_run_name(stage, bar.target_language)}: {done:g} of {total:g} {unit}"
        if bar.artifact_id is None:
            key = artifact_key(lecture_key(self.source), bar.target_language, f"{stage}-progress")
            bar.artifact_id = self.store.create(percent, key, description)
        else:
            self.store.update(bar.artifact_id, percent, description)

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        """Fill the bar, if there is one."""
        bar = self._bars.pop(stage, None)
        if bar is not None and bar.artifact_id is not None:
            name = task_run_name(stage, bar.target_language)
            self.store.update(bar.artifact_id, 100.0, f"{name}: done in {seconds:.1f} s")
        if reused:
            logger.info("%s: stored already", stage)
        else:
            logger.info("%s: done in %.1f s", stage, seconds)

    def notice(self, text: str) -> None:
        """Log it with the run, once."""
        if text not in self._told:
            self._told.add(text)
            logger.warning("%s", text)
