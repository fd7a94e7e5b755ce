"""Has stages executed, and keeps what they told: all of a run but which stages there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from f2f.choices import Pinned
from f2f.errors import StageError
from f2f.hashes import FileHashes
from f2f.limits import Limits
from f2f.manifest import StageRecord
from f2f.request import Request
from f2f.results import SourceVideo
from f2f.run_results import StopRun
from f2f.stage import MapParts, Observer, StageContext
from f2f.stage_call import Execute, R, StageCall, stage_version
from f2f.workspace import Stored, Workspace

_MODULES = {"evaluate_source": "evaluate"}


@dataclass
class StageRunner:
    """Executes stages over one source.

    Attributes:
        request: what was asked for.
        workspace: where results are kept; locked by the caller.
        observer: told of everything.
        execute: carries out a stage call.
        device: resolved device.
        notices: everything a person was told, with the target language it concerns.
        records: every stage as it went.
        duration_s: of the source, once it was probed.
        n_pixels: of its pictures, once it was probed.
        original: path of the source and its hash, from the probe on.
        map_parts: makes the parts of the lips elsewhere.
    """

    request: Request
    workspace: Workspace
    observer: Observer
    execute: Execute
    device: str
    notices: list[tuple[str | None, str]] = field(default_factory=list)
    records: dict[tuple[str, str | None], StageRecord] = field(default_factory=dict)
    duration_s: float | None = None
    n_pixels: int = 0
    original: tuple[Path, str] | None = None
    map_parts: MapParts | None = None

    def _run(
        self,
        stage: str,
        target: str | None,
        kind: type[R],
        inputs: Mapping[str, Any],
        work: Callable[[StageContext], R],
    ) -> Stored[R]:
        """Have one stage executed and remember what it told."""
        return self._execute(self._call(stage, target, kind, inputs, work))

    def _call(
        self,
        stage: str,
        target: str | None,
        kind: type[R],
        inputs: Mapping[str, Any],
        work: Callable[[StageContext], R],
    ) -> StageCall[R]:
        """Bind one stage to its inputs."""
        name, config = self.request.source.stem, self.request.config
        if stage == "probe":
            self.original = (self.request.source, str(inputs["source"]))
        return StageCall(
            stage=stage,
            target_language=target,
            description=f"{stage} {name}" + (f" to {target}" if target else ""),
            kind=kind,
            version=stage_version(f"f2f.stages.{_MODULES.get(stage, stage)}"),
            inputs=inputs,
            work=work,
            workspace=self.workspace,
            observer=self.observer,
            device=self.device,
            limits=Limits(config.slots, config.deadlines, self.duration_s, self.n_pixels),
            check_source=self.check_source,
            map_parts=self.map_parts if stage == "lipsync" else None,
        )

    def _execute(self, call: StageCall[R]) -> Stored[R]:
        stored = self.execute(call)
        if isinstance(stored.result, SourceVideo):
            self.n_pixels = stored.result.width * stored.result.height
        self.notices += [(call.target_language, notice) for notice in stored.notices]
        self.records[call.stage, call.target_language] = StageRecord.of(stored)
        return stored

    def check_source(self) -> None:
        """See that the source still is what it was when it was probed.

        Raises:
            StageError: it is another file now, or gone.
        """
        if self.original is None:
            return
        path, sha256 = self.original
        try:
            is_same = FileHashes(self.workspace.root).sha256(path) == sha256
        except OSError as error:
            raise StageError(
                "probe", f"{path} can no longer be read: {error.strerror or error}; bring it back"
            ) from error
        if not is_same:
            raise StageError(
                "probe",
                f"{path} was replaced or changed while it was translated; nothing of that is put in place: "
                "give the same command again for the new file",
            )

    def stop_after(self, stored: Stored[R]) -> Stored[R]:
        """Return ``stored``, unless the run is to stop after its stage.

        Raises:
            StopRun: it is.
        """
        if stored.stage == self.request.until:
            raise StopRun(stored)
        return stored

    def tell(self, target: str | None, text: str) -> None:
        """Tell a person something, on the console and in the report."""
        self.notices.append((target, text))
        self.observer.notice(text)

    def _tell(self, target: str | None, pinned: Pinned[Any]) -> None:
        if pinned.notice is not None:
            self.tell(target, pinned.notice)
