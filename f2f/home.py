"""Where f2f keeps what belongs to this machine and to no video."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """Return ``$F2F_HOME``, else ``~/.cache/f2f`` (``$XDG_CACHE_HOME/f2f``); it need not be there."""
    general = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("F2F_HOME") or Path(general) / "f2f").expanduser()
