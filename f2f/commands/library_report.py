"""``f2f report``: how a library's lip-sync error, speed and failures developed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from f2f.commands.shared_options import Debug, Json
from f2f.session import Session

EXIT_CODES = "Exit codes: 0 done · 2 there is no such library, or nothing was finished in it yet"


def report(
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="Folder of lectures, as for batch.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Output folder of the batches.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw the trends of a library into library.html, from library.jsonl and what became of each lecture."""
    with Session(json=json, debug=debug) as session:
        from f2f.errors import UsageError
        from f2f.library.trends import write_trends

        output_dir = output or library
        try:
            path = write_trends(library, output_dir)
        except OSError as error:
            raise UsageError(
                f"{error.filename or output_dir} cannot be read or written ({error.strerror}): give the "
                "output folder of f2f batch as -o DIR"
            ) from error
        session.show("report", [str(path)], path=str(path))
