"""Models inside installed packages: verified like all others, but neither fetched, moved nor removed."""

from __future__ import annotations

import base64
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.errors import UsageError
from f2f.models.places import Digest, Found, LocalFile, Progress


@dataclass(frozen=True)
class _Packaged:
    """What all models inside packages share: nothing about them can be moved."""

    is_packaged = True
    sources: tuple[str, ...] = ()
    needed_bytes: int | None = None

    def begun_bytes(self) -> int:
        """See `Place`."""
        return 0

    def fetch(self, progress: Progress) -> None:
        """See `Place`."""
        raise UsageError("it is inside an installed package: there is nothing to fetch")

    def refusal(self, names: Sequence[str], revision: str) -> str | None:
        """See `Place`."""
        return "is inside an installed package and never in a bundle"

    def published(self) -> dict[str, Digest]:
        """See `Place`."""
        return {}

    def accept(self, files: Sequence[LocalFile], revision: str) -> None:
        """See `Place`."""
        raise UsageError("it is inside an installed package: nothing else takes its place")

    def remove(self) -> int:
        """See `Place`."""
        raise UsageError("it is inside an installed package: it goes when that is uninstalled")


@dataclass(frozen=True)
class EmbeddedFile(_Packaged):
    """Weights inside ``lipsync_core``, with the hashes of ``SHA256SUMS`` beside them."""

    file: str = ""

    @property
    def folder(self) -> Path:
        """See `Place`."""
        from lipsync_core.weights import lookup

        return lookup.PACKAGE_FOLDER

    def find(self) -> Found | None:
        """See `Place`."""
        from lipsync_core.weights.lookup import embedded_sums

        path = self.folder / self.file
        sha256 = embedded_sums().get(self.file)
        digest = Digest("sha256", sha256) if sha256 else None
        return Found(self.folder, (LocalFile(self.file, path, digest),)) if path.is_file() else None


@dataclass(frozen=True)
class PackageFiles(_Packaged):
    """Data files of somebody else's package, with the hashes that its wheel recorded.

    Attributes:
        distribution: name of the package.
        inside: part of the path that tells the model from the rest of the package.
    """

    distribution: str = ""
    inside: str = ""

    @property
    def folder(self) -> Path:
        """See `Place`."""
        found = self.find()
        return found.folder if found else Path(self.inside)

    def find(self) -> Found | None:
        """See `Place`."""
        try:
            recorded = importlib.metadata.distribution(self.distribution).files or []
        except importlib.metadata.PackageNotFoundError:
            return None
        files = []
        for entry in recorded:
            if self.inside not in entry.as_posix():
                continue
            path = Path(str(entry.locate()))
            has_hash = entry.hash is not None and entry.hash.mode == "sha256"
            digest = Digest("sha256", _unpadded_hex(entry.hash.value)) if has_hash and entry.hash else None
            if not path.is_file():
                return None
            files.append(LocalFile(entry.as_posix(), path, digest))
        return Found(files[0].path.parent, tuple(files)) if files else None


def _unpadded_hex(value: str) -> str:
    """Return the hexadecimal form of a hash as wheels record it: URL-safe base64, not padded (PEP 376)."""
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
