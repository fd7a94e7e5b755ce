"""Copies of translation models that were made on this machine for CTranslate2: seen, counted, removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.errors import EngineUnavailableError, UsageError
from f2f.models.places import Digest, Found, LocalFile, Progress


@dataclass(frozen=True)
class ConvertedCopy:
    """One converted model.

    Attributes:
        folder: where it lies.
    """

    folder: Path
    is_packaged = False
    sources: tuple[str, ...] = ()
    needed_bytes: int | None = None

    def find(self) -> Found | None:
        """See `Place`."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        named = [LocalFile(path.relative_to(self.folder).as_posix(), path, None) for path in files]
        return Found(self.folder, tuple(named)) if named else None

    def begun_bytes(self) -> int:
        """See `Place`."""
        return 0

    def fetch(self, progress: Progress) -> None:
        """See `Place`."""
        raise EngineUnavailableError(f"{self.folder.name} is made when its model is first used: translate")

    def refusal(self, names: Sequence[str], revision: str) -> str | None:
        """See `Place`."""
        return "is made on each machine and never in a bundle"

    def published(self) -> dict[str, Digest]:
        """See `Place`."""
        return {}

    def accept(self, files: Sequence[LocalFile], revision: str) -> None:
        """See `Place`."""
        raise UsageError(f"{self.folder.name} is made on each machine: nothing else takes its place")

    def remove(self) -> int:
        """See `Place`."""
        found = self.find()
        if found is None:
            return 0
        freed = found.size_bytes
        aside = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.tmp")
        self.folder.rename(aside)
        shutil.rmtree(aside)
        return freed
