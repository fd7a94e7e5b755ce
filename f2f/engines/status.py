"""What every engine says of itself before any work: can it run here, and if not, what to do.

Nothing here imports an engine: packages are looked up by name, weights by the existence of files, hubs by
one short ``HEAD`` request.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.errors import EngineUnavailableError

STANDARD_INSTALL = 'pip install "f2f[standard]"'
_PROBE_TIMEOUT_S = 3.0
_PROBE_REMEMBERED_S = 300  # a long-lived worker must notice that the network came back


@dataclass(frozen=True)
class EngineStatus:
    """Whether one engine can do its work on this machine.

    Attributes:
        name: the engine's name as in the configuration.
        ready: it can be used now (perhaps after a download, see ``needs_download``).
        reason: why it is ready ("weights in …"), or what is missing with the exact command that helps.
        licence: licence of the weights or voices it uses.
        detail: model, weights file or voice set, as a person would name it.
        needs_download: ready, but its weights will be fetched first.
    """

    name: str
    ready: bool
    reason: str
    licence: str = ""
    detail: str = ""
    needs_download: bool = False


@dataclass(frozen=True)
class Choice:
    """The engine that a stage would use, decided cheaply and before any work.

    Attributes:
        engine: name of the chosen engine.
        identity: string that changes whenever the engine would work with other weights or files; part of
            the key under which the stage's result is stored.
        statuses: every engine that was considered, in order of preference.
        notice: what a person must know of this choice, for instance that a lesser engine was taken.
        inputs: files beside the video that the engine reads (captions), for the checks before work.
    """

    engine: str
    identity: str
    statuses: tuple[EngineStatus, ...]
    notice: str | None = None
    inputs: tuple[Path, ...] = ()


def has_package(module: str) -> bool:
    """Whether the top-level ``module`` is installed; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def package_version(distribution: str) -> str:
    """Version of an installed distribution, ``"not installed"`` where it is absent."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def downloads_allowed(profile: str) -> bool:
    """False for the profile ``"embedded"`` and where the environment asks for offline work."""
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "F2F_OFFLINE")
    return profile != "embedded" and not any(
        os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"} for name in offline
    )


def is_reachable(url: str) -> bool:
    """Whether a ``HEAD`` of ``url`` is answered with success within 3 s.

    The answer is kept for five minutes, so that asking for ten engines costs one timeout at most.
    """
    return _probe(url, int(time.monotonic()) // _PROBE_REMEMBERED_S)


@functools.lru_cache(maxsize=64)
def _probe(url: str, period: int) -> bool:
    del period  # only part of the cache's key
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "f2f"})
        with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_S) as answer:
            return 200 <= int(answer.status) < 400
    except (urllib.error.URLError, OSError, ValueError):
        return False


def first_ready(statuses: Sequence[EngineStatus]) -> EngineStatus | None:
    """Return the first engine that can work, those that need no download before those that do."""
    ready = [status for status in statuses if status.ready]
    return next((status for status in ready if not status.needs_download), ready[0] if ready else None)


def require_ready(status: EngineStatus) -> EngineStatus:
    """Return ``status`` if it is ready.

    Raises:
        EngineUnavailableError: it is not; the message is its reason.
    """
    if not status.ready:
        raise EngineUnavailableError(f"engine {status.name!r} cannot be used: {status.reason}")
    return status
