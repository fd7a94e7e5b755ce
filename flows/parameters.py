"""A request as the flow's parameters, which travel as JSON and show on the run page, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from f2f.config_file import load_config
from f2f.options import build_request
from f2f.record import absolute_paths
from f2f.request import Request


class RunOptions(BaseModel):
    """What a run may need beside source, languages and configuration."""

    model_config = ConfigDict(extra="forbid")

    workdir: str | None = None
    lipsync: bool = True
    force: bool = False
    until: str | None = None
    library: str | None = None


def parameters_of(request: Request) -> dict[str, Any]:
    """Return the flow's parameters for ``request``: JSON values, every path absolute."""
    options = RunOptions(
        workdir=None if request.workdir is None else str(request.workdir.resolve()),
        lipsync=request.lipsync,
        force=request.force,
        until=request.until,
        library=request.library,
    )
    return {
        "source": str(request.source.absolute()),
        "targets": list(request.targets),
        "source_language": request.source_language,
        "output_dir": str(request.output_dir.absolute()),
        "config": absolute_paths(request.config).model_dump(mode="json"),
        "options": options.model_dump(),
    }


def request_of(
    source: str,
    targets: list[str],
    source_language: str | None,
    output_dir: str | None,
    config: dict[str, Any] | None,
    options: RunOptions | None,
) -> Request:
    """Return the request that the flow's parameters describe.

    Raises:
        ConfigError: ``config`` holds an unknown key or a value that is not allowed.
        UsageError: ``options`` name an unknown stage.
    """
    options = options or RunOptions()
    request = build_request(
        Path(source),
        targets,
        config=load_config(None, dict(dotted(config or {}))),
        source_language=source_language,
        output_dir=Path(output_dir) if output_dir else None,
        workdir=Path(options.workdir) if options.workdir else None,
        lipsync=options.lipsync,
        force=options.force,
        until=options.until,
    )
    return replace(request, library=options.library)


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every value of nested mappings with its key, such as ``fit.max_tempo``."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
