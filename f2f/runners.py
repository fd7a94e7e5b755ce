"""Who carries out a run: this process alone, or something installed that shows it elsewhere.

A package can offer a runner through the entry point group ``f2f.runners``; ``flows`` offers ``prefect``.
``f2f`` itself knows none of them, and works where none is installed.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from f2f.errors import EngineUnavailableError, UsageError
from f2f.request import Outcome, Request
from f2f.stage import Observer

if TYPE_CHECKING:
    from pathlib import Path

    from f2f.library.lecture import LibraryOptions
    from f2f.library.timetable import Timetable

GROUP = "f2f.runners"
ENVIRONMENT_NAME = "F2F_RUNNER"
UI_INSTALL = 'pip install "f2f[standard]"'


class Runner(Protocol):
    """What an entry point of the group gives."""

    name: str

    def is_available(self) -> bool:
        """Whether it can take a run right now; answers within a fraction of a second."""

    def hint(self) -> str:
        """One line that says how to get it, for runs that went without."""

    def run(self, request: Request, observer: Observer) -> list[Outcome]:
        """Carry out a run."""

    def ui(self, port: int | None = None, host: str | None = None) -> int:
        """Show the user interface at an address (None: the usual one); return the command's exit code."""

    def schedule(
        self,
        options: LibraryOptions,
        lecture_list: Path | None,
        timetable: Timetable,
        say: Callable[[str], None],
    ) -> int:
        """Translate a library at its times until Ctrl-C; return the command's exit code."""


class InlineRunner:
    """Runs the stages in this process."""

    name = "inline"

    def is_available(self) -> bool:
        """Always."""
        return True

    def hint(self) -> str:
        """Nothing is needed for it."""
        return ""

    def run(self, request: Request, observer: Observer) -> list[Outcome]:
        """Run the pipeline here."""
        from f2f.pipeline import translate_video

        return translate_video(request, observer)

    def ui(self, port: int | None = None, host: str | None = None) -> int:
        """Say that there is none.

        Raises:
            EngineUnavailableError: always.
        """
        raise EngineUnavailableError(f"the user interface is not installed; run: {UI_INSTALL}")

    def schedule(
        self,
        options: LibraryOptions,
        lecture_list: Path | None,
        timetable: Timetable,
        say: Callable[[str], None],
    ) -> int:
        """Say that there is none.

        Raises:
            EngineUnavailableError: always.
        """
        raise EngineUnavailableError(
            f"what keeps a schedule is not installed; run: {UI_INSTALL}; or run f2f batch from cron"
        )


def installed_runners() -> dict[str, Runner]:
    """Return the runners of installed packages by name; one whose package is broken is left out."""
    found: dict[str, Runner] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        try:
            found[entry.name] = cast(Runner, entry.load())
        except (ImportError, AttributeError):
            continue
    return found


def an_installed_runner() -> Runner:
    """Return the first installed runner, whether or not it is available; this process if there is none."""
    return next(iter(installed_runners().values()), InlineRunner())


def choose_runner(choice: str | None, observer: Observer) -> Runner:
    """Return the runner for this run.

    Args:
        choice: ``"inline"``, the name of an installed runner, or None for the environment's
            ``F2F_RUNNER``, else whichever is available.
        observer: told how to get an installed runner that is not available now.

    Raises:
        UsageError: there is no runner of that name.
        EngineUnavailableError: the runner that was asked for is not available.
    """
    choice = choice or os.environ.get(ENVIRONMENT_NAME) or "auto"
    if choice == "inline":
        return InlineRunner()
    runners = installed_runners()
    if choice != "auto":
        if choice not in runners:
            allowed = ", ".join(["auto", "inline", *runners])
            raise UsageError(f"no runner {choice!r} is installed; allowed are: {allowed}; or {UI_INSTALL}")
        if not runners[choice].is_available():
            raise EngineUnavailableError(f"runner {choice!r} is not available: {runners[choice].hint()}")
        return runners[choice]
    for runner in runners.values():
        if runner.is_available():
            return runner
        if hint := runner.hint():
            observer.notice(hint)
    return InlineRunner()
