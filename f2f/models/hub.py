"""Models kept in the cache of the model hub, which transformers, faster-whisper and coqui-tts share."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.engines.hub import repository_folder, snapshot_folders
from f2f.models.places import Digest, Found, LocalFile, Progress

# Weights for other frameworks, and what only a person reads.
_NEVER_NEEDED = (
    "*.h5", "*.msgpack", "*.ot", "*.onnx", "onnx/*", "openvino/*", "coreml/*", "*.tflite", "*.gguf", "*.py",
    "*.md", "*.png", "*.jpg", "*.gif", "*.svg", ".gitattributes", "samples/*",
)  # fmt: skip
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+@-]*/){0,3}[A-Za-z0-9_][A-Za-z0-9._+@-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")

TRANSFORMERS_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class HubRepository:
    """One repository of the model hub.

    Attributes:
        repository: its id, such as ``"facebook/m2m100_418M"``.
        required: the engine needs a file of each of these groups of patterns.
        ignored: patterns of files that it does not need.
        rewritten: files that the engine changes in the cache, so that their hashes say nothing.
    """

    repository: str
    required: tuple[tuple[str, ...], ...]
    ignored: tuple[str, ...] = _NEVER_NEEDED
    rewritten: tuple[str, ...] = ()
    is_packaged = False
    needed_bytes: int | None = None

    @property
    def folder(self) -> Path:
        """See `Place`."""
        return repository_folder(self.repository)

    @property
    def sources(self) -> tuple[str, ...]:
        """See `Place`."""
        return (f"{endpoint()}/{self.repository}",)

    def wanted(self, names: Iterable[str]) -> list[str]:
        """Return those of a repository's files that the engine needs."""
        kept = [name for name in names if not _fits_any(name, self.ignored)]
        if not any(name.endswith(".safetensors") for name in kept):
            return kept
        return [name for name in kept if not _fits_any(name, ("pytorch_model*.bin*",))]

    def lacking(self, names: Sequence[str]) -> str | None:
        """Name what the engine needs and is not among ``names``."""
        groups = [group for group in self.required if not any(_fits_any(name, group) for name in names)]
        return ", ".join(" or ".join(group) for group in groups) or None

    def find(self) -> Found | None:
        """See `Place`."""
        for folder in snapshot_folders(self.repository):
            names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))
                     if path.is_symlink() or path.is_file()]  # fmt: skip
            wanted = self.wanted(names)
            if self.lacking(wanted) is None and all((folder / name).is_file() for name in wanted):
                files = [LocalFile(name, folder / name, self._digest(folder / name, name)) for name in wanted]
                return Found(folder, tuple(files), folder.name)
        return None

    def _digest(self, path: Path, name: str) -> Digest | None:
        """Return the hash that the cache names a file's content by; plain files (on Windows) have none."""
        blob = path.resolve().name if path.is_symlink() else ""
        if not re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", blob) or name in self.rewritten:
            return None
        return Digest("sha256" if len(blob) == 64 else "git", blob)

    def begun_bytes(self) -> int:
        """See `Place`."""
        return sum(path.stat().st_size for path in (self.folder / "blobs").glob("*.incomplete"))

    def fetch(self, progress: Progress) -> None:
        """See `Place`."""
        from f2f.models.hub_download import download

        download(self, progress)

    def refusal(self, names: Sequence[str], revision: str) -> str | None:
        """See `Place`."""
        if not _COMMIT.fullmatch(revision):
            return f"has the revision {revision!r}, which is no commit"
        if bad := [name for name in names if not _NAME.fullmatch(name)]:
            return f"has a file {bad[0]!r}, a name that is not allowed"
        if strange := sorted(set(names) - set(self.wanted(names))):
            return f"has a file {strange[0]!r}, which the engine does not use"
        lacking = self.lacking(names)
        return f"lacks {lacking}" if lacking else None

    def published(self) -> dict[str, Digest]:
        """See `Place`; what a hub lists is asked of it, not known."""
        return {}

    def accept(self, files: Sequence[LocalFile], revision: str) -> None:
        """See `Place`."""
        from f2f.workspace import write_atomically

        snapshots = self.folder / "snapshots"
        new, old = (snapshots / f".{revision}.{os.getpid()}.{what}" for what in ("new", "old"))
        shutil.rmtree(new, ignore_errors=True)
        try:
            for file in files:
                self._put(file, new, depth=file.name.count("/"))
            if (snapshots / revision).exists():  # part of it, perhaps; a folder cannot be replaced
                (snapshots / revision).rename(old)
            new.rename(snapshots / revision)
        finally:
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
        write_atomically(self.folder / "refs" / "main", revision)

    def _put(self, file: LocalFile, snapshot: Path, depth: int) -> None:
        """Move one file among the blobs and link to it, or into the snapshot where links are not allowed."""
        place = snapshot / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.digest is not None:
            blob = self.folder / "blobs" / file.digest.value
            blob.parent.mkdir(parents=True, exist_ok=True)
            try:
                place.symlink_to(Path(*[".."] * (depth + 2), "blobs", blob.name))
            except OSError:  # Windows without developer mode
                pass
            else:
                file.path.replace(blob)
                return
        file.path.replace(place)

    def remove(self) -> int:
        """See `Place`."""
        if not self.folder.is_dir():
            return 0
        aside = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.tmp")
        self.folder.rename(aside)
        freed = sum(
            path.stat().st_size for path in aside.rglob("*") if path.is_file() and not path.is_symlink()
        )
        shutil.rmtree(aside)
        shutil.rmtree(self.folder.parent / ".locks" / self.folder.name, ignore_errors=True)
        return freed


def endpoint() -> str:
    """Return the address of the hub or of the mirror that stands for it."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _fits_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
