"""What runs, tags and artifacts are called in the Prefect UI."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

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


def artifact_key(source: str | Path, target_language: str | None, what: str) -> str:
    """Return ``lecture-hi-segments``: one key, and so one history, per lecture, language and kind."""
    parts = [slug(Path(source).stem), *([slug(target_language)] if target_language else []), slug(what)]
    return "-".join(parts)
