"""Lectures from a list, CSV or YAML, each with what it wants otherwise than the rest of the library.

``list.csv`` has a column ``lecture``, and any of ``to``, ``from``, options of ``f2f translate`` that stand
for a key of the configuration (``captions``, ``translation``, ``glossary``, ``voice``, ``speakers`` …, see
``f2f.options.CONFIG_FLAGS``) and dotted configuration keys::

    lecture,to,captions,voice
    week1/intro.mp4,hi,week1/intro.en.vtt,hi+f2
    week1/intro.mp4,es,,es+m1
    week2/limits.mp4,hi;es,,

Rows of one lecture stand below each other. The same in YAML, where a value may differ by language::

    - lecture: week1/intro.mp4
      to: [hi, es]
      voice: {hi: hi+f2, es: es+m1}

All paths are relative to the library. What is wrong is told row by row, before anything is done.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from f2f.config_file import PATH_KEYS, allowed_keys, overlay_config
from f2f.errors import UsageError
from f2f.library.lecture import Lecture, LibraryOptions, Refused
from f2f.library.list_files import read_csv_rows, read_yaml_entries
from f2f.library.options import standard_languages
from f2f.library.scanning import Folder, is_wanted, read_folder, same_stems, why_refused
from f2f.options import CONFIG_FLAGS, flag_settings

_OWN_COLUMNS = ("lecture", "to", "from")
_INSTEAD = {"no_lipsync": "lips: none", "no_mark": "mark: false", "i_have_consent": "consent: true"}
"""For options of the command without a value of their own."""


@dataclass(frozen=True)
class _Entry:
    """A row of the list.

    Attributes:
        where: for messages, such as ``"list.csv, line 3"``.
        name: of the lecture.
        source_language: of the lecture, if the row says one.
        settings: for each language what the row wants.
    """

    where: str
    name: str
    source_language: str | None
    settings: dict[str, dict[str, Any]]


class LectureList:
    """A list that holds no mistake; gives its lectures as often as they are wanted.

    Args:
        path: CSV, or YAML if its name ends so.
        options: of the library.

    Raises:
        UsageError: with one line for every mistake.
    """

    def __init__(self, path: Path, options: LibraryOptions) -> None:
        self._options = options
        self._entries: list[_Entry] = []
        problems: list[str] = []
        is_yaml = path.suffix.lower() in (".yaml", ".yml")
        for where, values in (read_yaml_entries if is_yaml else read_csv_rows)(path, problems):
            entry = _check(values, where, options, problems)
            if entry is not None:
                self._entries.append(entry)
        problems += _contradictions(self._entries)
        if problems:
            raise UsageError("\n".join(problems))
        if not self._entries:
            raise UsageError(f"{path} names no lecture; each row holds lecture,to,…")

    def __call__(self) -> Iterator[Lecture | Refused]:
        """Give every lecture of the list in its order."""
        options, real_root = self._options, self._options.root.resolve()
        wanted = [entry for entry in self._entries if is_wanted(entry.name, options)]
        clashes, sidecars = _clashes({entry.name for entry in wanted}), _Sidecars()
        for name, group in groupby(wanted, key=lambda entry: entry.name):
            path, entries = options.root / name, list(group)
            reason = why_refused(path, name, real_root) or clashes.get(name)
            reason = reason or sidecars.why_refused(path, real_root)
            if reason is not None:
                yield Refused(name, reason)
                continue
            settings = {target: own for entry in entries for target, own in entry.settings.items()}
            yield Lecture(
                path, name, tuple(settings), language_settings=settings, sidecars=sidecars.of(path),
                source_language=next((one.source_language for one in entries if one.source_language), None),
            )  # fmt: skip


class _Sidecars:
    """Captions beside videos; a folder is read once for all that stand below each other in the list."""

    def __init__(self) -> None:
        self._path, self._folder = Path(), Folder()

    def of(self, source: Path) -> tuple[tuple[str, int, int], ...]:
        """Return those of one video."""
        return self._beside(source).sidecars(source.stem)

    def why_refused(self, source: Path, real_root: Path) -> str | None:
        """Return why those of one video must not be read, None if they may."""
        return self._beside(source).why_captions_refused(source.stem, real_root)

    def _beside(self, source: Path) -> Folder:
        if source.parent != self._path:
            self._path = source.parent
            try:
                self._folder = read_folder(source.parent)
            except OSError:
                self._folder = Folder()
        return self._folder


def _check(
    values: Mapping[str, Any], where: str, options: LibraryOptions, problems: list[str]
) -> _Entry | None:
    """Return a row as an entry; what is wrong with it is added to ``problems``."""
    found: list[str] = [_unknown(key) for key in values if not _is_known(key)]
    name = _name(values.get("lecture"), options.root, found)
    spoken = standard_languages(_words(values.get("from")), found)
    targets = standard_languages(_words(values.get("to")), found) or options.targets
    if len(spoken) > 1:
        found.append(f"one lecture is spoken in one language, not in {', '.join(spoken)}")
    if not targets and not found:
        found.append("no target language: fill in 'to', or give --to")
    settings = {target: _settings(values, target, targets, options, found) for target in targets}
    if not found:
        for own in settings.values():
            try:
                overlay_config(options.config, own, "it")
            except UsageError as error:
                found += [line.removeprefix("it: ") for line in str(error).splitlines()]
    problems += [f"{where}: {line}" for line in dict.fromkeys(found)]
    return None if found else _Entry(where, name, spoken[0] if spoken else None, settings)


def _settings(
    values: Mapping[str, Any], target: str, targets: Sequence[str], options: LibraryOptions, found: list[str]
) -> dict[str, Any]:
    """Return the configuration keys that a row sets for one language."""
    flags: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    for key, value in values.items():
        if key in _OWN_COLUMNS or not _is_known(key):
            continue
        if isinstance(value, Mapping):
            by_language = {standard_languages([str(code)], found)[:1]: own for code, own in value.items()}
            found += [
                f"{key} is given for {code[0]}, which is no language of this lecture ({', '.join(targets)})"
                for code in by_language
                if code and code[0] not in targets
            ]
            value = by_language.get((target,))
        if value is not None and value != "":
            dotted = CONFIG_FLAGS.get(key, key)
            is_path = tuple(dotted.split(".")) in PATH_KEYS
            (flags if key in CONFIG_FLAGS else keys)[key] = options.root / str(value) if is_path else value
    return {**keys, **flag_settings(flags)}


def _name(value: Any, root: Path, found: list[str]) -> str:
    """Return a lecture's name; anything that is none is added to ``found``."""
    if not isinstance(value, str) or not value.strip():
        found.append("no lecture; give its path in the library")
        return ""
    path = PurePosixPath(value.strip())
    if path.is_absolute():
        absolute = PurePosixPath(root.absolute())
        path = path.relative_to(absolute) if path.is_relative_to(absolute) else PurePosixPath("..")
    if ".." in path.parts or path == PurePosixPath("."):
        found.append(f"lecture {value!r} is not in the library {root}; give its path relative to that folder")
    return str(path)


def _is_known(key: str) -> bool:
    return key in _OWN_COLUMNS or key in CONFIG_FLAGS or key in allowed_keys()


def _unknown(key: Any) -> str:
    names = [*_OWN_COLUMNS, *CONFIG_FLAGS]
    near = difflib.get_close_matches(str(key), [*names, *allowed_keys()], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    if key in _INSTEAD:
        hint = f"give {_INSTEAD[key]}; "
    return f"unknown column {key!r}; {hint}allowed are {', '.join(names)} and keys of the configuration"


def _words(value: Any) -> list[str]:
    """Return the languages of a cell: separated by semicolons or commas, or a list in YAML."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else str(value).split(";")


def _contradictions(entries: Sequence[_Entry]) -> Iterator[str]:
    """Give what rows of one lecture say against each other."""
    firsts: dict[str, _Entry] = {}
    for name, group in groupby(entries, key=lambda entry: entry.name):
        rows = list(group)
        first = firsts.setdefault(name, rows[0])
        if first is not rows[0]:
            yield f"{rows[0].where}: {name} was named before ({first.where}); put its rows below each other"
            continue
        languages: dict[str, _Entry] = {}
        for row in rows:
            for target in row.settings:
                if languages.setdefault(target, row) is not row:
                    yield f"{row.where}: {name} to {target} was named before ({languages[target].where})"
        spoken = {row.source_language for row in rows if row.source_language}
        if len(spoken) > 1:
            yield f"{rows[-1].where}: {name} is spoken in one language, not in {', '.join(sorted(spoken))}"


def _clashes(names: set[str]) -> dict[str, str]:
    """Return for each lecture that shares folder and stem with another why it is refused."""
    folders: dict[PurePosixPath, list[str]] = {}
    for name in sorted(names):
        folders.setdefault(PurePosixPath(name).parent, []).append(PurePosixPath(name).name)
    return {
        str(folder / file): reason
        for folder, files in folders.items()
        for file, reason in same_stems(files).items()
    }
