"""What was asked for, kept in the workspace: ``f2f resume`` and ``f2f redo`` need not be told again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from f2f.config import Config
from f2f.errors import UsageError
from f2f.request import Request
from f2f.workspace import write_atomically

FOLDER_NAME = "requests"


def write_record(request: Request) -> None:
    """Keep the request for each of its languages."""
    values = request_values(request)
    for target in request.targets:
        path = request.workspace_root / FOLDER_NAME / f"{target}.json"
        write_atomically(path, json.dumps(values, ensure_ascii=False, indent=1))


def request_values(request: Request) -> dict[str, Any]:
    """Return a request without languages, ``force`` and ``until`` as JSON values, every path absolute."""
    return {
        "source": str(request.source.absolute()),
        "source_language": request.source_language,
        "output_dir": str(request.output_dir.absolute()),
        "workdir": None if request.workdir is None else str(request.workdir.resolve()),
        "lipsync": request.lipsync,
        "library": request.library,
        "config": absolute_paths(request.config).model_dump(mode="json", exclude_defaults=True),
    }


def read_record(root: Path, target: str) -> Request | None:
    """Return the last request for a language in the workspace ``root``; None if there was none.

    Raises:
        UsageError: the record cannot be read, or another version wrote it.
    """
    path = root / FOLDER_NAME / f"{target}.json"
    if not path.exists():
        return None
    try:
        return request_from(json.loads(path.read_text(encoding="utf-8")), target)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise UsageError(
            f"{path} cannot be used ({type(error).__name__}): give the whole f2f translate command again"
        ) from error


def request_from(values: Mapping[str, Any], target: str) -> Request:
    """Return the request for one language that ``request_values`` described.

    Raises:
        KeyError, TypeError, ValueError: it did not.
    """
    workdir = values["workdir"]
    return Request(
        source=Path(values["source"]),
        targets=(target,),
        source_language=values["source_language"],
        output_dir=Path(values["output_dir"]),
        workdir=None if workdir is None else Path(workdir),
        config=Config.model_validate(values["config"]),
        lipsync=bool(values["lipsync"]),
        library=values.get("library"),  # older records have none
    )


def absolute_paths(section: Any) -> Any:
    """Return a configuration in which no path depends on the current folder."""
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = value.resolve()
        elif isinstance(value, BaseModel):
            changes[name] = absolute_paths(value)
    return section.model_copy(update=changes)
