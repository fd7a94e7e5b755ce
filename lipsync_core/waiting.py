"""How the threads of a command wait for each other."""

from __future__ import annotations

import os

VARIABLE = "OMP_WAIT_POLICY"


def wait_passively() -> None:
    """Let OpenMP's idle threads sleep; to be called before PyTorch is imported, else without effect.

    By default they turn in a circle until there is work, on cores that ffmpeg needs meanwhile: on two busy
    cores a face of the full network took 190 ms of processor time instead of 65, and three times as long. A
    value that the user has set stays.
    """
    os.environ.setdefault(VARIABLE, "PASSIVE")


def waits_passively() -> bool:
    """Return whether idle threads sleep."""
    return os.environ.get(VARIABLE, "").upper() == "PASSIVE"
