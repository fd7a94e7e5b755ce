"""``f2f schedule``: a library of lectures, looked through again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from f2f.commands.review import Debug, Force
from f2f.session import Session

EXIT_CODES = (
    "Exit codes: 0 stopped · 2 the command, its configuration or its timetable cannot be used · "
    "3 Prefect or its server is missing"
)


def schedule(  # noqa: PLR0913 - one parameter per option
    library: Annotated[
        Path, typer.Argument(metavar="LIBRARY", help="Folder of lectures, with all below it.")
    ],
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="LANG", help="Target language; repeatable. A --list may say others."),
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(metavar="LINE", help='When to look, such as "0 2 * * *", in the time of this machine.'),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="How often to look, such as 10m; in place of --cron.")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Look once at the start, too.")] = False,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="LANG", help="Spoken language; found out if not given.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder that mirrors LIBRARY; else beside each lecture."
        ),
    ] = None,
    list_: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="CSV or YAML of lectures with languages, captions, voices …"
        ),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only lectures whose path or file name fits; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="YAML file, see configs/default.yaml.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; repeatable."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="auto|embedded", help="embedded: only what is inside the packages.")
    ] = None,
    no_lipsync: Annotated[bool, typer.Option("--no-lipsync", help="Dub only; leave the picture.")] = False,
    force: Force = False,
    debug: Debug = False,
) -> None:
    """Translate what is new or changed in a library at given times, until Ctrl-C; runs show in the browser.

    Each look does what f2f batch does. One that finds an earlier one at work leaves everything to it, and
    looks that were missed while nothing ran are caught up by one.
    """
    with Session(json=False, debug=debug) as session:
        from f2f.library.listing import LectureList
        from f2f.library.options import build_library_options
        from f2f.library.timetable import build_timetable
        from f2f.options import build_config
        from f2f.runners import an_installed_runner

        timetable = build_timetable(cron, every, now=now)
        options = build_library_options(
            library, to or [], config=build_config(config, {"profile": profile}, settings or ()),
            source_language=from_, output_dir=output, patterns=tuple(pattern or ()),
            is_listed=list_ is not None, lipsync=not no_lipsync, force=force,
        )  # fmt: skip
        if list_ is not None:
            LectureList(list_, options)  # its mistakes are told now, not at night
        raise typer.Exit(an_installed_runner().schedule(options, list_, timetable, session.say))
