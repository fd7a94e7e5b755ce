"""Face-to-face translation: a talking-face video in, the same person speaking another language out.

    from f2f import Config, translate_video

    [outputs] = translate_video("lecture.mp4", ["hi"], config=Config(profile="embedded"))

Importing this package loads nothing heavy; names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from f2f.config import Config
    from f2f.errors import (
        EngineUnavailableError,
        F2FError,
        PreflightError,
        StageError,
        UsageError,
    )
    from f2f.request import Outcome, Outputs, Request, Stopped
    from f2f.stage import Observer

_HOMES = {
    "Config": "f2f.config",
    "EngineUnavailableError": "f2f.errors",
    "F2FError": "f2f.errors",
    "Outcome": "f2f.request",
    "Outputs": "f2f.request",
    "PreflightError": "f2f.errors",
    "Request": "f2f.request",
    "StageError": "f2f.errors",
    "Stopped": "f2f.request",
    "UsageError": "f2f.errors",
}

__all__ = [
    "Config",
    "EngineUnavailableError",
    "F2FError",
    "Outcome",
    "Outputs",
    "PreflightError",
    "Request",
    "StageError",
    "Stopped",
    "UsageError",
    "translate_video",
]


def translate_video(
    source: str | Path,
    targets: Sequence[str],
    *,
    config: Config | None = None,
    observer: Observer | None = None,
    **options: Any,
) -> list[Outcome]:
    """Translate a video, in this process.

    Args:
        source: input video.
        targets: target languages, as code or English name.
        config: settings; None takes the defaults.
        observer: told of progress and notices.
        options: ``source_language``, ``output_dir`` and the other fields of ``f2f.request.Request``.

    Returns:
        One ``Outputs`` for each target language; ``Stopped`` where ``until`` names a stage to stop after.

    Raises:
        F2FError: see ``f2f.errors``.
    """
    from f2f import pipeline
    from f2f.config import Config
    from f2f.options import build_request

    request = build_request(Path(source), targets, config=config or Config(), **options)
    return pipeline.translate_video(request, observer)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("f2f")
        except PackageNotFoundError:
            return "0 (not installed)"
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
