"""``f2f report``: how a library's lip-sync error, speed and failures developed."""

from __future__ import annotations

from typing import Annotated

import typer

from f2f.commands.shared_options import Debug, Json
from f2f.session import Session

EXIT_CODES = (
    "Exit codes: 0 done · 2 there is no such library, or nothing was finished in it yet · "
    "3 a package that reads URLs is missing"
)


def report(
    library: Annotated[
        str, typer.Argument(metavar="LIBRARY", help="Folder or URL of lectures, as for batch.")
    ],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="DIR", help="That of the batches.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw the trends of a library into library.html, from library.jsonl and what became of each lecture."""
    with Session(json=json, debug=debug) as session:
        from f2f.errors import UsageError
        from f2f.library.options import open_store
        from f2f.library.store import StoreError
        from f2f.library.trends import TRENDS_NAME, write_trends

        store, root, output_dir = open_store(library, output)
        try:
            store.write_pages(lambda: write_trends(root, output_dir))
        except StoreError:  # an OSError, too, which tells everything itself
            raise
        except UsageError as error:
            raise UsageError(store.words(str(error))) from error
        except OSError as error:
            raise UsageError(
                f"{error.filename or output_dir} cannot be read or written ({error.strerror}): give the "
                "output folder of f2f batch as -o DIR"
            ) from error
        path = output_dir / TRENDS_NAME
        place = store.place(path)
        session.show("report", [place], path=place)
