from datetime import timedelta

import pytest

from f2f.errors import UsageError
from f2f.library.timetable import Timetable, build_timetable, parse_interval


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        (" 2 H ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_intervals_are_read(text: str, expected: timedelta) -> None:
    assert parse_interval(text) == expected


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "1.5h", "5s", "0d", "10 minutes", "9999999d"])
def test_what_is_no_interval_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"--every {text}: "):
        parse_interval(text)


def test_a_timetable_is_a_cron_line_or_an_interval() -> None:
    assert build_timetable("0 2 * * *", None, now=True) == Timetable(cron="0 2 * * *", now=True)
    assert build_timetable(None, "2h", now=False) == Timetable(every=timedelta(hours=2))
    for cron, every in ((None, None), ("0 2 * * *", "2h")):
        with pytest.raises(UsageError, match="either --cron"):
            build_timetable(cron, every, now=False)
