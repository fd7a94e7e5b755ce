"""Abbreviations in full."""

from __future__ import annotations

import functools
import re

from f2f.spoken_text.phrases import Phrases


def expand_abbreviations(text: str, phrases: Phrases) -> str:
    """Replace what the language's tables hold; a full stop that ends the text stays."""
    everywhere, before_numbers = _patterns(phrases)
    text = before_numbers.sub(lambda match: f"{phrases.before_numbers[match[1]]} ", text)
    return everywhere.sub(lambda match: _full(match, phrases), text)


def _full(match: re.Match[str], phrases: Phrases) -> str:
    ends_text = match[1].endswith(".") and match.end() == len(match.string.rstrip())
    return phrases.abbreviations[match[1]] + ("." if ends_text else "")


def _patterns(phrases: Phrases) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return _compile(tuple(phrases.abbreviations), tuple(phrases.before_numbers))


@functools.lru_cache(maxsize=16)
def _compile(everywhere: tuple[str, ...], before: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    # A key that ends in a letter must end a word; combining marks belong to the word before them.
    words = "|".join(_escape(key) for key in sorted(everywhere, key=len, reverse=True))
    numbered = "|".join(_escape(key) for key in sorted(before, key=len, reverse=True))
    return (
        re.compile(rf"(?<![\w\u0900-\u097F.])({words})"),
        re.compile(rf"(?<![\w\u0900-\u097F])({numbered})\s?(?=\d)"),
    )


def _escape(key: str) -> str:
    end = r"(?![\w\u0900-\u097F])" if key[-1].isalnum() else ""
    return re.escape(key).replace(r"\ ", "[ \u00a0\u202f]?") + end
