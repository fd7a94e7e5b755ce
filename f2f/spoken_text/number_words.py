"""Numbers in words: ``indic-numtowords`` for the languages of India, ``num2words`` for others."""

from __future__ import annotations

import functools
import re
from typing import Any

from f2f.engines.status import STANDARD_INSTALL
from f2f.errors import EngineUnavailableError
from f2f.languages import Language
from f2f.spoken_text.numerals import Numeral

# indic-numtowords is right here where num2words is not (kn, te) or lacks the language (hi and the others).
_COUNTED_IN_CRORES = frozenset(["as", "bn", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te", "ur"])
_INDIC = _COUNTED_IN_CRORES | {"brx", "doi", "kok", "ks", "mai", "mni", "ne", "sa", "sat", "sd"}
_NUM2WORDS_SPELLING = {"kk": "kz", "nb": "no", "nn": "no"}
# What stands between whole number and decimals, which are then read digit by digit.
_POINT = {
    "en": "point", "es": "coma", "fr": "virgule", "de": "Komma", "pt": "vírgula", "it": "virgola",
    "nl": "komma", "ru": "запятая", "pl": "przecinek", "cs": "celá", "tr": "virgül", "hu": "egész",
    "sv": "komma", "da": "komma", "nb": "komma", "no": "komma", "ro": "virgulă", "uk": "кома", "ar": "فاصلة",
    "id": "koma", "vi": "phẩy", "ko": "점", "ja": "点", "fa": "ممیز", "he": "נקודה", "th": "จุด",
    "hi": "दशमलव", "bn": "দশমিক", "as": "দশমিক", "mr": "दशांश", "ne": "दशमलव", "sa": "दशमलव", "mai": "दशमलव",
    "gu": "દશાંશ", "pa": "ਦਸ਼ਮਲਵ", "or": "ଦଶମିକ", "ta": "புள்ளி", "te": "దశాంశం", "kn": "ದಶಮಾಂಶ", "ml": "ദശാംശം",
    "ur": "اعشاریہ",
}  # fmt: skip
# Spanish with a decimal point.
_POINT_TERRITORIES = frozenset(["MX", "US", "GT", "HN", "NI", "PA", "SV", "DO", "PR"])
_CRORE = 10**7
_LONGEST_CARDINAL = 15  # digits; what is longer is read digit by digit


class NumberWords:
    """Words for numbers in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._code = _num2words_code(language)

    @property
    def is_known(self) -> bool:
        """Whether a library has the numbers of this language."""
        return self._code is not None or self._language.primary in _INDIC

    def cardinal(self, number: int) -> str:
        """Return ``number`` in words; negative numbers are the caller's."""
        if self._language.primary in _INDIC:
            return _indic(number, self._language.primary)
        return self._ask(number, "cardinal")

    def ordinal(self, number: int) -> str | None:
        """Return "twenty-first" for 21, None where the library cannot."""
        try:
            return self._ask(number, "ordinal") if self._code else None
        except (NotImplementedError, OverflowError, KeyError, IndexError):
            return None

    def year(self, number: int) -> str:
        """Return a year as the language reads it: "nineteen eighty-four"."""
        if self._code is None:
            return self.cardinal(number)
        return self._ask(number, "year")

    def read(self, numeral: Numeral) -> str:
        """Return the number as written in words, decimals digit by digit."""
        if numeral.parts:
            return f" {self._point} ".join(self.read(Numeral(part)) for part in numeral.parts)
        whole = numeral.whole
        if len(whole) > _LONGEST_CARDINAL or (len(whole) > 1 and whole[0] == "0"):
            words = self.digits(whole)
        else:
            words = self.cardinal(int(whole or 0))
        return f"{words} {self._point} {self.digits(numeral.fraction)}" if numeral.fraction else words

    def digits(self, digits: str) -> str:
        """Return every digit as a word of its own."""
        return " ".join(self.cardinal(int(digit)) for digit in digits)

    @property
    def _point(self) -> str:
        if self._language.primary == "es" and self._language.code[-2:] in _POINT_TERRITORIES:
            return "punto"
        return _POINT.get(self._language.primary, ",")

    def _ask(self, number: int, kind: str) -> str:
        arguments = {"era": False} if self._language.primary == "ja" and kind == "year" else {}
        words = str(_num2words()(number, lang=self._code, to=kind, **arguments))
        return re.sub(r"\s+", " ", words.replace(",", "")).strip()


@functools.lru_cache(maxsize=4096)
def _indic(number: int, code: str) -> str:
    """Return words in the Indian system; in crores beyond the library's range, as India counts."""
    if number >= 100 * _CRORE and code in _COUNTED_IN_CRORES:
        crores, rest = divmod(number, _CRORE)
        words = f"{_indic(crores, code)} {_indic(_CRORE, code).split()[-1]}"
        return f"{words} {_indic(rest, code)}" if rest else words
    words = str(_indic_numtowords()(number, lang=code))
    return words.replace("छः", "छह") if code == "hi" else words  # few voices know the visarga


def _num2words_code(language: Language) -> str | None:
    tag = language.code.replace("-", "_")
    primary = language.primary
    spellings = (tag, _NUM2WORDS_SPELLING.get(primary, primary))
    return next((code for code in spellings if code in _num2words_codes()), None)


@functools.lru_cache(maxsize=1)
def _num2words_codes() -> frozenset[str]:
    _num2words()
    from num2words import CONVERTER_CLASSES

    return frozenset(CONVERTER_CLASSES)


@functools.lru_cache(maxsize=1)
def _num2words() -> Any:
    try:
        from num2words import num2words
    except ImportError as error:
        raise EngineUnavailableError(f"numbers need num2words: {STANDARD_INSTALL}") from error
    return num2words


@functools.lru_cache(maxsize=1)
def _indic_numtowords() -> Any:
    try:
        from indic_numtowords import num2words
    except ImportError as error:
        raise EngineUnavailableError(f"numbers need indic-numtowords: {STANDARD_INSTALL}") from error
    return num2words
