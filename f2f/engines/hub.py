"""Where libraries of the model hub keep what they fetched: the one place that knows the cache's layout.

Layout: ``models--ORG--NAME/{refs/main, snapshots/COMMIT/FILE → ../../blobs/HASH}``, see
https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
"""

from __future__ import annotations

import os
from pathlib import Path


def hub_cache() -> Path:
    """Return the cache folder by the rules of ``huggingface_hub.constants``."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if folder := os.environ.get(name):
            return Path(os.path.expandvars(folder)).expanduser()
    general = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("HF_HOME") or Path(general) / "huggingface"
    return Path(os.path.expandvars(home)).expanduser() / "hub"


def repository_folder(repository: str) -> Path:
    """Return the cache's folder of a repository such as ``"facebook/m2m100_418M"``."""
    return hub_cache() / f"models--{repository.replace('/', '--')}"


def snapshot_folders(repository: str) -> list[Path]:
    """Return the folders of all fetched commits, the one that ``main`` stood for last first."""
    folder = repository_folder(repository)
    try:
        current = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        current = ""
    found = [path for path in (folder / "snapshots").glob("*") if path.is_dir() and path.name[0] != "."]
    return sorted(found, key=lambda path: (path.name != current, path.name))
