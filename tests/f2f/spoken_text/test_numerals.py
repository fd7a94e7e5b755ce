"""Numbers as languages write them."""

from __future__ import annotations

import pytest

from f2f.spoken_text.numerals import Numeral, join_groups, read_numeral, to_ascii_digits


@pytest.mark.parametrize(
    ("text", "decimal", "group", "whole", "fraction"),
    [
        ("1,234", ".", ",", "1234", ""), ("1,234", ",", ".", "1", "234"), ("1.234", ",", ".", "1234", ""),
        ("1.234", ".", ",", "1", "234"), ("0.500", ",", ".", "0", "500"), ("3.5", ",", ".", "3", "5"),
        ("12,34,567.8", ".", ",", "1234567", "8"), ("1.234.567,89", ".", ",", "1234567", "89"),
        ("1\u202f234,5", ",", "\u202f", "1234", "5"), ("1'000", ".", ",", "1000", ""),
        ("1٬234٫5", ".", ",", "1234", "5"), ("007", ".", ",", "007", ""),
    ],
)  # fmt: skip
def test_separators(text: str, decimal: str, group: str, whole: str, fraction: str) -> None:
    assert read_numeral(text, decimal, group) == Numeral(whole, fraction)


@pytest.mark.parametrize("text", ["3.11.2", "127.0.0.1", "1,2,3", "1.2,3.4"])
def test_versions_and_lists_are_no_number(text: str) -> None:
    numeral = read_numeral(text, ".", ",")
    assert not numeral.whole and len(numeral.parts) >= 3


def test_digits_of_every_script() -> None:
    assert to_ascii_digits("०१२ ٣٤٥ ৬৭৮ ９ 𝟗 x² ½ ①") == "012 345 678 9 9 x² ½  1 "


def test_plain_spaces_group_only_where_that_is_clear() -> None:
    assert join_groups("1 234 567 x", pairs_too=False) == "1\u00a0234\u00a0567 x"
    assert join_groups("in 1984 200 and 5 100", pairs_too=False) == "in 1984 200 and 5 100"
    assert join_groups("5 100", pairs_too=True) == "5\u00a0100"
