"""Content-addressed store of stage results: ``<root>/<stage>/<key>/result.json`` and the files beside it.

A stage works in ``<root>/<stage>/.<key>.<pid>.tmp``; when it is done that folder is renamed into place, so a
result is either whole or absent whatever kills the process. Sizes and hashes of the files are kept in
the envelope and checked before a result is used again; anything damaged counts as absent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from f2f.results import EngineInfo, Result
from f2f.stage import Observer

RESULT_NAME = "result.json"
_HASH_LIMIT_BYTES = 64 * 2**20  # larger files are hashed again only when their time stamp changed
_FORMAT = 1

R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Stored(Generic[R]):
    """A finished result and where it lies.

    Attributes:
        stage: name of the stage.
        folder: holds ``result.json`` and the result's files.
        key: what the result is stored under.
        result: the result itself.
        version: version of the stage that made it.
        seconds: wall time the work took, when it was done.
        peak_memory_mib: memory it took, as ``f2f.peak_memory`` measures it; None where it was not measured.
        digest: hash of the result and its files; input of the keys of later stages.
        notices: what the work had to tell a person.
        reused: True if it was found, False if this run made it.
    """

    stage: str
    folder: Path
    key: str
    result: R
    version: int
    seconds: float
    digest: str
    notices: tuple[str, ...]
    reused: bool
    peak_memory_mib: float | None = None

    def path(self, name: str) -> Path:
        """Path of one of the result's files."""
        return self.folder / name

    def holding(self, result: R) -> Stored[R]:
        """Return this with another result in it, and the digest that goes with that."""
        if result == self.result:
            return self
        digest = hash_bytes(result.model_dump_json().encode())
        return dataclasses.replace(self, result=result, digest=digest)

    @property
    def engine(self) -> EngineInfo | None:
        """Engine that made the result, if the stage has engines."""
        engine = getattr(self.result, "engine", None)
        return engine if isinstance(engine, EngineInfo) else None


@dataclass(frozen=True)
class Work:
    """An empty folder in which a stage makes the result that ``key`` will hold."""

    stage: str
    key: str
    folder: Path


def make_key(stage: str, version: int, parts: Mapping[str, Any]) -> str:
    """Return the key of a stage's result: a hash of name, version and ``parts`` (JSON values)."""
    text = json.dumps({"stage": stage, "version": version, **parts}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def hash_bytes(data: bytes) -> str:
    """Return the SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) beside ``path`` and rename it into place."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A process id alone is not unique where several hosts share the folder.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        # A process that has just locked the workspace takes what another writes there for a leftover; it does
        # so once, at its start.
        for is_last in (False, False, True):
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                temporary.replace(path)
                return
            except FileNotFoundError:
                if is_last:
                    raise
    except OSError as error:
        error.filename = str(path)  # the system names the temporary file, or none at all
        raise
    finally:
        with contextlib.suppress(OSError):  # of a disk that can only be read this fails, too
            temporary.unlink(missing_ok=True)


class Workspace:
    """The stored results of one source.

    Args:
        root: folder of the workspace; made by ``lock``, lookups work without it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def lock(self, observer: Observer) -> Iterator[None]:
        """Hold the workspace for this process; wait, with a notice, while another one has it.

        The kernel gives the lock back when a process dies, so whatever unfinished folders are found
        inside belong to nobody and are removed.
        """
        import fcntl

        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                observer.notice(f"another f2f works on {self.root}; waiting until it is done")
                fcntl.flock(file, fcntl.LOCK_EX)
            self.remove_unfinished()
            yield

    def remove_unfinished(self) -> None:
        """Remove what killed processes left behind; call with the lock held."""
        for leftover in [*self.root.glob(".*.tmp"), *self.root.glob("*/.*.tmp")]:
            _remove(leftover)

    def load(self, stage: str, key: str, kind: type[R]) -> Stored[R] | None:
        """Return the stored result, or None if there is none or it is damaged."""
        folder = self.root / stage / key
        try:
            envelope = json.loads((folder / RESULT_NAME).read_text(encoding="utf-8"))
            if envelope["format"] != _FORMAT or envelope["digest"] != _digest(envelope):
                return None
            for name, facts in envelope["files"].items():
                if not _is_intact(folder / name, facts):
                    return None
            return _stored(
                folder, envelope, kind.model_validate_json(json.dumps(envelope["result"])), reused=True
            )
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    @contextlib.contextmanager
    def begin(self, stage: str, key: str) -> Iterator[Work]:
        """Give an empty folder to work in; it is removed unless ``commit`` moved it into place."""
        folder = self.root / stage / f".{key}.{os.getpid()}.tmp"
        _remove(folder)
        folder.mkdir(parents=True)
        try:
            yield Work(stage, key, folder)
        finally:
            _remove(folder)

    def commit(
        self,
        work: Work,
        result: R,
        *,
        version: int,
        seconds: float,
        notices: Sequence[str] = (),
        peak_memory_mib: float | None = None,
    ) -> Stored[R]:
        """Seal ``work`` (from ``begin``) as a result under its key; it appears whole or not at all."""
        envelope: dict[str, Any] = {
            "format": _FORMAT,
            "stage": work.stage,
            "version": version,
            "key": work.key,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "peak_memory_mib": None if peak_memory_mib is None else round(peak_memory_mib, 1),
            "notices": list(notices),
            "files": {
                path.relative_to(work.folder).as_posix(): _facts(path)
                for path in sorted(work.folder.rglob("*"))
                if path.is_file() and path.name != RESULT_NAME
            },
            "result": json.loads(result.model_dump_json()),
        }
        envelope["digest"] = _digest(envelope)
        write_atomically(work.folder / RESULT_NAME, json.dumps(envelope, ensure_ascii=False, indent=1))
        folder = self.root / work.stage / work.key
        if folder.exists():  # a damaged result: out of the way first, a folder cannot be replaced
            folder.rename(folder.with_name(f".{work.key}.{os.getpid()}.{time.monotonic_ns()}.tmp"))
        work.folder.replace(folder)
        for old in folder.parent.glob(f".{work.key}.*.tmp"):
            _remove(old)
        return _stored(folder, envelope, result, reused=False)


def _stored(folder: Path, envelope: Mapping[str, Any], result: R, *, reused: bool) -> Stored[R]:
    return Stored(
        stage=envelope["stage"],
        folder=folder,
        key=envelope["key"],
        result=result,
        version=envelope["version"],
        seconds=envelope["seconds"],
        digest=envelope["digest"],
        notices=tuple(envelope["notices"]),
        reused=reused,
        peak_memory_mib=envelope.get("peak_memory_mib"),
    )


def _digest(envelope: Mapping[str, Any]) -> str:
    """Hash of what later stages see: the result and the contents of its files, not times or names of runs."""
    contents = {name: facts["sha256"] for name, facts in envelope["files"].items()}
    text = json.dumps([envelope["result"], contents], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": hash_file(path)}


def _is_intact(path: Path, facts: Mapping[str, Any]) -> bool:
    status = path.stat()
    if status.st_size != facts["size"]:
        return False
    if status.st_size >= _HASH_LIMIT_BYTES and status.st_mtime_ns == facts["mtime_ns"]:
        return True
    return hash_file(path) == str(facts["sha256"])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
