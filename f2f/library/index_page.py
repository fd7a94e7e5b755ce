"""``index.html``: every lecture of a library with what became of it, for a person to look through.

Made anew each time, from the lectures that are there now, their ``status.json`` and their outputs. The
``PAGE_SIZE`` lectures of a page are in memory at a time; later pages lie in ``.f2f/library/pages``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from f2f.engines.status import package_version
from f2f.library.index_rows import STATES, LectureRow, State, language_name, lecture_row, refused_row, visible
from f2f.library.lecture import LIBRARY_FOLDER, Lecture, LibraryOptions, Refused, workspace_of
from f2f.library.planning import utc_now
from f2f.library.scanning import find_lectures, is_wanted
from f2f.library.status import read_status
from f2f.library.thumbnails import thumbnail_key, tidy_thumbnails
from f2f.report.plot import clock
from f2f.report.templates import read_style, render_template
from f2f.workspace import write_atomically

INDEX_NAME = "index.html"
PAGES_NAME = "pages"
PAGE_SIZE = 100
_N_PROBLEMS = 20  # so many are listed on the first page
_LEFTOVER_S = 3600.0
_FROM_PAGES = "../../../"  # from .f2f/library/pages to the folder of the library

Counts = Mapping[tuple[str, State], int]


@dataclass
class _Index:
    """What the first page tells of the others.

    Attributes:
        counts: lectures by language and state.
        lectures: lectures by the worst state of theirs.
        seconds: length of the finished outputs by language.
        ranges: first and last lecture of each page.
        problems: the first lectures that need a person.
        n_problems: how many there are.
    """

    counts: Counter[tuple[str, State]] = field(default_factory=Counter)
    lectures: Counter[State] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    problems: list[LectureRow] = field(default_factory=list)
    n_problems: int = 0

    def add(self, row: LectureRow) -> None:
        self.lectures[row.state] += 1
        for each in row.languages:
            self.counts[each.code, each.state] += 1
            if each.state == "done" and each.figures is not None:
                self.seconds[each.code] += round(each.figures.duration_s)
        if row.state in ("failed", "quarantined", "refused"):
            self.n_problems += 1
            if len(self.problems) < _N_PROBLEMS:
                self.problems.append(row)


def write_index(options: LibraryOptions, found: Iterable[Lecture | Refused] | None = None) -> Counts:
    """Write the index and the pictures that it lacks; each page is replaced whole or not at all.

    Args:
        options: of the library, as it is translated.
        found: the lectures of a list; those that other batches wanted follow them. None looks for all.

    Returns:
        How many lectures are in each state, by language.

    Raises:
        UsageError: the library cannot be read.
        OSError: the index cannot be written.
    """
    now, index, keys = utc_now(), _Index(), set[int]()
    rows = _rows(_all_lectures(options, found), options, now, keys)
    folder = options.folder / PAGES_NAME
    first: list[LectureRow] = []
    number, page = 0, list(islice(rows, PAGE_SIZE))
    while page or number == 0:
        number += 1
        following = list(islice(rows, PAGE_SIZE))
        for row in page:
            index.add(row)
        index.ranges.append((page[0].name, page[-1].name) if page else ("", ""))
        if number == 1:
            first = page
        else:
            text = _page(options, number, page, has_next=bool(following), now=now)
            write_atomically(folder / _page_name(number), text)
        page = following
    # Last, because it counts what is on all the others.
    write_atomically(options.output_dir / INDEX_NAME, _first_page(options, index, first, now))
    _tidy(options, number)
    tidy_thumbnails(options.folder, keys)
    return dict(index.counts)


class IndexKeeper:
    """Keeps pages up to date while a batch runs, in at most a twentieth of its time.

    However large the library, writing them again and again stays a small share of the work.

    Args:
        write: writes the pages.
        now_s: monotonic clock.
    """

    SHARE = 20
    LEAST_S = 2.0

    def __init__(self, write: Callable[[], object], now_s: Callable[[], float] = time.monotonic) -> None:
        self._write, self._now_s = write, now_s
        self._next_s = now_s()

    def refresh(self) -> bool:
        """Write the pages unless they are too young; return whether they were written."""
        began_s = self._now_s()
        if began_s < self._next_s:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Write the pages."""
        began_s = self._now_s()
        self._write()
        ended_s = self._now_s()
        self._next_s = ended_s + max(self.LEAST_S, self.SHARE * (ended_s - began_s))


def _all_lectures(
    options: LibraryOptions, listed: Iterable[Lecture | Refused] | None
) -> Iterator[Lecture | Refused]:
    """Give the lectures that are wanted, and those that batches with other patterns or lists wanted."""
    names = set[str]()
    for one in listed or ():
        names.add(one.name)
        yield one
    # Of what is not in a list no language is wanted.
    targets = options.targets if listed is None else ()
    for one in find_lectures(replace(options, patterns=(), targets=targets)):
        is_due = listed is None and is_wanted(one.name, options)
        if is_due or (one.name not in names and _is_known(one, options)):
            yield one


def _is_known(one: Lecture | Refused, options: LibraryOptions) -> bool:
    return isinstance(one, Lecture) and read_status(workspace_of(one, options)) is not None


def _rows(
    found: Iterable[Lecture | Refused], options: LibraryOptions, now: datetime, keys: set[int]
) -> Iterator[LectureRow]:
    """Give a row for each, and add the key of each lecture to ``keys``."""
    for one in found:
        if isinstance(one, Refused):
            yield refused_row(one)
        else:
            keys.add(thumbnail_key(one.name))
            yield lecture_row(one, options, now)


def _page(
    options: LibraryOptions, number: int, rows: list[LectureRow], *, has_next: bool, now: datetime
) -> str:
    before = _FROM_PAGES + INDEX_NAME if number == 2 else _page_name(number - 1)
    values = {
        "number": number,
        "before": before,
        "after": _page_name(number + 1) if has_next else None,
        "home": _FROM_PAGES + INDEX_NAME,
        "base": _FROM_PAGES,
        "first": (number - 1) * PAGE_SIZE + 1,
        "rows": rows,
        **_common(options, now),
    }
    return render_template("library_index.html.j2", values, {"clock": clock, "language": language_name})


def _first_page(options: LibraryOptions, index: _Index, rows: list[LectureRow], now: datetime) -> str:
    pages = (LIBRARY_FOLDER / PAGES_NAME).as_posix()
    links = [INDEX_NAME, *(f"{pages}/{_page_name(n)}" for n in range(2, len(index.ranges) + 1))]
    values = {
        "number": 1,
        "before": None,
        "after": links[1] if len(links) > 1 else None,
        "home": INDEX_NAME,
        "base": "",
        "first": 1,
        "rows": rows,
        "n_lectures": sum(index.lectures.values()),
        "lectures": index.lectures,
        "languages": sorted({code for code, _ in index.counts}),
        "counts": index.counts,
        "seconds": index.seconds,
        "pages": list(zip(links, index.ranges, strict=True)),
        "problems": index.problems,
        "n_problems": index.n_problems,
        "has_trends": (options.output_dir / "library.html").is_file(),
        **_common(options, now),
    }
    return render_template("library_index.html.j2", values, {"clock": clock, "language": language_name})


def _common(options: LibraryOptions, now: datetime) -> dict[str, object]:
    return {
        "states": STATES,
        "library": visible(options.root.resolve().name or str(options.root)),
        "made": now.strftime("%Y-%m-%d %H:%M UTC"),
        "version": package_version("f2f"),
        "style": read_style("style.css", "library.css"),
    }


def _page_name(number: int) -> str:
    return f"{number:05d}.html"


def _tidy(options: LibraryOptions, n_pages: int) -> None:
    """Remove pages that are no more, and what killed writers left."""
    folder = options.folder / PAGES_NAME
    for path in folder.glob("*.html"):
        if path.stem.isdigit() and not 2 <= int(path.stem) <= n_pages:
            path.unlink(missing_ok=True)
    old_s = time.time() - _LEFTOVER_S
    for path in (*options.output_dir.glob(f".{INDEX_NAME}.*.tmp"), *folder.glob(".*.html.*.tmp")):
        with suppress(FileNotFoundError):  # its writer renamed it meanwhile
            if path.stat().st_mtime < old_s:
                path.unlink()
