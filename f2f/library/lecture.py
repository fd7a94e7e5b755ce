"""One lecture of a library, and how the library wants its lectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from f2f.config import Config
from f2f.config_file import overlay_config
from f2f.library.store import Store
from f2f.request import Request

LIBRARY_FOLDER = Path(".f2f", "library")
MAX_ATTEMPTS = 3
BACKOFF_S = 60.0
MAX_BACKOFF_S = 3600.0


@dataclass(frozen=True)
class Lecture:
    """A video of the library.

    Attributes:
        source: the video.
        name: its POSIX path relative to the library; unique.
        targets: languages that are wanted.
        settings: dotted configuration keys for this lecture.
        source_language: spoken language, None to find out.
        language_settings: dotted configuration keys for single languages of this lecture.
        sidecars: ``(name, bytes, mtime_ns)`` of the caption files beside it.
    """

    source: Path
    name: str
    targets: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    source_language: str | None = None
    language_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sidecars: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True)
class Refused:
    """Something in the library that is not translated.

    Attributes:
        name: its POSIX path relative to the library.
        reason: what is wrong and what helps.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class LibraryOptions:
    """How a library is translated.

    Attributes:
        root: folder of the lectures.
        output_dir: folder that mirrors it with the outputs; may be ``root``.
        targets: languages for lectures that say nothing else.
        config: configuration for lectures that say nothing else.
        source_language: spoken language, None to find out for each lecture.
        patterns: shell patterns; a lecture's name or file name must match one, if there are any.
        lipsync: False only dubs.
        force: overwrite outputs that f2f did not make.
        max_attempts: a language that failed so often is quarantined.
        backoff_s: wait before the second attempt; doubled for each further one.
        retry_quarantined: try again what was given up.
        rest_s: how long a lecture is left alone for which the machine lacked something, tried often enough.
        store: where ``root`` and ``output_dir`` really lie.
    """

    root: Path
    output_dir: Path
    targets: tuple[str, ...]
    config: Config = field(default_factory=Config)
    source_language: str | None = None
    patterns: tuple[str, ...] = ()
    lipsync: bool = True
    force: bool = False
    max_attempts: int = MAX_ATTEMPTS
    backoff_s: float = BACKOFF_S
    retry_quarantined: bool = False
    rest_s: float = field(default=0.0, compare=False)
    store: Store = field(default_factory=Store, compare=False, repr=False)

    @property
    def folder(self) -> Path:
        """Where the library's own files are kept."""
        return self.output_dir / LIBRARY_FOLDER

    def wait_s(self, attempts: int) -> float:
        """Seconds to wait after so many failed attempts."""
        return float(min(MAX_BACKOFF_S, self.backoff_s * 2 ** min(attempts - 1, 20)))


def request_for(lecture: Lecture, options: LibraryOptions, targets: tuple[str, ...]) -> Request:
    """Return the run that makes some languages of a lecture.

    Args:
        lecture: the lecture.
        options: of the library.
        targets: languages with equal ``language_settings``; their first one's count.

    Raises:
        ConfigError: a setting of the lecture is not allowed.
    """
    own = lecture.language_settings.get(targets[0], {}) if targets else {}
    return Request(
        source=lecture.source,
        targets=targets,
        source_language=lecture.source_language or options.source_language,
        output_dir=options.output_dir / PurePosixPath(lecture.name).parent,
        config=overlay_config(options.config, {**lecture.settings, **own}, lecture.name),
        lipsync=options.lipsync,
        force=options.force,
        library=_library_name(options.root),
    )


@lru_cache(maxsize=16)
def _library_name(root: Path) -> str:
    return root.resolve().name


def workspace_of(lecture: Lecture, options: LibraryOptions) -> Path:
    """Return the folder in which everything about a lecture is kept."""
    return options.output_dir / PurePosixPath(lecture.name).parent / ".f2f" / lecture.source.stem
