"""``python -m lipsync_core prepare``: turn clips into training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def prepare(arguments: Sequence[str]) -> int:
    """Prepare a folder of clips; returns the exit code."""
    from lipsync_core.training.prepare import main

    return main(arguments)


DELEGATED: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "prepare": (prepare, "turn a folder of clips into training data")
}
