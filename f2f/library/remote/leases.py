"""Leases in a store of objects: creating one that is not there is what the store does once only."""

from __future__ import annotations

import itertools
import uuid

from f2f.errors import UsageError
from f2f.library.lease_folder import LeaseFolder, name_of, number_of
from f2f.library.remote.objects import Objects
from f2f.library.store import StoreError


class LeaseObjects(LeaseFolder):
    """Numbered leases as objects.

    A renewal writes the object anew, with other spaces at its end, so that its mark changes, too: stores
    give time stamps by the second.

    Args:
        objects: the store.
        folder: key of the folder.
    """

    poll_s = 1.0

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects, self._folder = objects, folder
        self._n_renewals = itertools.count(1)

    def numbers(self) -> list[int]:
        """Return the numbers of all leases that lie here."""
        return [number_of(entry.name) for entry in self._objects.ls(self._folder)]

    def create(self, number: int, data: bytes) -> bool:
        """Write a lease unless there is one of that number."""
        return self._objects.create(self._key(number), data)

    def read(self, number: int) -> bytes:
        """Return what a lease holds."""
        data = self._objects.read(self._key(number))
        if data is None:
            raise FileNotFoundError(self._key(number))
        return data

    def stamp_ns(self, number: int) -> int:
        """Return when a lease was written last."""
        return self._stamp_ns(self._key(number))

    def renew(self, number: int, data: bytes) -> None:
        """Write a lease anew."""
        self.write(number, data + b" " * (next(self._n_renewals) % 8))

    def write(self, number: int, data: bytes) -> None:
        """Replace what a lease holds."""
        self._objects.write(self._key(number), data)

    def remove(self, number: int) -> None:
        """Remove a lease."""
        self._objects.remove(self._key(number))

    def now_ns(self) -> int:
        """Return the time of the store's own clock."""
        key = f"{self._folder}/.clock.{uuid.uuid4().hex}.tmp"
        self._objects.write(key, b"")
        try:
            return self._stamp_ns(key)
        finally:
            self._objects.remove(key)

    def _stamp_ns(self, key: str) -> int:
        entry = self._objects.entry(key)
        if entry is None:
            raise FileNotFoundError(key)
        return entry.stamp_ns

    def _key(self, number: int) -> str:
        return f"{self._folder}/{name_of(number)}"


def check_exclusive(objects: Objects, folder: str) -> None:
    """See that the store creates an object once only: without that, leases mean nothing.

    Raises:
        UsageError: it does not, or nothing can be written there at all.
    """
    key = f"{folder}/.once.{uuid.uuid4().hex}.tmp"
    try:
        first = objects.create(key, b"first")
        is_once = first and not objects.create(key, b"second")
        objects.remove(key)
    except StoreError as error:
        raise UsageError(str(error)) from error
    if not is_once:
        raise UsageError(
            f"{objects.url(folder)} lies in a store that creates one object twice (ignores If-None-Match), "
            "so machines could not share the work: take another store, or a newer version of its server"
        )
