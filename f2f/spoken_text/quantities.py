"""Amounts: numbers with a unit, a currency or a percent sign. Names and plurals are CLDR's, by ``babel``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from f2f.languages import Language
from f2f.spoken_text.numerals import NUMBER, Numeral
from f2f.spoken_text.phrases import Phrases

# Symbol, Latin or Devanagari, to CLDR unit. Case counts: mW and MW differ by nine orders of magnitude.
_UNITS = {
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "µm": "length-micrometer", "nm": "length-nanometer", "mi": "length-mile", "ft": "length-foot",
    "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram", "µg": "mass-microgram",
    "t": "mass-tonne", "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "l": "volume-liter",
    "L": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter", "h": "duration-hour",
    "min": "duration-minute", "s": "duration-second", "ms": "duration-millisecond",
    "µs": "duration-microsecond", "ns": "duration-nanosecond", "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz",
    "W": "power-watt", "kW": "power-kilowatt", "MW": "power-megawatt", "GW": "power-gigawatt",
    "mW": "power-milliwatt", "kWh": "energy-kilowatt-hour", "J": "energy-joule",
    "kJ": "energy-kilojoule", "cal": "energy-calorie", "kcal": "energy-kilocalorie",
    "eV": "energy-electronvolt", "V": "electric-volt", "A": "electric-ampere",
    "mA": "electric-milliampere", "Ω": "electric-ohm", "N": "force-newton", "Pa": "pressure-pascal",
    "hPa": "pressure-hectopascal", "kPa": "pressure-kilopascal", "MPa": "pressure-megapascal",
    "bar": "pressure-bar", "K": "temperature-kelvin", "°C": "temperature-celsius",
    "℃": "temperature-celsius", "°F": "temperature-fahrenheit", "°": "angle-degree",
    "km/h": "speed-kilometer-per-hour", "kmh": "speed-kilometer-per-hour",
    "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour",
    "m/s²": "acceleration-meter-per-square-second", "km²": "area-square-kilometer",
    "m²": "area-square-meter", "cm²": "area-square-centimeter", "m³": "volume-cubic-meter",
    "cm³": "volume-cubic-centimeter", "ha": "area-hectare", "kB": "digital-kilobyte",
    "KB": "digital-kilobyte", "MB": "digital-megabyte", "GB": "digital-gigabyte",
    "TB": "digital-terabyte", "ly": "length-light-year", "px": "graphics-pixel",
    "%": "concentr-percent", "‰": "concentr-permille", "lm": "light-lumen", "किमी": "length-kilometer",
    "कि.मी.": "length-kilometer", "सेमी": "length-centimeter", "से.मी.": "length-centimeter",
    "मिमी": "length-millimeter", "किग्रा": "mass-kilogram", "कि.ग्रा.": "mass-kilogram",
    "किलो": "mass-kilogram", "मिली": "volume-milliliter", "किमी/घंटा": "speed-kilometer-per-hour",
    "°से": "temperature-celsius",
}  # fmt: skip
_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(_UNITS, key=len, reverse=True))
_EXPONENT = r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|\^[-−]?\d+"
# A lone K, A or N needs a space: "4K" is no temperature. Behind the symbol stands no letter, mark, digit or
# operator that would make it part of something else.
_UNIT = re.compile(
    rf"(?P<number>{NUMBER})(?P<power>{_EXPONENT})?(?:[ \u00a0\u202f]|(?![KAN](?!\w)))"
    rf"(?P<unit>{_SYMBOLS})(?:/(?P<per>{_SYMBOLS}))?(?![\w/^²³\u0900-\u097F])"
)
_CODES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "R$": "BRL", "₽": "RUB", "₩": "KRW"}
_CURRENCY_SIGNS = "|".join(re.escape(sign) for sign in sorted(_CODES, key=len, reverse=True))

Say = Callable[[Numeral, str], str]
"""Turns a number into words; "m" or "f" is the gender of the noun that follows, "" where none does."""


class Quantities:
    """Reads amounts of one language.

    Args:
        language: the target language.
        phrases: its words, None where nobody wrote them down.
        read: takes the text of a number apart.
        say: turns a number into words.
    """

    def __init__(
        self, language: Language, phrases: Phrases | None, read: Callable[[str], Numeral], say: Say
    ) -> None:
        self._language, self._phrases, self._read, self._say = language, phrases, read, say
        self._locale = find_locale(language)
        words = "|".join(re.escape(word) for word in (phrases.magnitudes if phrases else ()))
        of = f"(?: {phrases.of})?" if phrases and phrases.of else ""
        known = rf"(?:[ \u00a0](?P<magnitude>{words})(?![\w\u0900-\u097F]){of})?"
        amount = rf"(?P<number>{NUMBER})" + (known if words else "(?P<magnitude>(?!))?")
        gap, sign = "[ \u00a0\u202f]?", rf"(?P<sign>{_CURRENCY_SIGNS})"
        self._sign_first = re.compile(f"{sign}{gap}{amount}")
        self._sign_last = re.compile(rf"{amount}{gap}{sign}(?!\w)")

    def expand_currencies(self, text: str) -> str:
        """Replace "$5", "5 €", "₹5 करोड़", "£2.50"."""
        for pattern in (self._sign_first, self._sign_last):
            text = pattern.sub(self._currency, text)
        return text

    def expand_units(self, text: str) -> str:
        """Replace "5 km", "20 °C", "3.5 %"; a unit that CLDR cannot name in the language stays."""
        return _UNIT.sub(self._unit, text) if self._locale is not None else text

    def name_unit(self, unit: str, numeral: Numeral, per: str | None = None) -> str | None:
        """Return number and unit (per another unit) in words, None where CLDR has no name for it."""
        from babel.units import UnknownUnitError, format_compound_unit, format_unit

        number, style = _plain(numeral), {"length": "long", "format": "0.##########", "locale": self._locale}
        try:
            if per is None:
                written = format_unit(number, unit, **style)
            else:
                written = format_compound_unit(number, unit, denominator_unit=per, **style) or unit
        except UnknownUnitError:
            return None
        if self._language.primary == "hi":
            written = written.replace("/", " प्रति ")  # where CLDR has no words of its own
        if unit in written or (per and per in written):  # CLDR lacks the unit in this language
            return None
        noun = re.sub(r"[\d.,]+", "", written).strip()
        words = self._say(numeral, self._gender(noun))
        return re.sub(r"\d+(?:[.,]\d+)?", lambda _: words, written, count=1).replace("\u00a0", " ")

    def _unit(self, match: re.Match[str]) -> str:
        numeral, per = self._read(match["number"]), _UNITS.get(match["per"] or "")
        if match["power"]:  # said by the rules for formulas; here only the unit gets its name
            named = self.name_unit(_UNITS[match["unit"]], numeral, per)
            said = self._say(numeral, "m")
            return match[0] if named is None else named.replace(said, match["number"] + match["power"], 1)
        words = None if numeral.parts else self.name_unit(_UNITS[match["unit"]], numeral, per)
        return words or match[0]

    def _currency(self, match: re.Match[str]) -> str:
        numeral = self._read(match["number"])
        if numeral.parts:
            return match[0]
        magnitude = match["magnitude"]
        one, many = self._currency_names(match["sign"], numeral)
        if magnitude:
            of = f" {self._phrases.of}" if self._phrases and self._phrases.of else ""
            return f"{self._say(numeral, 'm')} {magnitude}{of} {many}"
        is_one = int(numeral.whole or 0) == 1
        if self._phrases and len(numeral.fraction) == 2:
            noun = one if is_one else many
            whole = f"{self._say(Numeral(numeral.whole), self._gender(noun))} {noun}"
            if not int(numeral.fraction):
                return whole
            cents = self._say(Numeral(str(int(numeral.fraction))), "")
            return self._phrases.cents.format(
                whole, cents, self._phrases.coins.get(match["sign"], "")
            ).strip()
        noun = one if is_one and not numeral.fraction else many
        return f"{self._say(numeral, self._gender(noun))} {noun}"

    def _currency_names(self, sign: str, numeral: Numeral) -> tuple[str, str]:
        if self._phrases and sign in self._phrases.currencies:
            return self._phrases.currencies[sign]
        if self._locale is None:
            return sign, sign
        from babel.numbers import get_currency_name

        name = get_currency_name(_CODES[sign], count=_plain(numeral), locale=self._locale)
        return name, name

    def _gender(self, noun: str) -> str:
        """Return "f" where the name of a unit is feminine, else "m": "one" and hundreds agree with it."""
        word = noun.split()[0].lower() if noun else ""
        is_feminine = {
            "es": word.endswith(("a", "as")),
            "pt": word.endswith(("a", "as")),
            "it": word.endswith("a") or word in ("ore", "once", "libbre", "tonnellate", "sterline"),
            "de": word.endswith(("e", "en")),
            "fr": word.rstrip("s") in _FRENCH_FEMININES,
        }
        return "f" if is_feminine.get(self._language.primary) else "m"


_FRENCH_FEMININES = frozenset(["heure", "minute", "seconde", "tonne", "livre", "once", "roupie", "calorie"])


def _plain(numeral: Numeral) -> Any:
    """Return the number as babel takes it: an int where it is whole, so that plurals come out right."""
    return int(numeral.value) if numeral.value == int(numeral.value) else numeral.value


def find_locale(language: Language) -> Any:
    """Return CLDR's locale of the language, None where it has none."""
    return _locale(language.code, language.primary)


@functools.lru_cache(maxsize=64)
def _locale(code: str, primary: str) -> Any:
    from babel import Locale, UnknownLocaleError

    territory = code.rpartition("-")[2]
    names = [f"{primary}_{territory}"] if len(territory) == 2 and territory.isupper() else []
    for name in (*names, primary):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None
