"""Numbers as they stand in text: digits of any script, grouped and with decimals in the ways of languages."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

_SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break, thin: all group thousands
# One number with its separators; a plain space is none, see ``join_groups``.
NUMBER = rf"\d+(?:[.,٫٬{_SPACES}]\d+|['’]\d{{3}}(?!\d))*"
_SPACED_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d)")


@dataclass(frozen=True)
class Numeral:
    """One number as written.

    Attributes:
        whole: digits before the decimal separator, without groups; leading zeros are kept.
        fraction: digits after it, "" where there are none.
        parts: all runs of digits where the text is no single number ("3.11.2", an address), else empty.
    """

    whole: str
    fraction: str = ""
    parts: tuple[str, ...] = ()

    @property
    def value(self) -> Decimal:
        """The number."""
        return Decimal(f"{self.whole}.{self.fraction or 0}")


def to_ascii_digits(text: str) -> str:
    """Return ``text`` with every digit of Unicode as 0–9, circled ones too.

    Superscripts, subscripts and fractions stay: they mean something else than digits in a row.
    """
    return "".join(map(_ascii_digit, text))


@functools.lru_cache(maxsize=4096)
def _ascii_digit(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) != "No" or "<" not in unicodedata.decomposition(character):
        return character
    is_ornament = unicodedata.decomposition(character).startswith(("<circle>", "<compat>"))
    return f" {unicodedata.normalize('NFKC', character)} " if is_ornament else character


def join_groups(text: str, *, pairs_too: bool) -> str:
    """Return ``text`` with no-break spaces between the groups of "1 234 567".

    Args:
        text: any text.
        pairs_too: "1 000" is one number as well, in languages that group by spaces.
    """

    def join(match: re.Match[str]) -> str:
        is_one = pairs_too or match[0].count(" ") > 1
        return match[0].replace(" ", "\u00a0") if is_one else match[0]

    return _SPACED_GROUPS.sub(join, text)


def read_numeral(text: str, decimal: str, group: str) -> Numeral:
    """Take the number ``text`` apart.

    Args:
        text: what ``NUMBER`` matched.
        decimal: decimal separator of the language, "." or ",".
        group: the language's separator of thousands.
    """
    cleaned = re.sub(rf"[{_SPACES} '’٬]", "", text).replace("٫", decimal)
    marks = re.findall(r"[.,]", cleaned)
    if not marks:
        return Numeral(cleaned)
    runs = re.split(r"[.,]", cleaned)
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
        return Numeral("".join(runs[:-1]), runs[-1])
    if len(set(marks)) == 2:
        return Numeral("", parts=tuple(runs))
    if len(marks) > 1:
        return Numeral("".join(runs)) if _are_groups(runs) else Numeral("", parts=tuple(runs))
    # A single mark: thousands only where the language groups so and the digits look like it.
    is_group = marks[0] != decimal and marks[0] == group and _are_groups(runs) and runs[0] != "0"
    return Numeral("".join(runs)) if is_group else Numeral(runs[0], runs[1])


def _are_groups(runs: list[str]) -> bool:
    """Whether the runs are groups of a large number, Western (1,234,567) or Indian (12,34,567)."""
    western = all(len(run) == 3 for run in runs[1:])
    indian = all(len(run) == 2 for run in runs[1:-1])
    return 1 <= len(runs[0]) <= 3 and len(runs[-1]) == 3 and (western or indian)
