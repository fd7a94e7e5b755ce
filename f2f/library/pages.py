"""All pages of a library that tell how it stands, written anew: index, trends, OpenMetrics text."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from f2f.errors import UsageError
from f2f.library.index_page import write_index
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.openmetrics import write_openmetrics
from f2f.library.trends import write_trends


def write_pages(
    options: LibraryOptions, found: Iterable[Lecture | Refused] | None = None, *, is_last: bool = False
) -> None:
    """Write ``index.html``, ``library.html`` and ``library.prom``.

    Args:
        options: of the library, as it is translated.
        found: its lectures in order of their names; None looks for them.
        is_last: nobody here will write them again soon.

    Raises:
        UsageError: the library cannot be read.
        OSError: something cannot be written.
    """
    options.store.write_pages(lambda: _write(options, found), is_last=is_last)


def _write(options: LibraryOptions, found: Iterable[Lecture | Refused] | None) -> None:
    with suppress(UsageError):  # nothing is finished yet
        write_trends(options.root, options.output_dir)
    counts = write_index(options, found)
    write_openmetrics(options.output_dir, {(code, state): count for (code, state), count in counts.items()})
