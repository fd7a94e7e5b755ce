"""Simple formulas, fractions, ranges, and the signs between their parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from f2f.spoken_text.numerals import NUMBER
from f2f.spoken_text.phrases import Phrases

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ"
_PLAIN = str.maketrans(_SUPERSCRIPTS, "0123456789+-n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_POWER = re.compile(rf"([\w)\]]+)([{_SUPERSCRIPTS}]+|\^[({{]?[-−+]?\w+[)}}]?)")
_VULGAR = re.compile(r"(?:(\d+)\s?)?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_FRACTION = re.compile(r"(?<![\w/.,])(\d{1,3})[/⁄](\d{1,3})(?![\w/]|[.,]\d)")
_RANGE = re.compile(rf"(?<![\w.,–-])({NUMBER})(?:\s?–\s?|-)({NUMBER})(?![\w–-]|[.,]\d)")
_NEGATIVE = re.compile(r"(?<![\w)\]])[-−](?=[\d∞]|[A-Za-zα-ω]\b)|−")
_SUBTRACTION = re.compile(rf"(?:(?<=[\d){_SUPERSCRIPTS}])|(?<=\b[a-z])) [-–] (?=\d)|(?<=\d)[−](?=\d)")
_TIMES = re.compile(r"(?<=[\w)])\s?\*\s?(?=[\w(])|(?<=\d)\s?x\s?(?=\d)")
_DIVISION = re.compile(r"(?<=[\d)]) ?/ ?(?=[\d(])")
_GREEK = re.compile(r"[Α-ω]")


class Formulas:
    """Reads formulas with the words of one language.

    Args:
        phrases: the words.
        say: turns the text of a number into what is said.
        is_greek: the language is written in Greek letters, which then are no symbols.
    """

    def __init__(self, phrases: Phrases, say: Callable[[str], str], *, is_greek: bool = False) -> None:
        self._phrases, self._say, self._is_greek = phrases, say, is_greek

    def expand(self, text: str) -> str:
        """Replace powers, fractions, ranges, operators and Greek letters."""
        text = _VULGAR.sub(self._vulgar, text.translate(_SUBSCRIPTS))
        text = _SUBTRACTION.sub(f" {self._phrases.minus} ", text)
        text = _POWER.sub(self._power, text)
        text = _FRACTION.sub(self._fraction, text)
        text = _RANGE.sub(self._range, text)
        text = _NEGATIVE.sub(f" {self._phrases.minus} ", text)
        text = _TIMES.sub(f" {self._phrases.signs['×']} ", text)
        text = _DIVISION.sub(f" {self._phrases.over} ", text)
        text = "".join(self._sign(character) for character in text)
        return text if self._is_greek else _GREEK.sub(self._letter, text)

    def _sign(self, character: str) -> str:
        words = self._phrases.signs.get(character)
        return f" {words} " if words else character

    def _letter(self, match: re.Match[str]) -> str:
        """Name a Greek letter that stands alone; whole words stay."""
        around = match.string[max(0, match.start() - 1) : match.end() + 1].replace(match[0], "", 1)
        name = self._phrases.greek.get(match[0])
        return match[0] if name is None or _GREEK.search(around) else f" {name} "

    def _power(self, match: re.Match[str]) -> str:
        base, exponent = match[1], match[2].lstrip("^").strip("(){}").translate(_PLAIN)
        if len(base) > 3 and base.isalpha():  # a footnote mark behind a word
            return match[0] if match[2].startswith("^") else base
        if exponent in ("2", "3"):
            return f"{base} {self._phrases.squared if exponent == '2' else self._phrases.cubed} "
        sign = f"{self._phrases.minus} " if exponent[0] in "-−" else ""
        return self._phrases.power.format(base, sign + exponent.lstrip("+-−")) + " "

    def _vulgar(self, match: re.Match[str]) -> str:
        top, _, bottom = unicodedata.normalize("NFKC", match[2]).partition("⁄")
        return f"{match[1]} {self._phrases.signs['&']} {top}/{bottom}" if match[1] else f"{top}/{bottom}"

    def _fraction(self, match: re.Match[str]) -> str:
        top, bottom = int(match[1]), int(match[2])
        name = self._phrases.fractions.get((top, bottom))
        return name or f"{self._say(match[1])} {self._phrases.over} {self._say(match[2])}"

    def _range(self, match: re.Match[str]) -> str:
        first, second = match[1], match[2]
        is_short = max(len(first), len(second)) <= 4
        is_range = "–" in match[0] or (is_short and _number(first) < _number(second))
        return f"{first} {self._phrases.to} {second}" if is_range else f"{first} {second}"


def _number(text: str) -> float:
    return float(re.sub(r"\D", "", text))
