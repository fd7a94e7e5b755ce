"""The subtitles to edit: written, read back, and read as subtitle editors write them."""

from __future__ import annotations

import pytest

from f2f.errors import PreflightError
from f2f.review.lines import Line
from f2f.review.subtitles import format_subtitles, parse_subtitles

LINES = [
    Line(id=3, start_s=0.5, end_s=1.25, source="42", target="बयालीस"),
    Line(id=9, start_s=2, end_s=3, source="[music]", target=""),
    Line(id=4, start_s=3661.001, end_s=3662.0, source="bye", target="7"),
]


def test_lines_with_text_are_written_and_read_back() -> None:
    data = format_subtitles(LINES, "target")
    assert data.decode().splitlines()[:3] == ["3", "00:00:00,500 --> 00:00:01,250", "बयालीस"]
    rows = parse_subtitles(data, "t.srt", "target")
    assert [(row.id, row.start_s, row.end_s, row.fields["target"]) for row in rows] == [
        (3, 0.5, 1.25, "बयालीस"), (4, 3661.001, 3662.0, "7"),
    ]  # fmt: skip
    shown = parse_subtitles(format_subtitles(LINES, "source"), "t.srt", "source")
    assert [row.fields["source"] for row in shown] == ["42", "[music]", "bye"]


def test_they_are_read_as_editors_write_them() -> None:
    text = (
        "\ufeff1\r\n00:00:01.000 --> 00:00:02,000\r\n<i>One</i>\r\n{\\an8}two\r\n\r\n"
        "00:00:03,000 --> 00:00:04,000 X1:0\r\n\r\n"
        "3\r\n00:00:05,000 --> 00:00:06,000\r\nlast\r\n42\r\n"
    )
    for data in (text.encode(), text.lstrip("\ufeff").encode("utf-16")):
        rows = parse_subtitles(data, "t.srt", "target")
        assert [(row.id, row.fields["target"]) for row in rows] == [
            (1, "One two"),
            (None, ""),
            (3, "last 42"),
        ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"hello", "t.srt has no subtitle"),
        (b"1\n00:00:01 -> 00:00:02\n--> x\na\n", "t.srt line 3: '--> x' is no time"),
        (b"1\n00:00:02,000 --> 00:00:01,000\na\n", "t.srt subtitle 1 (line 2): it ends before it starts"),
        ("1\n00:00:01,000 --> 00:00:02,000\nä\n".encode("latin-1"), "t.srt is not UTF-8"),
    ],
)
def test_what_is_wrong_is_one_line(data: bytes, says: str) -> None:
    with pytest.raises(PreflightError) as caught:
        parse_subtitles(data, "t.srt", "target")
    [line] = caught.value.problems
    assert says in line
