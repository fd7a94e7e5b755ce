"""Options that several commands take, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

From = Annotated[
    str | None, typer.Option("--from", metavar="LANG", help="Spoken language; found out if not given.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML file, see configs/default.yaml.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; repeatable."),
]
Profile = Annotated[
    str | None,
    typer.Option(metavar="auto|embedded", help="embedded: only what is inside the packages, no downloads."),
]
Licence = Annotated[
    str | None,
    typer.Option(metavar="any|permissive", help="permissive: pass over weights that forbid commercial use."),
]
Device = Annotated[str | None, typer.Option(metavar="auto|cpu|cuda|mps", help="Where networks run.")]
Glossary = Annotated[
    Path | None, typer.Option(metavar="CSV", help="Terms to use: source term, target term, language.")
]
Consent = Annotated[
    bool | None,
    typer.Option(
        "--i-have-consent", help="The speakers agree that their voices are cloned.", show_default=False
    ),
]
NoLipsync = Annotated[bool, typer.Option("--no-lipsync", help="Dub only; leave the picture.")]
Runner = Annotated[str | None, typer.Option(metavar="auto|inline|prefect", help="Who carries the run out.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs that f2f did not make.")]
Json = Annotated[bool, typer.Option("--json", help="Events and result as JSON lines on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

Library = Annotated[
    str, typer.Argument(metavar="LIBRARY", help="Folder or URL of lectures, with all below it.")
]
LibraryTo = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="LANG", help="Target language; repeatable. A --list may say others."),
]
LibraryOutput = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="DIR", help="Folder or URL that mirrors LIBRARY; else beside each lecture."
    ),
]
LectureListFile = Annotated[
    Path | None,
    typer.Option("--list", metavar="FILE", help="CSV or YAML of lectures with languages, captions, voices …"),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="GLOB", help="Only lectures whose path or file name fits; repeatable."),
]
Attempts = Annotated[
    int, typer.Option(metavar="N", min=1, help="What failed so often is left alone until it changes.")
]
Backoff = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="Wait before the second attempt; doubles after that.")
]
RetryQuarantined = Annotated[bool, typer.Option("--retry-quarantined", help="Try again what was given up.")]
