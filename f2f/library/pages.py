"""All pages of a library that tell how it stands, written anew: index, trends, OpenMetrics text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from f2f.errors import UsageError
from f2f.library.index_page import IndexKeeper, write_index
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.openmetrics import write_openmetrics
from f2f.library.trends import write_trends
from f2f.workspace import write_atomically

COST_NAME = "pages.json"
CHEAP_S = 3.0


def write_pages(
    options: LibraryOptions, found: Iterable[Lecture | Refused] | None = None, *, is_last: bool = False
) -> None:
    """Write ``index.html``, ``library.html`` and ``library.prom``.

    Args:
        options: of the library, as it is translated.
        found: the lectures of a list; None looks for them.
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
    place = options.store.place(options.output_dir.resolve())
    lectures: dict[tuple[str, str], int] = {(code, state): count for (code, state), count in counts.items()}
    write_openmetrics(options.output_dir, lectures, place)


def refresh_pages(options: LibraryOptions, found: Iterable[Lecture | Refused] | None = None) -> bool:
    """Write the pages after one lecture, which many processes do at a time, none of which is the last.

    Where they take longer than ``CHEAP_S``, as those of thousands of lectures do, they stay as they are
    until they are twenty times as old as writing them takes. Those of outputs in a store of objects are left
    to the next look at the library, as all of it would have to be fetched.

    Args:
        options: of the library.
        found: as for ``write_pages``.

    Returns:
        Whether they were written.

    Raises:
        UsageError: the library cannot be read.
        OSError: something cannot be written.
    """
    if not options.store.has_videos:
        return False
    cost = options.folder / COST_NAME
    seconds, began = _read_cost(cost)
    if seconds > CHEAP_S and 0 <= time.time() - began < IndexKeeper.SHARE * seconds:
        return False
    lectures = None if found is None else list(found)
    is_newest = False
    while not is_newest:
        began = time.time()
        write_pages(options, lectures, is_last=True)
        # Who began later and was through earlier knew more, and was written over just now.
        is_newest = _read_cost(cost)[1] <= began
        write_atomically(cost, json.dumps({"seconds": round(time.time() - began, 3), "began": began}))
    return True


def _read_cost(path: Path) -> tuple[float, float]:
    """Return how long writing the pages took the last time, and when that began; zeros if nobody knows."""
    try:
        known = json.loads(path.read_text("utf-8"))
        return float(known["seconds"]), float(known["began"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0, 0.0
