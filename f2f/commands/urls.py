"""Which arguments may be URLs: library and outputs of the commands over libraries, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from f2f.errors import UsageError
from f2f.library.urls import is_url

_COMMANDS = ("batch", "report", "schedule")
_FILES = ("--config", "--glossary", "--list")
_NO_FILES = ("--dask", "--host", "--text", "--voice")


def refuse_urls(arguments: Sequence[str]) -> None:
    """See that no file is named by a URL where only a path will do.

    Raises:
        UsageError: one is.
    """
    words = [part for word in arguments for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    for before, word in pairwise(["", *words]):
        if not is_url(word) or before in _NO_FILES:
            continue
        if words[0] not in _COMMANDS or before in _FILES:
            raise UsageError(
                f"{word} cannot be read from there: copy it here; URLs are for LIBRARY and -o of "
                f"{', '.join(_COMMANDS)}"
            )
