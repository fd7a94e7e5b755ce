"""From command-line words to ``LibraryOptions``; what is wrong for every lecture is said once, before any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from f2f.config import Config
from f2f.config_file import overlay_config
from f2f.errors import UsageError
from f2f.languages import parse_language
from f2f.library.lecture import LIBRARY_FOLDER, LibraryOptions
from f2f.library.store import Store
from f2f.library.urls import is_url

_SINGLE_KEYS = (("transcribe", "captions"), ("translate", "translation"))


def build_library_options(
    root: str | Path,
    targets: Sequence[str],
    *,
    config: Config,
    source_language: str | None = None,
    output_dir: str | Path | None = None,
    is_listed: bool = False,
    **rest: Any,
) -> LibraryOptions:
    """Return options with languages in their standard spelling and without repeats.

    People keep their voices throughout the library, unless the configuration names another file of voices.

    Args:
        root: folder or URL of the lectures; outputs go beside them unless ``output_dir`` says otherwise.
        targets: target languages, as code or English name; a comma may separate several.
        config: resolved configuration.
        source_language: spoken language, None to find out for each lecture.
        output_dir: folder or URL for the outputs, which mirrors ``root``.
        is_listed: a list may name languages; else one is needed here.
        rest: further fields of ``LibraryOptions``.

    Raises:
        UsageError: with one line for everything that cannot be used.
    """
    problems = []
    if not is_url(root) and not Path(root).is_dir():
        problems.append(f"{root} is not a folder; give the folder that holds the lectures")
    known = standard_languages(targets, problems)
    [spoken] = standard_languages([source_language], problems) or [None] if source_language else [None]
    for section, key in _SINGLE_KEYS:
        if getattr(getattr(config, section), key) is not None:
            problems.append(
                f"{section}.{key} is of one lecture: put captions beside each video, or name them in a --list"
            )
    if not any(map(str.strip, targets)) and not is_listed:
        problems.append("no target language; give at least one with --to, such as --to hi")
    if problems:
        raise UsageError("\n".join(problems))
    store, folder, out = open_store(root, output_dir)
    # A file of voices is for one machine, or for several on a folder that they share.
    if config.synthesize.library_voices is None and store.has_videos:
        voices = {"synthesize.library_voices": out / LIBRARY_FOLDER / "voices.json"}
        config = overlay_config(config, voices, "library")
    return LibraryOptions(folder, out, known, config, source_language=spoken, store=store, **rest)


def open_store(root: str | Path, output_dir: str | Path | None) -> tuple[Store, Path, Path]:
    """Return the store of a library, and the folders that stand for library and outputs.

    Args:
        root: folder or URL of the lectures.
        output_dir: folder or URL for the outputs; None puts them beside the lectures.

    Raises:
        UsageError: a URL cannot be used.
        EngineUnavailableError: what speaks its protocol is not installed.
    """
    out = root if output_dir is None else output_dir
    if not is_url(root) and not is_url(out):
        return Store(), Path(root), Path(out)
    from f2f.library.remote import RemoteStore

    store = RemoteStore(str(root), str(out))
    return store, store.root, store.output_dir


def standard_languages(words: Sequence[str], problems: list[str]) -> tuple[str, ...]:
    """Return the codes of languages, without repeats; what is no language is added to ``problems``."""
    codes: dict[str, None] = {}
    for word in (part.strip() for text in words for part in text.split(",")):
        if word:
            try:
                codes[parse_language(word).code] = None
            except UsageError as error:
                problems.append(str(error))
    return tuple(codes)
