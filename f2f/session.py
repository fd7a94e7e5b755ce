"""One run of the command: shows what happens, turns every error into its lines and its exit code."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from f2f import errors
from f2f.console import JsonObserver, Observers, console_observer
from f2f.disk_errors import disk_words
from f2f.request import Outputs, Request, Stopped
from f2f.stage import Observer

if TYPE_CHECKING:
    from f2f.review.redo import Redo

RESUME = "what is finished is kept; the same command resumes"


class Session:
    """Context of one command.

    Texts for a person go to stdout, with ``json`` to stderr; progress and errors always go to stderr.

    Args:
        json: write events and results as JSON lines to stdout.
        debug: show tracebacks.
    """

    def __init__(self, *, json: bool, debug: bool) -> None:
        self._debug = debug
        self._json = JsonObserver() if json else None
        self._errors = Console(stderr=True, highlight=False)
        self._out = self._errors if json else Console(highlight=False)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (typer.Exit, typer.Abort, SystemExit, GeneratorExit)):
            return
        if self._debug:
            traceback.print_exception(error)
        lines, code = explain(error)
        for line in lines:
            self._errors.print(f"f2f: {line}", style="bold red", markup=False, soft_wrap=True)
        if self._json:
            self._json.emit("error", messages=lines, exit_code=code)
        raise typer.Exit(code) from error

    def translate(self, request: Request, runner_name: str | None) -> None:
        """Check everything, run the request, and say what was made."""
        from f2f.checked import checked
        from f2f.runners import choose_runner

        with self.observer() as observer:
            ready = checked(request)  # before a runner shows it as a run of its own
            runner = choose_runner(runner_name, observer)
            outputs = runner.run(ready, observer)
        for each in outputs:
            if isinstance(each, Stopped):
                self._show_stopped(each)
            else:
                self._show(each)

    def resume(self, asked: Request, runner_name: str | None) -> None:
        """Take the edits of every language, then go on with each."""
        from f2f.review.resume import take_edits

        with self.observer() as observer:
            continuations = take_edits(asked, observer)
        for going_on in continuations:
            self.translate(going_on.request, runner_name)

    def redo(
        self,
        manifest: Path,
        redo: Redo,
        workdir: Path | None,
        runner_name: str | None,
        *,
        force: bool = False,
    ) -> None:
        """Do some segments again; a text or voice that cannot be used is forgotten again."""
        from f2f.review.redo import take_redo

        with self.observer() as observer:
            going_on = take_redo(manifest, redo, workdir, observer)
        try:
            self.translate(replace(going_on.request, force=force), runner_name)
        except errors.UsageError:
            going_on.undo()
            raise

    def show_plan(self, request: Request) -> None:
        """Say what ``translate`` would do, and do nothing."""
        from f2f.dry_run import plan_run, plan_table

        plan = plan_run(request)
        if self._json:
            self._json.emit("plan", **plan.as_json())
        else:
            self._out.print(plan_table(plan))
            for line in plan.lines:
                self._out.print(line, markup=False, soft_wrap=True)

    def show_doctor(self, request: Request, source: Path | None) -> None:
        """Say what this machine can run and what would be chosen."""
        from f2f.doctor import doctor_tables, examine

        examination = examine(request, source)
        if self._json:
            self._json.emit("doctor", **examination.as_json())
        else:
            for table in doctor_tables(examination):
                self._out.print(table)

    def make_sample(self, path: Path, *, force: bool) -> None:
        """Make the sample lecture."""
        from f2f.sample import make_sample

        with self.observer() as observer:
            files = make_sample(path, force=force, observer=observer)
        for file in files:
            if self._json:
                self._json.emit("sample", path=str(file))
            else:
                self._out.print(str(file), markup=False, soft_wrap=True)

    def start_ui(self, port: int | None, host: str | None) -> None:
        """Hand over to an installed runner's user interface; None takes its usual address.

        Raises:
            EngineUnavailableError: none is installed.
        """
        from f2f.runners import an_installed_runner

        raise typer.Exit(an_installed_runner().ui(port, host) or errors.EXIT_DONE)

    @property
    def console(self) -> Console:
        """Where progress is shown."""
        return self._errors

    def emit(self, event: str, **values: Any) -> None:
        """Write an event where a program reads."""
        if self._json:
            self._json.emit(event, **values)

    def say(self, text: str) -> None:
        """Say something on the way to a person alone."""
        self._errors.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something on the way."""
        self.say(text)
        self.emit("notice", text=text)

    def show(self, event: str, lines: Iterable[Table | str], **values: Any) -> None:
        """Give a result: an event to a program, tables and lines to a person."""
        self.emit(event, **values)
        for line in () if self._json else lines:
            if isinstance(line, str):
                self._out.print(line, markup=False, soft_wrap=True)
            else:
                self._out.print(line)

    @contextmanager
    def observer(self, **fields: Any) -> Iterator[Observer]:
        """Give what shows the stages of a run; every event for a program also holds ``fields``."""
        with console_observer(self._errors) as console:
            yield Observers([console, JsonObserver(**fields)]) if self._json else console

    def _show_stopped(self, stopped: Stopped) -> None:
        if self._json:
            self._json.emit(
                "stopped", target_language=stopped.target_language, stage=stopped.stage,
                files=[str(path) for path in stopped.files], folder=str(stopped.folder),
                command=stopped.command,
            )  # fmt: skip
            return
        self._out.print(f"{stopped.summary}:", markup=False, soft_wrap=True)
        for path in stopped.files:
            self._out.print(f"{path}  (to edit)", markup=False, soft_wrap=True)
        self._out.print(f"{stopped.folder}  (what {stopped.stage} made)", markup=False, soft_wrap=True)
        self._out.print(f"go on with: {stopped.command}", markup=False, soft_wrap=True)

    def _show(self, outputs: Outputs) -> None:
        facts: dict[str, Any] = {
            "target_language": outputs.target_language,
            "video": str(outputs.video),
            "subtitles": str(outputs.subtitles),
            "manifest": str(outputs.manifest),
            "report": str(outputs.report),
            "reused": outputs.reused,
        }
        if self._json:
            self._json.emit("result", **facts)
            return
        note = "  (nothing to do, all stages were stored already)" if outputs.reused else ""
        self._out.print(f"{outputs.video}{note}", markup=False, soft_wrap=True)
        for path in outputs.files[1:]:
            self._out.print(str(path), markup=False, soft_wrap=True)


def explain(error: BaseException) -> tuple[list[str], int]:
    """Return the lines to show for an error and the exit code."""
    from lipsync_core.errors import LipSyncError, MissingModelError

    if isinstance(error, KeyboardInterrupt):
        return [f"interrupted; {RESUME}"], errors.EXIT_INTERRUPTED
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if isinstance(error, errors.StageError):
        return [*lines, RESUME], error.exit_code
    if isinstance(error, errors.F2FError):
        return lines, error.exit_code
    if (words := disk_words(error)) is not None:
        return [words, RESUME], errors.EXIT_STAGE_FAILED
    if isinstance(error, LipSyncError):
        code = (
            errors.EXIT_ENGINE_MISSING if isinstance(error, MissingModelError) else errors.EXIT_STAGE_FAILED
        )
        return lines, code
    text = f"internal error: {type(error).__name__}: {' '.join(lines)}; run with --debug to see where"
    return [text], errors.EXIT_STAGE_FAILED
