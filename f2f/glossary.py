"""A glossary: terms that a translation must use, read from CSV, required of sentences and looked for again.

``glossary.csv`` has a source term, a target term and a target language in each row::

    gradient descent,ग्रेडिएंट डिसेंट,hi
    neural network,red neuronal,es
    Kaggle,,

Without a language a row counts for all; without a target term the source term stays as it is. A first row
that says "source" is a heading. Commas, semicolons or tabs separate the columns.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from f2f.errors import UsageError
from f2f.languages import Language, parse_language
from f2f.placeholders import Requirement

_HEADINGS = frozenset({"source", "source term", "source_term", "term"})
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_ENGLISH_ENDING = r"(?:['’]s|s|es)?"


@dataclass(frozen=True)
class Term:
    """One row.

    Attributes:
        source: term of the source language.
        target: what a translation says for it.
        language: in which the target term is; None for every language.
    """

    source: str
    target: str
    language: Language | None = None


def read_glossary(path: Path) -> tuple[Term, ...]:
    """Read ``glossary.csv``.

    Raises:
        UsageError: it cannot be read, or rows are wrong; every one has a line of its own.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = [
            (number, [" ".join(cell.split()) for cell in row])
            for number, row in number_rows(text)
            if any(map(str.strip, row)) and not row[0].startswith("#")
        ]
    except UnicodeDecodeError as error:
        raise UsageError(f"glossary {path} is not in UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise UsageError(f"glossary {path} cannot be read: {error}") from error
    if rows and rows[0][1][0].casefold() in _HEADINGS:
        rows = rows[1:]
    if not rows:
        raise UsageError(f"glossary {path} has no term: each row holds source term,target term,language")
    problems: list[str] = []
    terms: dict[tuple[str, str], Term] = {}
    for number, row in rows:
        try:
            term = _read_row(row)
            key = (term.source.casefold(), term.language.code if term.language else "")
            if terms.setdefault(key, term).target != term.target:
                raise UsageError(f"{term.source!r} has a second translation, {term.target!r}")
        except UsageError as error:
            problems.append(f"glossary {path}, line {number}: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(terms.values())


def choose_terms(terms: Sequence[Term], target: Language) -> tuple[Term, ...]:
    """Return the terms for one target language, the longest first; its own rows go before those for all."""
    found: dict[str, Term] = {}
    for term in sorted(terms, key=lambda term: term.language is None):
        if term.language is None or term.language.matches(target):
            found.setdefault(term.source.casefold(), term)
    return tuple(sorted(found.values(), key=lambda term: (-len(term.source), term.source)))


def find_terms(sentence: str, terms: Sequence[Term]) -> list[Requirement]:
    """Return what the glossary requires of a translation of ``sentence``; nothing overlaps.

    A term is found as whole words in any case (in its own case where it holds a capital after its first
    letter: "IT" is not "it"), also with an English plural or genitive ending.

    Args:
        sentence: in the source language.
        terms: as :func:`choose_terms` returns them.
    """
    found: list[Requirement] = []
    for term in terms:
        for match in _pattern(term.source).finditer(sentence):
            is_free = all(match.end() <= one.start or one.end <= match.start() for one in found)
            if is_free and _is_whole(sentence, match.start(), match.end()):
                lost = f"the glossary's {term.target!r} for {term.source!r} is lost"
                found.append(
                    Requirement(match.start(), match.end(), term.target, _check(term.target), lost, True)
                )
    return sorted(found, key=lambda one: one.start)


def holds_term(text: str, term: str) -> bool:
    """Whether ``text`` holds ``term``, be it inflected.

    Each word of the term must be there, next to each other in any order, and may differ by an ending of
    three letters (for "нейронная сеть" also "нейронной сети", for "red neuronal" "redes neuronales") or by
    a particle in front ("الشبكة" for "شبكة"). Scripts without spaces are compared as they are.
    """
    if _UNSPACED.search(term):
        return "".join(term.split()).casefold() in "".join(text.split()).casefold()
    words, wanted = _words(text), _words(term)
    width = len(wanted) + 1
    windows = [words[first : first + width] for first in range(max(1, len(words) - width + 1))]
    return bool(wanted) and any(
        all(any(_is_form(word, one) for word in window) for one in wanted) for window in windows
    )


def _check(term: str) -> Callable[[str], bool]:
    return lambda translation: holds_term(translation, term)


def _is_form(word: str, term: str) -> bool:
    """Whether ``word`` may be a form of the one word ``term``."""
    shared = next((i for i, (a, b) in enumerate(zip(word, term, strict=False)) if a != b), None)
    shared = min(len(word), len(term)) if shared is None else shared
    if shared == len(term):  # the whole term with an ending; long ones in Finnish or Turkish
        return len(word) - shared <= (6 if len(term) >= 4 else 3)
    if shared >= 3 and len(term) - shared <= 2 and len(word) - shared <= 3:
        return True
    return len(term) >= 3 and term in word and len(word) - len(term) <= 3


def _words(text: str) -> list[str]:
    """Runs of letters, marks and digits of any script, in small letters."""
    plain = unicodedata.normalize("NFC", text).casefold()
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in plain)
    return kept.split()


def _pattern(source: str) -> re.Pattern[str]:
    flags = 0 if any(character.isupper() for character in source[1:]) else re.IGNORECASE
    ending = _ENGLISH_ENDING if source[-1:].isascii() and source[-1:].isalpha() else ""
    return re.compile(r"\s+".join(map(re.escape, source.split())) + ending, flags)


def _is_whole(sentence: str, start: int, end: int) -> bool:
    """Whether no letter, mark or digit stands before or after; scripts without spaces show no words."""
    if _UNSPACED.match(sentence[start]) or _UNSPACED.match(sentence[end - 1]):
        return True
    around = sentence[start - 1 : start] + sentence[end : end + 1]
    return not any(unicodedata.category(character)[0] in "LMN" for character in around)


def number_rows(text: str) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV text with their line numbers; its first line tells what separates columns.

    Raises:
        csv.Error: a quote is not closed.
    """
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(
        text.splitlines(keepends=True), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    return [(reader.line_num, row) for row in reader]


def _read_row(row: Sequence[str]) -> Term:
    if not 2 <= len(row) <= 3:
        raise UsageError(
            f"{len(row)} columns ({' | '.join(row)}); must be source term,target term,language – a term with "
            'a comma goes into "quotes"'
        )
    source, target, code = (*row, "")[:3]
    if not any(character.isalnum() for character in source):
        raise UsageError(f"the source term is {source!r}; must have a letter or digit")
    return Term(source, target or source, parse_language(code) if code else None)
