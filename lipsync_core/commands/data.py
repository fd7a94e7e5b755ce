"""``python -m lipsync_core preprocess``: turn videos into training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def preprocess(arguments: Sequence[str]) -> int:
    """Preprocess a folder of videos; returns the exit code."""
    from lipsync_core.training.preprocess import main

    return main(arguments)


DELEGATED: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "preprocess": (preprocess, "turn LRS, GRID or any videos into training data")
}
