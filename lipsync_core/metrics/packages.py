"""Imports of packages that not every installation has."""

from __future__ import annotations

import importlib
from types import ModuleType

from lipsync_core.errors import MissingModelError


def import_optional(module: str, package: str, what_for: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: full name.
        package: what pip calls it.
        what_for: completes "is needed for".

    Raises:
        MissingModelError: not installed; the message has the command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingModelError(
            f"{package} is needed for {what_for} and is not installed ({error}); run: pip install {package}"
        ) from error
