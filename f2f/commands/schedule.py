"""``f2f schedule``: a library of lectures, looked through again and again."""

from __future__ import annotations

from typing import Annotated

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
    LectureListFile,
    Library,
    LibraryOutput,
    LibraryTo,
    Licence,
    NoLipsync,
    Patterns,
    Profile,
    RetryQuarantined,
    Settings,
)
from f2f.session import Session

EXIT_CODES = (
    "Exit codes: 0 stopped · 2 the command, its configuration or its timetable cannot be used · "
    "3 Prefect, its server or a package that reads URLs is missing"
)


def schedule(  # noqa: PLR0913 - one parameter per option
    library: Library,
    to: LibraryTo = None,
    cron: Annotated[
        str | None,
        typer.Option(metavar="LINE", help='When to look, such as "0 2 * * *", in the time of this machine.'),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="How often to look, such as 10m; in place of --cron.")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Look once at the start, too.")] = False,
    from_: From = None,
    output: LibraryOutput = None,
    list_: LectureListFile = None,
    pattern: Patterns = None,
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
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Translate what is new or changed in a library at given times, until Ctrl-C; runs show in the browser.

    Each look does what f2f batch does with the same options. One that finds an earlier one at work leaves
    everything to it, and looks that were missed while nothing ran are caught up by one.
    """
    flags = {
        "glossary": glossary, "profile": profile, "licence": licence, "device": device, "consent": consent,
    }  # fmt: skip
    with Session(json=False, debug=debug) as session:
        from f2f.library.listing import LectureList
        from f2f.library.options import build_library_options
        from f2f.library.timetable import build_timetable
        from f2f.options import build_config
        from f2f.runners import an_installed_runner

        timetable = build_timetable(cron, every, now=now)
        options = build_library_options(
            library, to or [], config=build_config(config, flags, settings or ()), source_language=from_,
            output_dir=output, patterns=tuple(pattern or ()), is_listed=list_ is not None,
            lipsync=not no_lipsync, force=force, max_attempts=attempts, backoff_s=backoff,
            retry_quarantined=retry_quarantined,
        )  # fmt: skip
        options.store.check()
        if list_ is not None:
            LectureList(list_, options)  # its mistakes are told now, not at night
        raise typer.Exit(an_installed_runner().schedule(options, list_, timetable, session.say))
