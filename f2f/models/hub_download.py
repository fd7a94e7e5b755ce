"""Fetches a repository of the model hub through huggingface_hub, watched and checked."""

from __future__ import annotations

import glob
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from f2f.engines.hub import hub_cache
from f2f.engines.status import STANDARD_INSTALL, downloads_allowed
from f2f.errors import EngineUnavailableError
from f2f.models.hub import HubRepository, endpoint
from f2f.models.places import Digest, Progress

_WATCH_EVERY_S = 0.5
_ATTEMPTS = 3  # huggingface_hub itself asks again where a connection breaks; this is for what it gives up on


@dataclass(frozen=True)
class Offered:
    """One file as the hub lists it.

    Attributes:
        name: path in the repository.
        size_bytes: of the file.
        digest: its hash, which is also its name among the cache's blobs.
    """

    name: str
    size_bytes: int
    digest: Digest


def download(repository: HubRepository, progress: Progress) -> None:
    """Bring what the engine needs of a repository into the hub's cache; an interrupted download goes on.

    Raises:
        EngineUnavailableError: no answer, no room, or other contents than the hub itself lists.
    """
    hub = _library()
    source = repository.sources[0]
    if not downloads_allowed("auto"):
        raise EngineUnavailableError(
            f"{source} is not asked: HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE or F2F_OFFLINE is set; unset it"
        )
    try:
        commit, files = _listing(hub, repository)
        _refuse_full_disk(repository, files)
        with _watched(repository, files, progress):
            _snapshot(hub, repository, files)
    except EngineUnavailableError:
        raise
    except Exception as error:  # the errors of hub, HTTP library and file system share no root
        raise EngineUnavailableError(
            f"{source} could not be fetched ({type(error).__name__}: {_one_line(error)}); what has arrived "
            f"is kept, the same command goes on; by hand: hf download {repository.repository}"
        ) from error
    _check(repository, commit, files)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise EngineUnavailableError(f"package huggingface-hub is missing: {STANDARD_INSTALL}") from error
    return huggingface_hub


def _listing(hub: Any, repository: HubRepository) -> tuple[str, list[Offered]]:
    """Ask the hub for its commit, names, sizes and hashes, and keep what the engine needs."""
    told = hub.HfApi(endpoint=endpoint()).model_info(repository.repository, files_metadata=True)
    siblings = {one.rfilename: one for one in told.siblings or ()}
    wanted = repository.wanted(siblings)
    lacking = repository.lacking(wanted)
    if lacking:
        raise EngineUnavailableError(f"{repository.sources[0]} has no {lacking}: no model for this engine")
    return str(told.sha), [_offered(siblings[name]) for name in wanted]


def _offered(sibling: Any) -> Offered:
    if sibling.lfs is not None:
        return Offered(sibling.rfilename, int(sibling.size), Digest("sha256", str(sibling.lfs["sha256"])))
    return Offered(sibling.rfilename, int(sibling.size), Digest("git", str(sibling.blob_id)))


def _snapshot(hub: Any, repository: HubRepository, files: Sequence[Offered]) -> None:
    hub.utils.disable_progress_bars()
    hub.utils.logging.set_verbosity_error()  # what goes wrong for good is raised
    patterns = [glob.escape(file.name) for file in files]
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            hub.snapshot_download(
                repository.repository, revision="main", cache_dir=str(hub_cache()), allow_patterns=patterns,
                endpoint=endpoint(), max_workers=2,
            )  # fmt: skip
        except OSError:  # the root of the hub's own errors
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _refuse_full_disk(repository: HubRepository, files: Sequence[Offered]) -> None:
    cache = hub_cache()
    cache.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size_bytes for file in files) - _arrived_bytes(repository, files)
    free = shutil.disk_usage(cache).free
    if missing > free:
        raise EngineUnavailableError(
            f"{repository.repository} needs {missing:,} bytes more, {cache} has {free:,} free: make room, or "
            "name another folder in HF_HOME"
        )


@contextmanager
def _watched(repository: HubRepository, files: Sequence[Offered], progress: Progress) -> Iterator[None]:
    """Tell the progress from the sizes of the files: every version of the library writes them there."""
    total, done = sum(file.size_bytes for file in files), threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_EVERY_S):
            progress(_arrived_bytes(repository, files), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress(total, total)


def _arrived_bytes(repository: HubRepository, files: Sequence[Offered]) -> int:
    blobs = repository.folder / "blobs"
    return sum(
        max((_size(path) for path in blobs.glob(f"{file.digest.value}*")), default=0)
        for file in {file.digest.value: file for file in files}.values()
    )


def _check(repository: HubRepository, commit: str, files: Sequence[Offered]) -> None:
    """Hash what arrived; the library compares only sizes."""
    found = repository.find()
    if found is None or found.revision != commit:
        raise EngineUnavailableError(f"{repository.sources[0]} did not give all of its files: run it again")
    expected = {file.name: file.digest for file in files}
    for file in found.files:
        digest = expected.get(file.name)
        if digest is None or digest.fits(file.path):
            continue
        file.path.resolve().unlink()
        file.path.unlink(missing_ok=True)
        raise EngineUnavailableError(
            f"{repository.sources[0]}: {file.name} arrived with another hash than the hub lists and was "
            "deleted: run the same command again"
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # just moved into place
        return 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:299]}…"
