"""Reads YAML that a person wrote: with or without a byte order mark, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from f2f.errors import ConfigError


def read_yaml(path: Path, what: str) -> Any:
    """Return what a YAML file holds, None if nothing.

    Args:
        path: in UTF-8.
        what: the file is, for the message: ``configuration``.

    Raises:
        ConfigError: it cannot be read, or is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {what} {path}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
