"""What this machine can run, and what ``translate`` would choose."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from f2f import choices
from f2f.device import describe_device, resolve_device
from f2f.errors import F2FError
from f2f.request import Request
from lipsync_core.errors import LipSyncError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: ``"machine"`` or the stage it belongs to.
        name: what it is.
        ready: it can be used.
        words: version or place, or what is missing and how to get it.
    """

    part: str
    name: str
    ready: bool
    words: str


@dataclass(frozen=True)
class Chosen:
    """What a stage would use.

    Attributes:
        stage: its name.
        target_language: None for what all target languages share.
        engine: the engine, None if there is none.
        words: why, or what is missing.
    """

    stage: str
    target_language: str | None
    engine: str | None
    words: str


@dataclass(frozen=True)
class Examination:
    """Everything ``doctor`` found."""

    findings: tuple[Finding, ...]
    chosen: tuple[Chosen, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "chosen": [asdict(choice) for choice in self.chosen],
        }


def examine(request: Request, source: Path | None = None) -> Examination:
    """Look at machine and engines.

    Args:
        request: names the languages and the configuration to choose for.
        source: video whose captions count for the choice; without it none do.
    """
    findings = [*_machine(request), *_engines(request), *_runners()]
    return Examination(tuple(findings), tuple(_choices(request, source)))


def doctor_tables(examination: Examination) -> Iterator[Table]:
    """Yield the tables to print."""
    table = Table(title="This machine", title_justify="left", box=None, pad_edge=False)
    for column in ("part", "name", "", ""):
        table.add_column(column, overflow="fold")
    for finding in examination.findings:
        state = "[green]ready[/]" if finding.ready else "[yellow]missing[/]"
        table.add_row(finding.part, finding.name, state, _plain(finding.words))
    yield table
    if examination.chosen:
        yield _choice_table(examination)


def _choice_table(examination: Examination) -> Table:
    table = Table(title="\ntranslate would use", title_justify="left", box=None, pad_edge=False)
    for column in ("stage", "language", "engine", ""):
        table.add_column(column, overflow="fold")
    for choice in examination.chosen:
        engine = choice.engine or "[red]nothing[/]"
        table.add_row(choice.stage, choice.target_language or "", engine, _plain(choice.words))
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _machine(request: Request) -> Iterator[Finding]:
    from f2f import __version__

    yield Finding("machine", "f2f", True, __version__)
    yield Finding("machine", "python", True, f"{platform.python_version()} on {platform.platform()}")
    yield _try("machine", "device", lambda: _device(request.config.device))
    yield _try("machine", "ffmpeg", _ffmpeg)
    yield _memory()


def _memory() -> Finding:
    from f2f.memory import available_memory

    left = available_memory()
    if left is None:
        words = "what is left is not known on this system, so that no stage is refused for want of it"
    else:
        words = f"{left.mib:,.0f} MiB can be had, and {left.swap_mib:,.0f} MiB of swap"
    return Finding("machine", "memory", left is not None, words)


def _device(choice: str) -> str:
    name = resolve_device(choice)
    return f"{name} ({describe_device(name)})"


def _ffmpeg() -> str:
    import subprocess

    from lipsync_core.media import ffmpeg_path

    path = ffmpeg_path()
    done = subprocess.run(
        [path, "-version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    return f"{' '.join(done.stdout.split()[:3])} ({path})"


def _engines(request: Request) -> Iterator[Finding]:
    target = request.targets[0] if request.targets else None
    for stage, statuses in choices.list_statuses(request, target).items():
        for status in statuses:
            yield Finding(stage, status.name, status.ready, status.reason)


def _runners() -> Iterator[Finding]:
    from f2f.runners import UI_INSTALL, installed_runners

    runners = installed_runners()
    if not runners:
        yield Finding("ui", "prefect", False, f"run: {UI_INSTALL}")
    for name, runner in runners.items():
        ready = runner.is_available()
        yield Finding("ui", name, ready, runner.hint() or "a server answers")


def _choices(request: Request, source: Path | None) -> Iterator[Chosen]:
    if source is None and not request.targets:
        return
    device = "cpu"
    yield _chosen("transcribe", None, lambda: choices.pin_transcribe(request))
    for target in request.targets:
        language = request.source_language
        yield _chosen("translate", target, lambda: choices.pin_translate(request, language, target))  # noqa: B023
        yield _chosen("synthesize", target, lambda: choices.pin_synthesize(request, target))  # noqa: B023
    yield _chosen("lipsync", None, lambda: choices.pin_lipsync(request, device))
    yield _chosen("mux", None, lambda: choices.pin_mux(request))
    yield _chosen("evaluate", None, lambda: choices.pin_evaluate(request, device))


def _chosen(stage: str, target: str | None, pin: Callable[[], choices.Pinned[Any]]) -> Chosen:
    try:
        pinned = pin()
    except (F2FError, LipSyncError) as error:
        return Chosen(stage, target, None, str(error))
    status = next((one for one in pinned.choice.statuses if one.name == pinned.choice.engine), None)
    words = pinned.notice or (status.reason if status else "")
    return Chosen(stage, target, pinned.choice.engine, words)


def _try(part: str, name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, name, True, look())
    except (F2FError, LipSyncError, OSError) as error:
        return Finding(part, name, False, str(error))
