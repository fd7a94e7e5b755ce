"""How a library is translated, as a flow's parameters, which travel as JSON and show on the run page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from f2f.config_file import load_config
from f2f.errors import UsageError
from f2f.library.lecture import (
    BACKOFF_S,
    MAX_ATTEMPTS,
    MAX_BACKOFF_S,
    Lecture,
    LibraryOptions,
    Refused,
    workspace_of,
)
from f2f.library.listing import LectureList
from f2f.library.options import build_library_options
from f2f.library.scanning import find_lectures, look_at_lecture, sidecars_of, why_refused
from f2f.record import absolute_paths
from flows.names import slug
from flows.parameters import dotted


class LibraryRunOptions(BaseModel):
    """What a library may need beside folders, languages and configuration; see ``LibraryOptions``."""

    model_config = ConfigDict(extra="forbid")

    patterns: tuple[str, ...] = ()
    lipsync: bool = True
    force: bool = False
    max_attempts: int = MAX_ATTEMPTS
    backoff_s: float = BACKOFF_S
    retry_quarantined: bool = False


class LibraryParameters(BaseModel):
    """Parameters that all flows over a library share, under the same names.

    Attributes:
        library: folder or URL of the lectures.
        targets: languages to make.
        output_dir: folder or URL that mirrors it with the outputs; None puts them beside the lectures.
        source_language: spoken language; None finds it out for each lecture.
        config: keys of the configuration that differ from the defaults.
        options: the rest.
        lecture_list: CSV or YAML with the lectures; None takes all of the folder.
    """

    library: str
    targets: list[str]
    output_dir: str | None = None
    source_language: str | None = None
    config: dict[str, Any] | None = None
    options: LibraryRunOptions | None = None
    lecture_list: str | None = None

    @classmethod
    def of(cls, options: LibraryOptions, lecture_list: Path | None = None) -> LibraryParameters:
        """Return the parameters for ``options`` and a list; every path absolute."""
        rest = {name: getattr(options, name) for name in LibraryRunOptions.model_fields}
        return cls(
            library=_place(options, options.root),
            targets=list(options.targets),
            output_dir=_place(options, options.output_dir),
            source_language=options.source_language,
            config=absolute_paths(options.config).model_dump(mode="json", exclude_defaults=True),
            options=LibraryRunOptions(**rest),
            lecture_list=None if lecture_list is None else str(lecture_list.absolute()),
        )

    def as_options(self) -> LibraryOptions:
        """Return the options that these parameters describe.

        Raises:
            F2FError: a folder, language or key cannot be used.
        """
        return build_library_options(
            self.library,
            self.targets,
            config=load_config(None, dict(dotted(self.config or {}))),
            source_language=self.source_language,
            output_dir=self.output_dir or None,
            is_listed=self.lecture_list is not None,
            rest_s=MAX_BACKOFF_S,  # ticks come often, and nobody looks on
            **dict(self.options or LibraryRunOptions()),
        )

    def lectures(self, options: LibraryOptions) -> Iterable[Lecture | Refused]:
        """Give the lectures, from folder or list.

        Raises:
            UsageError: folder or list cannot be used.
        """
        if self.lecture_list is None:
            return find_lectures(options)
        return LectureList(Path(self.lecture_list), options)()

    def lecture(self, name: str, options: LibraryOptions) -> Lecture:
        """Return one lecture by its name.

        It is looked at anew: what a tick found may have been replaced while the run waited.

        Raises:
            UsageError: it can be none of the library, or the list does not name it.
        """
        if self.lecture_list is None:
            _refuse_outside(name)
            source = options.root / name
            wanted = Lecture(source, name, options.targets)
            options.store.look_at(source, workspace_of(wanted, options))
            reason = why_refused(source, name, options.root.resolve())
            seen = Refused(name, reason) if reason else look_at_lecture(name, options)
            if isinstance(seen, Refused):
                raise UsageError(f"{name}: {seen.reason}")
            return seen or Lecture(source, name, options.targets, sidecars=sidecars_of(source))
        options.store.look()
        for found in self.lectures(options):
            if found.name == name and isinstance(found, Lecture):
                return found
        raise UsageError(f"{self.lecture_list} names no lecture {name} that can be translated")


def _refuse_outside(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.name or ".." in path.parts or "\0" in name:
        raise UsageError(
            f"lecture {name!r} is none of the library; give its path relative to it, such as 'week 1/a.mp4'"
        )


def _place(options: LibraryOptions, folder: Path) -> str:
    return options.store.place(folder.absolute())


def real_place(options: LibraryOptions, folder: Path) -> str:
    """Return what a folder of a library is called, the same whatever links lead there."""
    return options.store.place(folder.resolve())


def library_key(options: LibraryOptions) -> str:
    """Return a name for library and output folder that Prefect takes, such as ``physics-1f0c2a``."""
    folders = "\0".join(real_place(options, one) for one in (options.root, options.output_dir))
    digest = hashlib.sha256(folders.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{slug(options.root.resolve().name)}-{digest}"
