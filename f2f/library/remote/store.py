"""A library behind URLs as the rest of ``f2f.library`` sees it."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.errors import UsageError
from f2f.library.lease import FOLDER_NAME as LEASE
from f2f.library.lease import TTL_S, Holder, Lease, read_holder, read_holder_in, take_lease, take_lease_in
from f2f.library.lecture import LIBRARY_FOLDER, LibraryOptions
from f2f.library.metrics import METRICS_NAME
from f2f.library.planning import Plan
from f2f.library.remote.desk import RemoteDesk
from f2f.library.remote.figures import compose_figures
from f2f.library.remote.laying import lay, make_folder
from f2f.library.remote.leases import LeaseObjects, check_exclusive
from f2f.library.remote.mirror import Mirror
from f2f.library.remote.scratch import scratch_folder
from f2f.library.store import Store, StoreError, stat_file
from f2f.library.urls import is_url
from f2f.workspace import hash_file
from lipsync_core.errors import LipSyncError

if TYPE_CHECKING:
    from lipsync_core.media import MediaInfo

_PAGES = ("index.html", "library.html", "library.prom", METRICS_NAME)
_PATIENCE_S, _LAST_PATIENCE_S = 60.0, 900.0  # with others who write the pages
_POLL_S = 1.0
_END_BYTES = 4 * 2**20  # of a video at both ends: there its length stands
_VOICES_NOTICE = (
    "people keep their voices within a lecture, but not throughout the library: the file of its voices "
    "needs a folder that all machines see"
)


class RemoteStore(Store):
    """A library of which videos, outputs or both lie behind URLs.

    Attributes:
        root: folder that stands for the lectures.
        output_dir: folder that stands for the outputs.
        has_videos: whether the outputs are in a folder here.

    Args:
        root: URL or folder of the lectures.
        output_dir: URL or folder for the outputs.

    Raises:
        UsageError: a URL cannot be used, or there is nothing.
        EngineUnavailableError: what speaks its protocol is not installed.
    """

    def __init__(self, root: str, output_dir: str) -> None:
        self._mirror = Mirror(scratch_folder(self))
        self.root, self.output_dir = (
            self._mirror.add(one) if is_url(one) else Path(one) for one in (root, output_dir)
        )
        self.has_videos = not self._mirror.holds(self.output_dir)
        if not self.has_videos:
            self.notices = (_VOICES_NOTICE,)
        self._is_checked = False
        try:
            is_empty = self._mirror.holds(self.root) and not self._list(self.root)
            if not self.has_videos:
                self._list(self.output_dir)  # whether its bucket is there
        except StoreError as error:
            raise UsageError(str(error)) from error
        if is_empty:
            raise UsageError(f"{root} holds nothing; give the bucket and folder that hold the lectures")

    def place(self, path: Path) -> str:
        """Return the URL of what a path stands for, or the path."""
        if not self._mirror.holds(path):
            return str(path)
        objects, key = self._mirror.where(path)
        return objects.url(key)

    def words(self, text: str) -> str:
        """Return a message with URLs in place of the paths that stand for them."""
        return self._mirror.words(text)

    def check(self) -> None:
        """See that the store can be written, and creates an object once only."""
        if not self.has_videos and not self._is_checked:
            objects, key = self._mirror.where(self.output_dir)
            check_exclusive(objects, f"{key}/{LIBRARY_FOLDER.as_posix()}")
            self._is_checked = True

    def look(self) -> None:
        """Lay out what lies in library and outputs now."""
        remote = [one for one in (self.root, self.output_dir) if self._mirror.holds(one)]
        tops = [one for one in dict.fromkeys(remote) if not any(_is_inside(one, top) for top in remote)]
        self._mirror.look_below(tops, self.output_dir)
        for one in remote:
            make_folder(one)

    def look_at(self, source: Path, workspace_root: Path) -> None:
        """Lay out what there is of one lecture now."""
        for folder in dict.fromkeys((source.parent, workspace_root.parents[1])):
            if self._mirror.holds(folder):
                self._mirror.look_in(folder)
        if self._mirror.holds(workspace_root):
            self._mirror.look_into_books(workspace_root)

    def refused(self) -> Iterator[tuple[str, str]]:
        """Give what can be no file here."""
        return self._mirror.unusable(self.root)

    def fetch_figures(self) -> None:
        """Bring ``library.jsonl`` up to date: what was composed before, and the lines added since."""
        if not self.has_videos:
            compose_figures(self._mirror, self.output_dir)

    def take_lease(self, workspace_root: Path, ttl_s: float = TTL_S) -> Lease | None:
        """Take a lease in the store."""
        if not self._mirror.holds(workspace_root):
            return take_lease(workspace_root, ttl_s)
        self.check()
        return take_lease_in(self._leases(workspace_root), ttl_s)

    def read_holder(self, workspace_root: Path) -> Holder | None:
        """Return who has a lease in the store."""
        if not self._mirror.holds(workspace_root):
            return read_holder(workspace_root)
        return read_holder_in(self._leases(workspace_root))

    def file_part(self, path: Path) -> list[Any]:
        """Return name and content of a file here: each machine has its own, with its own time stamp."""
        if self._mirror.holds(path):
            return super().file_part(path)
        return [path.name, _hash_once(path, *stat_file(path))]

    def probe(self, path: Path) -> MediaInfo:
        """Return what a video holds, if possible from both its ends alone."""
        if not self._mirror.holds(path):
            return super().probe(path)
        objects, key = self._mirror.where(path)
        size, stamp_ns = stat_file(path)
        if size < 0:
            raise StoreError(f"{objects.url(key)} is gone; try again")
        try:
            with path.open("r+b") as file:
                for start in {0, max(0, size - _END_BYTES)} if size else ():
                    file.seek(start)
                    file.write(objects.read_part(key, start, min(size, start + _END_BYTES)))
            os.utime(path, ns=(stamp_ns, stamp_ns))
            try:
                return super().probe(path)
            except LipSyncError:
                self._mirror.fetch(path)
                return super().probe(path)
        except LipSyncError as error:
            raise LipSyncError(self.words(str(error))) from error
        finally:
            path.unlink(missing_ok=True)
            if entry := objects.entry(key):
                lay(path, entry)

    @contextmanager
    def desk(self, plan: Plan, options: LibraryOptions, is_held: Callable[[], bool]) -> Iterator[RemoteDesk]:
        """Bring a lecture here for as long as it is worked on."""
        desk = RemoteDesk(self._mirror, plan, options, is_held)
        try:
            desk.take_in()
            yield desk
        finally:
            desk.clear()
            with suppress(StoreError):  # the next look shows
                self.look_at(plan.lecture.source, plan.workspace_root)

    def write_pages(self, write: Callable[[], object], *, is_last: bool = False) -> None:
        """Have the pages written from what is in the store now, and take there what changed.

        Args:
            write: writes them to the folders that stand for the library.
            is_last: wait long for others who write them: what was done here may not be in theirs.

        Raises:
            StoreError: somebody else writes them, and does not come to an end, or has begun to meanwhile.
        """
        if self.has_videos:
            self.look()
            write()
            return
        with self._pages_lease(_LAST_PATIENCE_S if is_last else _PATIENCE_S) as lease:
            self.look()
            before = {path: stat_file(path) for path in self._page_files()}
            done = compose_figures(self._mirror, self.output_dir)
            write()
            for path in self._page_files():
                if before.pop(path, None) != stat_file(path):
                    _check_held(lease)
                    self._mirror.upload(path)
            objects, _ = self._mirror.where(self.output_dir)
            for key in (*done, *(self._mirror.where(gone)[1] for gone in before)):
                _check_held(lease)
                objects.remove(key)

    def _page_files(self) -> Iterator[Path]:
        library = self.output_dir / LIBRARY_FOLDER
        yield from (path for path in (self.output_dir / name for name in _PAGES) if path.is_file())
        yield from library.glob("pages/[!.]*.html")
        yield from library.glob("thumbnails/*/[!.]*.jpg")

    @contextmanager
    def _pages_lease(self, patience_s: float) -> Iterator[Lease]:
        folder = self.output_dir / LIBRARY_FOLDER / "pages-writer"
        deadline_s = time.monotonic() + patience_s
        while (lease := self.take_lease(folder)) is None:
            if time.monotonic() > deadline_s:
                raise StoreError(
                    f"other machines have been writing them for {patience_s:g} s; the next batch does"
                )
            time.sleep(_POLL_S)
        with lease:
            yield lease

    def _list(self, folder: Path) -> bool:
        objects, key = self._mirror.where(folder)
        return bool(objects.ls(key))

    def _leases(self, workspace_root: Path) -> LeaseObjects:
        objects, key = self._mirror.where(workspace_root)
        return LeaseObjects(objects, f"{key}/{LEASE}")


def _check_held(lease: Lease) -> None:
    """See that nobody else writes the pages now: theirs are newer.

    Raises:
        StoreError: somebody may.
    """
    if not lease.is_held():
        raise StoreError("another machine may write them by now; they are up to date after the next batch")


def _is_inside(folder: Path, top: Path) -> bool:
    return folder != top and folder.is_relative_to(top)


@functools.lru_cache(maxsize=64)
def _hash_once(path: Path, size: int, mtime_ns: int) -> str:
    return hash_file(path) if size >= 0 else ""
