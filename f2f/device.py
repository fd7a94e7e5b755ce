"""Where networks run: a graphics processor if there is a usable one, else the processor."""

from __future__ import annotations

import importlib
import platform
from pathlib import Path

from f2f.errors import UsageError

_NVIDIA_SIGNS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg")


def resolve_device(choice: str) -> str:
    """Return ``"cpu"``, ``"cuda"`` or ``"mps"``.

    PyTorch, which takes seconds to import, is only asked where the machine shows signs of such a device.

    Args:
        choice: one of these or ``"auto"``.

    Raises:
        UsageError: the device that was asked for is not usable here.
    """
    if choice == "cpu":
        return "cpu"
    if choice == "auto":
        return next((name for name in ("cuda", "mps") if shows_signs_of(name) and _is_usable(name)), "cpu")
    if not _is_usable(choice):
        raise UsageError(
            f"device {choice!r} is not usable by PyTorch on this machine; use --device auto or cpu"
        )
    return choice


def describe_device(name: str) -> str:
    """Return the device as a person would name it, for instance ``"NVIDIA H200, 140 GB"``."""
    import os

    if name == "cuda":
        torch = importlib.import_module("torch")
        facts = torch.cuda.get_device_properties(0)
        return f"{facts.name}, {facts.total_memory / 1e9:.0f} GB"
    if name == "mps":
        return f"Apple GPU ({platform.machine()})"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores"


def shows_signs_of(name: str) -> bool:
    """Whether this machine may have a device ``"cuda"`` or ``"mps"``; nothing is imported to know it."""
    if name == "mps":
        return platform.system() == "Darwin" and platform.machine() == "arm64"
    return platform.system() == "Windows" or any(Path(sign).exists() for sign in _NVIDIA_SIGNS)


def _is_usable(name: str) -> bool:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return False
    backend = torch.cuda if name == "cuda" else torch.backends.mps
    return bool(backend.is_available())
