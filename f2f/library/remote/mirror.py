"""What lies in a store, laid out in a folder here: names, sizes and time stamps, contents only where small.

``<folder>/<protocol>/<bucket>/<key>`` stands for each object. A file that is not at hand has its size and
stamp but only holes inside; the books of lectures (status, figures, ledger, lease) hold what they hold there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from f2f.errors import UsageError
from f2f.library.lease import FOLDER_NAME as LEASE
from f2f.library.lecture import LIBRARY_FOLDER
from f2f.library.metrics import LATEST_NAME
from f2f.library.remote.laying import beside, is_same, lay, make_folder, why_too_large, write
from f2f.library.remote.names import IS_BOTH, sort_out, why_no_name
from f2f.library.remote.objects import Entry, Objects
from f2f.library.status import STATUS_NAME
from f2f.library.store import StoreError
from f2f.library.urls import parse_url
from f2f.outputs import LEDGER_NAME

WORK = LIBRARY_FOLDER.parts[0]
BOOKS = (LEDGER_NAME, LATEST_NAME, STATUS_NAME)
_LEFT_BYTES = 4  # of a lease that nobody holds; what stands in it says nothing


class Mirror:
    """A folder that stands for places in stores.

    Args:
        folder: nobody else uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stores: dict[str, Objects] = {}
        self._unusable: dict[Path, dict[str, str]] = {}

    def add(self, url: str) -> Path:
        """Return the folder that stands for a URL.

        Raises:
            F2FError: it cannot be used.
        """
        protocol, key = parse_url(url)
        for reason in filter(None, map(why_no_name, key.split("/"))):
            raise UsageError(f"{url!r} is no place for a library: {reason}")
        if protocol not in self._stores:
            self._stores[protocol] = Objects(protocol)
        path = self.folder / protocol / key
        path.mkdir(parents=True, exist_ok=True)
        return path

    def holds(self, path: Path) -> bool:
        """Whether a path stands for something in a store."""
        return path.is_relative_to(self.folder) and ".." not in path.parts

    def where(self, path: Path) -> tuple[Objects, str]:
        """Return store and key of what a path stands for."""
        protocol, *parts = path.relative_to(self.folder).parts
        return self._stores[protocol], "/".join(parts)

    def path(self, objects: Objects, key: str) -> Path:
        """Return the path that stands for a key."""
        return self.folder / objects.protocol / key

    def words(self, text: str) -> str:
        """Return a text with URLs in place of the paths that stand for them."""
        for protocol in self._stores:
            text = text.replace(f"{self.folder}/{protocol}/", f"{protocol}://")
        return text

    def look_below(self, tops: Iterable[Path], output_dir: Path) -> None:
        """Lay out everything below some folders, and the books of the lectures whose outputs lie there."""
        self._unusable.clear()
        left = list(tops)
        while left:
            folder = left.pop()
            below, has_books = self.look_in(folder)
            left += below
            if has_books and folder.is_relative_to(output_dir):
                self.look_into_books(folder / WORK)

    def look_in(self, folder: Path) -> tuple[list[Path], bool]:
        """Lay out one folder; return the folders in it, and whether lectures were worked on there.

        Raises:
            StoreError: the store does not tell, or ``folder`` is none of the mirror's.
        """
        if not self.holds(folder) or not folder.resolve().is_relative_to(self.folder.resolve()):
            raise StoreError(f"{folder} is no folder of the library; name lectures relative to it")
        objects, key = self.where(folder)
        entries = objects.ls(key)
        folders = {entry.name for entry in entries if entry.is_folder}
        names, unusable = set[str](), dict[str, str]()
        make_folder(folder)
        for entry in entries:
            reason = _why_unusable(entry, folders)
            if entry.name.startswith(".") and entry.name not in (".", ".."):
                continue
            if reason is not None:
                unusable[entry.name or "/"] = reason
                continue
            if not entry.is_folder and not lay(folder / entry.name, entry):
                unusable[entry.name] = why_too_large(entry)
                continue
            names.add(entry.name)
        self._unusable[folder] = unusable
        for gone in [one for one in os.scandir(folder) if one.name not in names and one.name[0] != "."]:
            shutil.rmtree(gone) if gone.is_dir(follow_symlinks=False) else Path(gone).unlink()
        below = [folder / name for name in sorted(folders & names)]
        for one in below:
            make_folder(one)
        return below, WORK in folders

    def look_into_books(self, folder: Path) -> None:
        """Lay out a folder ``.f2f``, or one workspace in it, and fetch the books that changed."""
        objects, key = self.where(folder)
        listed, wanted = set[Path](), dict[str, Entry]()
        entries = {entry.key: entry for entry in objects.find(key)}
        unusable = self._unusable[folder] = {}
        for name, reason in sort_out(entries, key):
            if reason is not None:
                unusable[name.removeprefix(f"{key}/")] = reason
                continue
            entry, path = entries[name], self.path(objects, name)
            listed.add(path)
            if not is_same(path, entry):
                if _is_book(path) and not (path.parent.name == LEASE and entry.size == _LEFT_BYTES):
                    wanted[entry.key] = entry
                elif not lay(path, entry):
                    unusable[name.removeprefix(f"{key}/")] = why_too_large(entry)
        for key, data in objects.read_all(wanted):
            path = self.path(objects, key)
            if data is None:
                path.unlink(missing_ok=True)
            else:
                write(path, data, wanted[key].stamp_ns)
        for path in list(_files_below(folder)):
            if path not in listed and (_is_book(path) or path.is_relative_to(folder / LIBRARY_FOLDER.name)):
                path.unlink(missing_ok=True)

    def fetch(self, path: Path) -> bool:
        """Bring the content of a file that was laid out; return whether it still is what it was."""
        objects, key = self.where(path)
        entry = objects.entry(key)
        if entry is None or not is_same(path, entry):
            return False
        temporary = beside(path)
        try:
            if not objects.download(entry, temporary):
                return False
            os.utime(temporary, ns=(entry.stamp_ns, entry.stamp_ns))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def upload(self, path: Path) -> None:
        """Write a file to the store; from then on it bears the stamp that it has there."""
        objects, key = self.where(path)
        stamp_ns = objects.upload(path, key).stamp_ns
        os.utime(path, ns=(stamp_ns, stamp_ns))

    def unusable(self, root: Path) -> Iterator[tuple[str, str]]:
        """Give names below a folder that can be no file here, and why."""
        found = {
            f"{folder.relative_to(root).as_posix()}/{name}".removeprefix("./"): reason
            for folder, names in self._unusable.items()
            if folder.is_relative_to(root)
            for name, reason in names.items()
        }
        yield from found.items()


def _is_book(path: Path) -> bool:
    return path.name in BOOKS or (path.parent.name == LEASE and path.suffix == ".json")


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)


def _why_unusable(entry: Entry, folders: Collection[str]) -> str | None:
    """Return why an object can be no file here, None if it can."""
    is_both = not entry.is_folder and entry.name in folders
    return why_no_name(entry.name) or (IS_BOTH if is_both else None)
