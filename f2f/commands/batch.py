"""``f2f batch``: a whole library of lectures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from f2f.commands.shared_options import (
    Attempts,
    Backoff,
    ConfigFile,
    Consent,
    Debug,
    Device,
    Force,
    From,
    Glossary,
    Json,
    LectureListFile,
    Library,
    LibraryOutput,
    LibraryTo,
    Licence,
    NoLipsync,
    Patterns,
    Profile,
    RetryQuarantined,
    Runner,
    Settings,
)
from f2f.session import Session

if TYPE_CHECKING:
    from f2f.library.lecture import Lecture, LibraryOptions, Refused
    from f2f.library.summary import Row
    from f2f.stage import Observer

    Found = Callable[[], Iterable[Lecture | Refused]]

EXIT_CODES = (
    "Exit codes: 0 every lecture is done · 2 the command, its configuration or the list cannot be used, "
    "nothing was done · 3 the same, for want of a package that reads URLs · 4 some lectures failed, were "
    "given up or refused: the table says why, the same command goes on · 130 interrupted, the same command "
    "goes on"
)


def batch(  # noqa: PLR0913 - one parameter per option
    library: Library,
    to: LibraryTo = None,
    from_: From = None,
    output: LibraryOutput = None,
    pattern: Patterns = None,
    list_: LectureListFile = None,
    glossary: Glossary = None,
    config: ConfigFile = None,
    settings: Settings = None,
    profile: Profile = None,
    licence: Licence = None,
    device: Device = None,
    consent: Consent = None,
    no_lipsync: NoLipsync = False,
    attempts: Attempts = 3,
    backoff: Backoff = 60.0,
    retry_quarantined: RetryQuarantined = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and do nothing.")
    ] = False,
    runner: Runner = None,
    force: Force = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Translate every lecture of a library; what is done stays, what changed is done again.

    Several batches, also on other machines, may work on one library at once.
    """
    flags = {
        "glossary": glossary, "profile": profile, "licence": licence, "device": device, "consent": consent,
    }  # fmt: skip
    with Session(json=json, debug=debug) as session:
        from f2f.library.listing import LectureList
        from f2f.library.options import build_library_options
        from f2f.options import build_config

        options = build_library_options(
            library, to or [], config=build_config(config, flags, settings or ()), source_language=from_,
            output_dir=output, patterns=tuple(pattern or ()), is_listed=list_ is not None,
            lipsync=not no_lipsync, force=force, max_attempts=attempts, backoff_s=backoff,
            retry_quarantined=retry_quarantined,
        )  # fmt: skip
        options.store.look()
        listed = None if list_ is None else LectureList(list_, options)
        if dry_run:
            _show_price(session, options, listed)
        else:
            _run(session, options, listed, runner)


def _show_price(session: Session, options: LibraryOptions, listed: Found | None) -> None:
    from f2f.library.pricing import price_library, price_lines, price_table
    from f2f.library.scanning import find_lectures

    price = price_library(options, find_lectures(options) if listed is None else listed())
    table = [price_table(price)] if price.rows else []
    session.show("price", [*table, *price_lines(price, options)], **price.as_json())


def _run(session: Session, options: LibraryOptions, listed: Found | None, runner: str | None) -> None:
    from f2f.library.batch import run_batch
    from f2f.library.processing import BatchRun
    from f2f.library.scanning import find_lectures
    from f2f.library.summary import Summary
    from f2f.library.tables import summary_lines, summary_table

    options.store.check()
    summary, listener = Summary(), _Listener(session, options, listed)
    lectures = find_lectures(options) if listed is None else listed()
    is_through = False
    try:
        run_batch(BatchRun(options, listener, runner), lectures, summary)
        is_through = True
    finally:
        listener.write_pages(is_last=is_through)  # who interrupts a batch does not want to wait
        table = [summary_table(summary)] if summary.rows else []
        code = summary.exit_code
        session.show("library", [*table, *summary_lines(summary)], counts=summary.counts, exit_code=code)
    raise typer.Exit(code)


class _Listener:
    """Shows a batch on the console and to programs, and keeps the library's own pages up to date."""

    def __init__(self, session: Session, options: LibraryOptions, listed: Found | None) -> None:
        from f2f.library.index_page import IndexKeeper

        self._session, self._options, self._listed = session, options, listed
        self._keeper = IndexKeeper(self.write_pages)
        self._told = ""

    @contextmanager
    def working(self, lecture: Lecture, targets: tuple[str, ...]) -> Iterator[Observer]:
        """Say that work begins, and show its stages."""
        from f2f.library.index_rows import visible

        self._session.say(f"{visible(lecture.name)} → {', '.join(targets)}")
        self._session.emit("lecture_started", lecture=lecture.name, target_languages=list(targets))
        with self._session.observer(lecture=lecture.name) as observer:
            yield observer

    def row(self, row: Row) -> None:
        """Tell what became of a language."""
        from f2f.library.index_rows import visible

        values = asdict(row)
        self._session.emit("language", target_language=values.pop("target"), **values)
        if row.state != "unchanged":
            what = visible(row.lecture) + (f" → {row.target}" if row.target else "")
            self._session.say(f"{what}: {row.state}" + (f": {visible(row.reason)}" if row.reason else ""))
        if row.state in ("made", "failed", "quarantined"):
            self._keeper.refresh()

    def note(self, text: str) -> None:
        """Tell a person something."""
        self._session.note(text)

    def write_pages(self, *, is_last: bool = False) -> None:
        """Write index, trends and figures for Prometheus; a batch does not end because they cannot be."""
        from f2f.disk_errors import disk_words
        from f2f.errors import F2FError
        from f2f.library.pages import write_pages

        try:
            found = None if self._listed is None else self._listed()
            write_pages(self._options, found, is_last=is_last)
        except (F2FError, OSError) as error:  # such as a library that is away for a moment
            words = disk_words(error, self._options.output_dir) or error
            text = self._options.store.words(f"the library's pages cannot be written: {words}")
            if text != self._told:
                self._session.note(text)
            self._told = text
