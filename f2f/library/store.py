"""Where a library lies: in folders, as here, or behind URLs (``f2f.library.remote``).

Everything else works on folders. What differs where these are a picture of a store of objects goes through
the ``Store`` of ``LibraryOptions``; one of plain folders has nothing to do for most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.errors import F2FError
from f2f.library.lease import TTL_S, Holder, Lease, read_holder, take_lease

if TYPE_CHECKING:
    from f2f.library.child import LanguageResult
    from f2f.library.lecture import LibraryOptions
    from f2f.library.planning import Plan
    from f2f.stage import Observer
    from lipsync_core.media import MediaInfo


class StoreError(F2FError, OSError):
    """The store does not do what was asked of it; another time it may."""


class Desk:
    """Where one lecture is worked on; everything is at hand as long as its context is entered."""

    def watch(self, observer: Observer) -> Observer:
        """Return what the work's events must go to, so that finished stages are kept as they come."""
        return observer

    def publish(self, result: LanguageResult) -> None:
        """Put the outputs of a language where everybody sees them.

        Raises:
            LostError: the lease went to somebody else meanwhile.
        """

    def keep_books(self, result: LanguageResult) -> None:
        """Keep figures and status of a lecture after ``result``.

        Raises:
            LostError: the lease went to somebody else meanwhile.
        """


class Store:
    """A library in folders.

    Attributes:
        has_videos: whether the outputs in the folders are whole, and not only known by size and time stamp.
        notices: what a person must know of libraries that lie there.
    """

    has_videos = True
    notices: tuple[str, ...] = ()

    def place(self, path: Path) -> str:
        """Return what a person calls a file or folder."""
        return str(path)

    def words(self, text: str) -> str:
        """Return a message as a person understands it."""
        return text

    def check(self) -> None:
        """See whether several machines can work here at once.

        Raises:
            UsageError: they cannot.
        """

    def look(self) -> None:
        """Find out what lies in library and outputs now."""

    def look_at(self, source: Path, workspace_root: Path) -> None:
        """Find out what there is of one lecture now."""

    def refused(self) -> Iterator[tuple[str, str]]:
        """Give what can be no file here: name in the library, and why."""
        return iter(())

    def fetch_figures(self) -> None:
        """Bring ``library.jsonl`` up to date."""

    def take_lease(self, workspace_root: Path, ttl_s: float = TTL_S) -> Lease | None:
        """Take a lease, see ``f2f.library.lease``."""
        return take_lease(workspace_root, ttl_s)

    def read_holder(self, workspace_root: Path) -> Holder | None:
        """Return who has a lease."""
        return read_holder(workspace_root)

    def file_part(self, path: Path) -> list[Any]:
        """Return by what a file of settings is known to be the same, on every machine that works here."""
        return [path.name, *stat_file(path)]

    def probe(self, path: Path) -> MediaInfo:
        """Return what a video holds, see ``probe_media``."""
        from lipsync_core.media import probe_media

        return probe_media(path)

    def desk(
        self, plan: Plan, options: LibraryOptions, is_held: Callable[[], bool]
    ) -> AbstractContextManager[Desk]:
        """Make a lecture ready to be worked on; whoever asks holds its lease, as ``is_held`` tells."""
        return nullcontext(Desk())

    def write_pages(self, write: Callable[[], object], *, is_last: bool = False) -> None:
        """Have the pages of the library written; ``is_last`` says that nobody here will again soon."""
        write()


def stat_file(path: Path) -> tuple[int, int]:
    """Return size and time stamp of a file, ``(-1, 0)`` of one that cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
