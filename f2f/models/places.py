"""Where weights lie on this machine, and how their files are known to be right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from f2f.errors import EngineUnavailableError
from lipsync_core.errors import MissingModelError
from lipsync_core.weights import Weights

_BLOCK_BYTES = 1 << 20
_BESIDE = (".part", ".verified.json")  # what lipsync_core's downloader keeps

Progress = Callable[[int, "int | None"], None]
"""Called with bytes done and bytes in all (None while unknown)."""


@dataclass(frozen=True)
class Digest:
    """Hash that a file is published with.

    Attributes:
        kind: ``"sha256"``, or ``"git"``: SHA-1 of git's blob, under which hubs keep small files.
        value: hexadecimal.
    """

    kind: Literal["sha256", "git"]
    value: str

    def fits(self, path: Path) -> bool:
        """Whether a file has this hash; it is read whole."""
        if self.kind == "sha256":
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(usedforsecurity=False)
            digest.update(b"blob %d\0" % path.stat().st_size)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest() == self.value


@dataclass(frozen=True)
class LocalFile:
    """One file of a model on this machine.

    Attributes:
        name: path inside the model, with slashes.
        path: where it is.
        digest: what it is published with, None where nobody says.
    """

    name: str
    path: Path
    digest: Digest | None


@dataclass(frozen=True)
class Found:
    """The files of a model that is here.

    Attributes:
        folder: where they lie.
        files: all of them.
        revision: commit of the hub's repository, empty for models from elsewhere.
    """

    folder: Path
    files: tuple[LocalFile, ...]
    revision: str = ""

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.path.stat().st_size for file in self.files)


class Place(Protocol):
    """One way in which a model is kept."""

    @property
    def is_packaged(self) -> bool:
        """Whether the model is part of an installed package: neither fetched, moved nor removed."""

    @property
    def folder(self) -> Path:
        """Where its files lie, or would lie."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Addresses it is fetched from, in order."""

    @property
    def needed_bytes(self) -> int | None:
        """Exact size where it is published."""

    def find(self) -> Found | None:
        """Return the files if all that the engine needs are here; nothing is hashed."""

    def begun_bytes(self) -> int:
        """Return how much an interrupted download left behind."""

    def fetch(self, progress: Progress) -> None:
        """Bring the files.

        Raises:
            EngineUnavailableError: no source gives the right files.
        """

    def refusal(self, names: Sequence[str], revision: str) -> str | None:
        """Say why files of these names would not be this model, None if they would."""

    def published(self) -> dict[str, Digest]:
        """Return the hashes that this program itself knows, by file."""

    def accept(self, files: Sequence[LocalFile], revision: str) -> None:
        """Move files that were checked to where the engine looks; they appear whole or not at all."""

    def remove(self) -> int:
        """Delete the files and what interrupted downloads left; return the bytes freed."""


@dataclass(frozen=True)
class OneFile:
    """A single published file.

    Attributes:
        weights: name, mirrors, hash and size of the file.
        folder: of the engine's own cache.
        others: folders in which the engine also finds it.
    """

    weights: Weights
    folder: Path
    others: tuple[Path, ...] = ()
    is_packaged = False

    @property
    def _path(self) -> Path:
        return self.folder / self.weights.file

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Place`."""
        return self.weights.urls

    @property
    def needed_bytes(self) -> int | None:
        """See `Place`."""
        return self.weights.size_bytes

    def find(self) -> Found | None:
        """See `Place`."""
        for folder in (self.folder, *self.others):
            path = folder / self.weights.file
            size = _size(path)
            if size > 0 and size == (self.weights.size_bytes or size):
                file = LocalFile(self.weights.file, path, self.published().get(self.weights.file))
                return Found(folder, (file,))
        return None

    def begun_bytes(self) -> int:
        """See `Place`."""
        return _size(self._path.with_name(f"{self.weights.file}.part"))

    def fetch(self, progress: Progress) -> None:
        """See `Place`."""
        from lipsync_core.weights import fetch

        try:
            fetch(self.weights, progress, self._path)
        except MissingModelError as error:
            raise EngineUnavailableError(str(error)) from error

    def refusal(self, names: Sequence[str], revision: str) -> str | None:
        """See `Place`."""
        del revision
        return None if list(names) == [self.weights.file] else f"is the one file {self.weights.file}"

    def published(self) -> dict[str, Digest]:
        """See `Place`."""
        sha256 = self.weights.sha256
        return {self.weights.file: Digest("sha256", sha256)} if sha256 else {}

    def accept(self, files: Sequence[LocalFile], revision: str) -> None:
        """See `Place`."""
        del revision
        self.folder.mkdir(parents=True, exist_ok=True)
        files[0].path.replace(self._path)

    def remove(self) -> int:
        """See `Place`."""
        return sum(
            _unlink(path)
            for folder in (self.folder, *self.others)
            for path in sorted(folder.glob(f"{self.weights.file}*"))
            if path.name in {self.weights.file, *(f"{self.weights.file}{one}" for one in _BESIDE)}
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _unlink(path: Path) -> int:
    size = path.stat().st_size
    path.unlink()
    return size
