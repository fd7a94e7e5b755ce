"""``python -m lipsync_core train``: train a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def train(arguments: Sequence[str]) -> int:
    """Train the network of a configuration file; returns the exit code."""
    from lipsync_core.training.__main__ import main

    return main(arguments)


DELEGATED: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {"train": (train, "train a network")}
