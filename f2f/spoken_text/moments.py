"""Dates and times of day in words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from f2f.languages import Language
from f2f.spoken_text.number_words import NumberWords
from f2f.spoken_text.phrases import Phrases
from f2f.spoken_text.quantities import find_locale

_ISO_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
_NUMERIC_DATE = re.compile(r"(?<![\w/.])(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?![\w/])")
_TIME = re.compile(
    r"(?<![\w:.,])([01]?\d|2[0-4])(?::|(?<=\d)h)([0-5]\d)(?::([0-5]\d))?"
    r"(?: ?(?:Uhr|h|heures?|horas|बजे|बजकर)(?!\w|[\u0900-\u097F]))?(?![\w:])"
)
_DECADE = re.compile(r"\b(1[1-9]\d0|20\d0)s\b")
_YEAR = r"(1[1-9]\d\d|20\d\d)"
# Words before which a number of four digits is a year, where years are read in a way of their own.
_YEAR_CUES = {
    "en": "in|since|by|of|from|until|till|to|year|around|circa|early|late|before|after|and|between|mid",
    "de": "im Jahre?|Jahre?|seit|von|bis|um|ab|nach|vor|anno",
}
_GERMAN_DATIVE = re.compile(r"\b(am|vom|zum|dem|den|bis|ab|seit) $", re.IGNORECASE)


class Moments:
    """Reads dates and times of one language.

    Args:
        language: the target language.
        phrases: its words, None where nobody wrote them down.
        words: its numbers in words.
        say: turns a whole number into what is said, words or digits.
    """

    def __init__(
        self, language: Language, phrases: Phrases | None, words: NumberWords, say: Callable[[int], str]
    ) -> None:
        self._language, self._phrases, self._words, self._say = language, phrases, words, say
        self._locale = find_locale(language)
        months: list[str] = []
        if self._locale is not None:
            from babel.dates import get_month_names

            months = [str(name) for name in get_month_names("wide", locale=self._locale).values()]
        self._months = "|".join(re.escape(name) for name in months)

    def expand_dates(self, text: str) -> str:
        """Write numeric dates with the month's name, then say day and year."""
        if self._locale is None:
            return text
        text = _ISO_DATE.sub(lambda match: self._long(match, *map(int, match.groups())), text)
        text = _NUMERIC_DATE.sub(self._numeric, text)
        return self._name_days(text)

    def expand_decades(self, text: str) -> str:
        """Replace the English "1990s"."""
        if self._language.primary != "en":
            return text
        return _DECADE.sub(lambda match: self._decade(int(match[1])), text)

    def expand_years(self, text: str) -> str:
        """Say years as years where the language has a way of its own: "nineteen eighty-four"."""
        primary = self._language.primary
        if primary not in _YEAR_CUES or not self._words.is_known:
            return text
        text = re.sub(rf"\b{_YEAR}(?= (?:to|bis) {_YEAR}\b)", self._year, text)
        cue = rf"(\b(?:{_YEAR_CUES[primary]}|to|bis) ){_YEAR}(?![\w.,:]?\d|\w| ?[%°])"
        return re.sub(
            cue, lambda match: match[1] + self._words.year(int(match[2])), text, flags=re.IGNORECASE
        )

    def _year(self, match: re.Match[str]) -> str:
        return self._words.year(int(match[1]))

    def expand_times(self, text: str) -> str:
        """Replace "14:30", "14h30", "9:00"."""
        return _TIME.sub(self._time, text)

    def _long(self, match: re.Match[str], year: int, month: int, day: int) -> str:
        from babel.dates import format_date

        try:
            return format_date(datetime.date(year, month, day), "long", locale=self._locale)
        except ValueError:  # no such day
            return match[0]

    def _numeric(self, match: re.Match[str]) -> str:
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        territory = self._language.code[-2:]
        is_american = self._language.primary == "en" and territory in ("en", "US") and match[2] == "/"
        month_first = (is_american and first <= 12) or second > 12
        day, month = (second, first) if month_first else (first, second)
        return self._long(match, year, month, day)

    def _name_days(self, text: str) -> str:
        if not self._words.is_known or not self._phrases:
            return text
        if self._language.primary == "en":
            day_last = re.compile(rf"\b({self._months}) (\d{{1,2}})(?:st|nd|rd|th)?(,? \d{{4}})?(?![\w:])")
            text = day_last.sub(self._english_day, text)
        month = rf"(?:de )?(?:{self._months})"
        day_first = re.compile(rf"(?<![\w.,])(\d{{1,2}})(\.|er|º|\.º)? ({month})\b( (?:de )?\d{{4}})?")
        return day_first.sub(self._day_first, text)

    def _english_day(self, match: re.Match[str]) -> str:
        year = f" {self._words.year(int(match[3].lstrip(', ')))}" if match[3] else ""
        return f"{match[1]} {self._words.ordinal(int(match[2]))}{year}"

    def _day_first(self, match: re.Match[str]) -> str:
        day, primary = int(match[1]), self._language.primary
        words = self._say(day)
        if primary == "de":
            words = (self._words.ordinal(day) or words) + ("n" if self._is_dative(match) else "r")
        elif primary == "en":
            words = self._words.ordinal(day) or words
        elif day == 1 and primary in ("fr", "it", "pt"):
            words = {"fr": "premier", "it": "primo", "pt": "primeiro"}[primary]
        year = ""
        if match[4]:
            year = match[4][:-4] + self._words.year(int(match[4][-4:]))
        return f"{words} {match[3]}{year}"

    def _is_dative(self, match: re.Match[str]) -> bool:
        return bool(_GERMAN_DATIVE.search(match.string[: match.start()]))

    def _decade(self, year: int) -> str:
        words = self._words.year(year)
        return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"

    def _time(self, match: re.Match[str]) -> str:
        hour, minute = int(match[1]), int(match[2])
        if match[3] or (hour == 24 and minute):  # with seconds it may be a duration; its parts are said
            return " ".join(self._say(int(part)) for part in match.groups() if part)
        if self._phrases is None:
            return f"{self._say(hour)} {self._say(minute)}" if minute else self._say(hour)
        if not minute:
            return self._phrases.full_hour.format(self._say(hour))
        spoken = self._say(minute)
        if self._language.primary == "en" and minute < 10:
            spoken = f"oh {spoken}"
        return self._phrases.time.format(self._say(hour), spoken)
