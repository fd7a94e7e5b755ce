"""What runs, tags and artifacts are called in the Prefect UI."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from f2f.home import home_folder
from f2f.library.remote.scratch import FOLDER_NAME

MAX_SLUG_LENGTH = 60


def run_name(source: str | Path, targets: Sequence[str]) -> str:
    """Return ``lecture → hi, es``; a relative ``source`` keeps its folder, ``physics/lecture → hi``."""
    path = Path(source)
    lecture = path.stem if path.is_absolute() else path.with_suffix("").as_posix()
    return f"{lecture} → {', '.join(targets)}"


def task_run_name(stage: str, target_language: str | None) -> str:
    """Return ``lipsync → hi``, or the stage alone where all languages share it."""
    return f"{stage} → {target_language}" if target_language else stage


def run_tags(source: str | Path, targets: Sequence[str], library: str | Path | None = None) -> list[str]:
    """Return the languages, ``f2f``, and the names of the library and of the lecture's folder."""
    folders = [Path(source).resolve().parent, *([] if library is None else [Path(library).resolve()])]
    return sorted({"f2f", *targets, *(folder.name for folder in folders if folder.name)})


def slug(text: str) -> str:
    """Return ``text`` in lowercase letters, digits and dashes, as artifact keys demand.

    Where more than case and punctuation is lost (other scripts, long names) a short digest keeps
    different names apart.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")
    lossless = text.isascii() and words and len(words) <= MAX_SLUG_LENGTH
    if lossless:
        return words
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return "-".join(part for part in (words[:MAX_SLUG_LENGTH].strip("-"), digest) if part)


def lecture_key(source: Path) -> str:
    """Return ``intro-1f0c2a93d4``: the digits stand for the folder, where no other lecture has its name."""
    folder, scratch = source.parent.resolve(), (home_folder() / FOLDER_NAME).resolve()
    if folder.is_relative_to(scratch):
        # What stands for a URL has another folder in each process, but the same path below it.
        folder = Path(*folder.relative_to(scratch).parts[1:])
    digest = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{slug(source.stem)}-{digest}"


def artifact_key(name: str, target_language: str | None, what: str) -> str:
    """Return ``intro-1f0c2a93d4-hi-segments``: one key, and so one history, per name, language and kind.

    Args:
        name: of a lecture or library, as their keys.
        target_language: None where all languages share it.
        what: the kind.
    """
    return "-".join([name, *([slug(target_language)] if target_language else []), slug(what)])
