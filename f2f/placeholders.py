"""Numbers, addresses, formulas and code that a translation must keep: found, checked, and put out of reach.

Pure: text in, text out. A model translates such things by ear and sometimes loses or changes them. What is
lost is translated again with a code in its place, which is put back afterwards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from f2f.errors import EngineUnavailableError
from f2f.languages import Language
from f2f.spoken_text.number_words import NumberWords
from f2f.spoken_text.numerals import NUMBER, to_ascii_digits

_TLD = "com|org|net|edu|gov|info|io|ai|dev|app|eu|uk|de|fr|nl|ch|pl|ru|jp|cn|br|ca|au"  # no words
_INDEX = r"[²³⁰-⁹₀-₉]*"
_OPERAND = (
    rf"(?:[A-Za-zΑ-Ωα-ω]\w{{0,3}}(?:\([^()]{{1,20}}\))?|\d+(?:[.,]\d+)?[A-Za-z]?|\([^()]{{1,20}}\)){_INDEX}"
)
_OPERATOR = r"(?:\s?[=+*/^×·≤≥≠≈−]\s?[-−]?|\s[-–]\s)"
_EQUATION_SIGNS = frozenset("=^≤≥≠≈²³$")  # without one of them "and/or" and "3 - 5 pages" would be formulas
_KINDS = {
    "address": rf"https?://[^\s<>\"“”]+|www\.[^\s<>\"“”]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|\b(?:[a-z\d-]+\.)+(?:{_TLD})\b(?:/[^\s<>\"“”]*)?",
    "code": r"`[^`\n]+`|\b[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)*\(\)|\b[a-z]\w*_\w+\b"
    r"|(?<!\S)--?[a-z][\w-]+(?==|\b)",
    "formula": rf"\$[^$\n]+\$|(?<!\w){_OPERAND}(?:{_OPERATOR}{_OPERAND})+(?!\w)",
}
_THING = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_NUMBER = re.compile(NUMBER)
_WORD = re.compile(r"[\w-]*\w")
_SUFFIXED = re.compile(r"\d+(?:st|nd|rd|th|s)", re.I)  # "20th", "1990s": only the number is to be kept
_MULTIPLIERS = {
    "万": 4,
    "萬": 4,
    "만": 4,
    "億": 8,
    "亿": 8,
    "억": 8,
    "लाख": 5,
    "करोड़": 7,
    "লক্ষ": 5,
    "কোটি": 7,
}
_MULTIPLIED = re.compile(rf"({NUMBER})\s?({'|'.join(_MULTIPLIERS)})")
_ENDS = ".,;:!?…)]}»”\"'"

Shape = Literal["term", "letter", "number"]
SHAPES: tuple[Shape, ...] = ("term", "letter", "number")
"""What takes the place of a thing, in the order in which it is tried: words of the target language as they
are (models mostly copy them), codes that look like a name (X1), and bare numbers. None has more than three
digits, so that no separator gets into it."""
_LETTER_CODES = tuple(f"X{n}" for n in range(1, 400))
_NUMBER_CODES = tuple(str(n) for n in range(731, 1000, 3))


@dataclass(frozen=True)
class Requirement:
    """Something in a sentence that its translation must hold.

    Attributes:
        start, end: where it stands in the sentence.
        replacement: what the translation holds in its place; the thing itself, or the glossary's word for it.
        is_kept: tells whether a translation holds it.
        lost: what to say where it does not.
    """

    start: int
    end: int
    replacement: str
    is_kept: Callable[[str], bool]
    lost: str
    is_term: bool = False
    """``replacement`` is a word of the target language, not the thing itself."""


@dataclass(frozen=True)
class Masked:
    """A sentence with codes in it.

    Attributes:
        text: for the model.
        codes: each with what it stands for.
    """

    text: str
    codes: tuple[tuple[str, str], ...]

    def restore(self, translation: str) -> str | None:
        """Put back what the codes stand for; None unless each code is there exactly once."""
        plain = to_ascii_digits(translation).upper()
        if len(plain) != len(translation):  # "ß" in capitals is longer: no code has one, but places shift
            plain = to_ascii_digits(translation)
        places = []
        for code, replacement in self.codes:
            pattern = (
                rf"(?<![A-Z\d]){code[0]}\s?{code[1:]}(?!\d)" if code[0] == "X" else rf"(?<!\d){code}(?!\d)"
            )
            found = list(re.finditer(pattern, plain))
            if len(found) != 1:
                return None
            places.append((found[0].start(), found[0].end(), replacement))
        for start, end, replacement in sorted(places, reverse=True):
            translation = translation[:start] + replacement + translation[end:]
        return translation


def mask(sentence: str, wanted: Sequence[Requirement], shape: Shape) -> Masked:
    """Replace ``wanted``, which must not overlap, by codes that the sentence has not.

    ``"term"`` puts terms into the sentence as they are, and everything else as ``"letter"`` does.
    """
    plain = to_ascii_digits(sentence).upper()
    free = iter(code for code in (_NUMBER_CODES if shape == "number" else _LETTER_CODES) if code not in plain)
    codes, text, end = [], "", 0
    for one in sorted(wanted, key=lambda one: one.start):
        code = one.replacement if shape == "term" and one.is_term else next(free)
        if code != one.replacement:
            codes.append((code, one.replacement))
        text += sentence[end : one.start] + code
        end = one.end
    return Masked(text + sentence[end:], tuple(codes))


def find_requirements(sentence: str, target: Language) -> list[Requirement]:
    """Return what a translation of ``sentence`` must keep, in order; nothing overlaps.

    Numbers may be written in digits of any script, with the separators of any language, in Indian or East
    Asian units ("५ लाख" for 500,000), or in words where a library knows those of the language.
    """
    found = list(_find_things(sentence))
    taken = [(one.start, one.end) for one in found]
    numbers: Counter[str] = Counter()
    checks: dict[tuple[int, int], list[Callable[[str], bool]]] = {}
    for match in _NUMBER.finditer(sentence):
        if any(start < match.end() and match.start() < end for start, end in taken):
            continue
        digits = _digits(match[0])
        numbers[digits] += 1
        place = _word_around(sentence, match.start(), match.end())
        checks.setdefault(place, []).append(_number_check(digits, numbers[digits], target))
    for (start, end), kept in checks.items():
        word = sentence[start:end]
        number = _NUMBER.match(word)
        whole = number[0] if number and _SUFFIXED.fullmatch(word) else word
        found.append(Requirement(start, end, whole, _all_of(kept), f"the number {whole} is lost"))
    return sorted(found, key=lambda one: one.start)


def _all_of(checks: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda translation: all(check(translation) for check in checks)


def _word_around(sentence: str, start: int, end: int) -> tuple[int, int]:
    """Return the place of the word that a number is part of: "COVID-19" of "19"; a code would break it."""
    for word in _WORD.finditer(sentence):
        if word.start() <= start and end <= word.end() and not word[0].isdecimal():
            return word.start(), word.end()
    return start, end


def _find_things(sentence: str) -> Iterator[Requirement]:
    for match in _THING.finditer(sentence):
        text = match[0].rstrip(_ENDS) if match.lastgroup == "address" else match[0]
        key = _squeeze(text)
        if match.lastgroup == "formula" and not _EQUATION_SIGNS.intersection(text):
            continue
        yield Requirement(
            match.start(), match.start() + len(text), text, _text_check(key),
            f"the {match.lastgroup} {text} is lost",
        )  # fmt: skip


def _text_check(key: str) -> Callable[[str], bool]:
    return lambda translation: key in _squeeze(translation)


def _number_check(digits: str, n: int, target: Language) -> Callable[[str], bool]:
    """Return a test for the number being there ``n`` times."""

    def is_kept(translation: str) -> bool:
        if _count_numbers(translation)[digits] >= n:
            return True
        words = _words(digits, target)
        return words is not None and _squeeze(words) in _squeeze(translation)

    return is_kept


def _count_numbers(text: str) -> Counter[str]:
    """Digits of every number in ``text``, separators left out; a multiplied one counts in both ways."""
    joined = re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", text)  # "10 000" is one number in many languages …
    found = Counter(_digits(match[0]) for match in _NUMBER.finditer(text))
    found |= Counter(_digits(match[0]) for match in _NUMBER.finditer(joined))  # … and "5 100" two in others
    for match in _MULTIPLIED.finditer(text):
        whole, _, fraction = to_ascii_digits(match[1]).replace(",", ".").replace("٫", ".").partition(".")
        power = _MULTIPLIERS[match[2]]
        if len(fraction) <= power and fraction.isdigit() | (fraction == ""):
            found[whole + fraction.ljust(power, "0")] += 1
    return found


def _digits(number: str) -> str:
    return re.sub(r"\D", "", to_ascii_digits(number))


def _words(digits: str, target: Language) -> str | None:
    if len(digits) > 6 or (len(digits) > 1 and digits[0] == "0"):
        return None
    try:
        words = NumberWords(target)
        return words.cardinal(int(digits)) if words.is_known else None
    except (EngineUnavailableError, NotImplementedError, LookupError):
        return None


def _squeeze(text: str) -> str:
    """Spelling without what languages and models vary: spaces, case, signs of the same meaning."""
    plain = to_ascii_digits(text).casefold().replace("−", "-").replace("·", "*").replace("×", "*")
    return "".join(plain.split())
