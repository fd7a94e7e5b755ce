"""Puts the rules of this package together, in the order in which they must be applied."""

from __future__ import annotations

import functools
import re
import unicodedata
from enum import Enum

from f2f.languages import Language, parse_language
from f2f.spoken_text.abbreviations import expand_abbreviations
from f2f.spoken_text.addresses import expand_addresses
from f2f.spoken_text.formulas import Formulas
from f2f.spoken_text.moments import Moments
from f2f.spoken_text.number_words import NumberWords
from f2f.spoken_text.numerals import NUMBER, Numeral, join_groups, read_numeral, to_ascii_digits
from f2f.spoken_text.phrases import PHRASES
from f2f.spoken_text.quantities import Quantities, find_locale

_DIGITS = re.compile(NUMBER)
_ORDINALS = {
    "en": re.compile(r"\b(\d+)(st|nd|rd|th)\b"),
    "es": re.compile(r"\b(\d+)\.?(º|ª|er)(?!\w)"),
    "pt": re.compile(r"\b(\d+)\.?(º|ª)(?!\w)"),
    "it": re.compile(r"\b(\d+)(º|ª|°)(?!\w)"),
    "fr": re.compile(r"\b(\d+)(ers?|res?|èmes?|es?|nde?s?)\b"),
    "hi": re.compile(r"(\d+)[-–]?(वाँ|वां|वीं|वें|ला|ली|ले|रा|री|रे|था|थी|थे|ठा|ठी|ठे)(?![\u0900-\u097F])"),
}
_HINDI_ORDINALS = {1: "पहल", 2: "दूसर", 3: "तीसर", 4: "चौथ", 6: "छठ"}
_HINDI_ENDINGS = {"वाँ": "ा", "वां": "ा", "वीं": "ी", "वें": "े"}
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=\d)|(?<=[\u0900-\u097F])-(?=\d)")  # "COVID-19"
_PHONE = re.compile(r"\+\d[\d ()-]{6,}\d")
_WITHOUT_SPACES = frozenset(["ja", "zh", "yue", "th", "lo", "my", "km"])
# "One" and hundreds agree with the noun that follows.
_AGREEMENT = {
    ("es", "m"): ((r"veintiuno$", "veintiún"), (r"\buno$", "un")),
    ("es", "f"): ((r"uno$", "una"), (r"([cn]ient|quinient)os\b", r"\1as")),
    ("pt", "f"): ((r"\bum$", "uma"), (r"\bdois$", "duas"), (r"(zent|cent|hent)os\b", r"\1as")),
    ("it", "m"): ((r"\buno$", "un"),),
    ("it", "f"): ((r"\buno$", "una"),),
    ("de", "m"): ((r"\beins$", "ein"),),
    ("de", "f"): ((r"\beins$", "eine"),),
    ("fr", "f"): ((r"\bun$", "une"),),
}
_MASCULINE_PLURALS = frozenset(
    ["días", "dias", "problemas", "sistemas", "programas", "temas", "mapas", "planetas"]
)


class NumberStyle(Enum):
    """How numbers are handed to a voice."""

    WORDS = "words"
    """In words, for voices that cannot read digits, or read them wrongly."""
    DIGITS = "digits"
    """In plain digits of 0–9 with the language's decimal mark, for voices that read these well themselves."""


def spell_out(text: str, language: str, style: NumberStyle = NumberStyle.WORDS) -> str:
    """Return ``text`` as it is said in ``language``.

    Args:
        text: what a subtitle shows.
        language: BCP-47 code of the language it is in.
        style: ``DIGITS`` keeps cardinals, decimals and years as digits; dates, times, units, currencies,
            ordinals, formulas, abbreviations and addresses are written out all the same.

    Raises:
        EngineUnavailableError: the libraries for numbers are not installed.
    """
    return _speller(language, style).spell_out(text)


def has_number_words(language: str) -> bool:
    """Whether numbers of this language can be written in words here."""
    return NumberWords(parse_language(language)).is_known


@functools.lru_cache(maxsize=32)
def _speller(language: str, style: NumberStyle) -> Speller:
    return Speller(parse_language(language), style)


class Speller:
    """Writes out the text of one language; see ``spell_out``."""

    def __init__(self, language: Language, style: NumberStyle) -> None:
        self._language = language
        self._words = NumberWords(language)
        self._in_words = style is NumberStyle.WORDS and self._words.is_known
        self._phrases = PHRASES.get(language.primary)
        locale = find_locale(language)
        symbols = locale.number_symbols["latn"] if locale else {"decimal": ".", "group": ","}
        self._decimal, self._group = str(symbols["decimal"]), str(symbols["group"])
        self._quantities = Quantities(language, self._phrases, self._read, self._say)
        self._moments = Moments(
            language, self._phrases, self._words, lambda number: self._say(Numeral(str(number)))
        )
        is_greek = language.script == "Grek"
        self._formulas = (
            Formulas(self._phrases, lambda text: self._say(self._read(text)), is_greek=is_greek)
            if self._phrases
            else None
        )

    def spell_out(self, text: str) -> str:
        """Return ``text`` as it is said."""
        text = to_ascii_digits(unicodedata.normalize("NFC", text))
        text = join_groups(text, pairs_too=self._group.isspace() or self._language.primary in ("es", "pt"))
        if self._phrases:
            text = expand_addresses(text, self._phrases)
            text = expand_abbreviations(text, self._phrases)
        text = _PHONE.sub(lambda match: " ".join(re.findall(r"\d", match[0])), text)
        text = _HYPHEN.sub(" ", self._moments.expand_decades(text))
        text = self._moments.expand_times(self._moments.expand_dates(text))
        text = self._quantities.expand_units(self._quantities.expand_currencies(text))
        if self._formulas:
            text = self._formulas.expand(text)
        text = self._expand_ordinals(text)
        if self._in_words:
            text = self._moments.expand_years(text)
        text = _DIGITS.sub(self._number, text)
        return re.sub(r"\s+([,.;:!?।])", r"\1", " ".join(text.split()))

    def _read(self, text: str) -> Numeral:
        return read_numeral(text, self._decimal, self._group)

    def _number(self, match: re.Match[str]) -> str:
        """Return a plain number with a space where it touches a letter: "F2F" has three words."""
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        numeral = self._read(match[0])
        if not self._in_words and (before.isalpha() or after.isalpha()):
            return match[0]
        words = self._say(numeral, self._gender_of_next(match.string[match.end() :]))
        if self._language.primary in _WITHOUT_SPACES:
            return words
        return f"{' ' if _is_letter(before) else ''}{words}{' ' if _is_letter(after) else ''}"

    def _gender_of_next(self, text: str) -> str:
        """Return the gender of a Spanish or Portuguese plural that follows, "" where that is not clear."""
        noun = re.match(r" (\w+s)\b", text)
        if noun is None or self._language.primary not in ("es", "pt"):
            return ""
        if noun[1].endswith("as") and noun[1] not in _MASCULINE_PLURALS:
            return "f"
        return "f" if noun[1] in ("veces", "vezes", "partes") else "m"

    def _say(self, numeral: Numeral, gender: str = "") -> str:
        if not self._in_words:
            return _plain(numeral, self._decimal)
        words = self._words.read(numeral)
        if not gender or numeral.fraction or numeral.parts:
            return words
        for pattern, agreed in _AGREEMENT.get((self._language.primary, gender), ()):
            words = re.sub(pattern, agreed, words)
        return words

    def _expand_ordinals(self, text: str) -> str:
        pattern = _ORDINALS.get(self._language.primary)
        return pattern.sub(self._ordinal, text) if pattern else text

    def _ordinal(self, match: re.Match[str]) -> str:
        number, ending, primary = int(match[1]), match[2], self._language.primary
        if primary == "hi":
            return self._hindi_ordinal(number, ending)
        words = self._words.ordinal(number)
        if words is None:
            return match[0]
        if ending == "er" and primary == "es":
            return re.sub(r"(primer|tercer)o$", r"\1", words)
        if ending == "ª":
            return re.sub(r"o\b", "a", words) if primary != "it" else re.sub(r"o$", "a", words)
        if primary == "fr" and number == 1:
            return "première" if ending.startswith("re") else "premier"
        return words

    def _hindi_ordinal(self, number: int, ending: str) -> str:
        """Return "इक्कीसवीं" for 21 and "वीं": the ending says gender and case, and stays."""
        stem = _HINDI_ORDINALS.get(number)
        if stem is not None:
            return stem + _HINDI_ENDINGS.get(ending, ending[1:])
        return self._words.cardinal(number) + ending


def _is_letter(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LM"


def _plain(numeral: Numeral, decimal: str) -> str:
    if numeral.parts:
        return ".".join(numeral.parts)
    return f"{numeral.whole}{decimal}{numeral.fraction}" if numeral.fraction else numeral.whole
