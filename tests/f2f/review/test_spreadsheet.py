"""The table: what is written is read back, also as other programs write it; each bad row is one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.errors import PreflightError
from f2f.review.lines import Line
from f2f.review.spreadsheet import format_table, parse_table

HINDI = Line(
    id=12, start_s=3732.345, end_s=3734.5, speaker="S1", source='a "b", c;', target="नमस्ते, सब", note="?"
)
CELLS = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=30).map(
    lambda text: " ".join(text.split())
)


def problems(data: bytes) -> tuple[str, ...]:
    with pytest.raises(PreflightError) as caught:
        parse_table(data, "t.csv")
    assert caught.value.exit_code == 2
    return caught.value.problems


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_text_survives(texts: list[tuple[str, str, str]]) -> None:
    lines = [
        Line(
            id=k,
            start_s=k * 2 + 0.1234,
            end_s=k * 2 + 1.5,
            speaker=one[0] or None,
            source=one[1],
            target=one[2],
        )
        for k, one in enumerate(texts)
    ]
    rows = parse_table(format_table(lines), "t.csv")
    assert [row.id for row in rows] == [line.id for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert abs(row.start_s - line.start_s) < 0.00051
        shown = (line.speaker or "", line.source, line.target, "")
        assert tuple(row.fields.values()) == shown


@pytest.mark.parametrize("begin", ["=1+1", "+x", "-- so", "@you", "'=x", "-1"])
def test_no_text_is_a_formula(begin: str) -> None:
    line = HINDI.model_copy(update={"target": begin})
    data = format_table([line])
    assert f",{begin}," not in data.decode()
    assert parse_table(data, "t.csv")[0].fields["target"] == begin


def test_it_is_read_as_spreadsheets_write_it() -> None:
    plain = "id;start;end;speaker;source;target;note\r\n12;3732,345;3734,5;S1;a;नमस्ते\nसब;\r\n;;;;;;\r\n"
    for data in (
        plain.replace("नमस्ते\nसब", '"नमस्ते\nसब"').encode("utf-8-sig"),
        plain.replace(";", "\t").replace("\nसब", " सब").encode("utf-16"),
        plain.replace("\nसब", " सब").encode(),
    ):
        [row] = parse_table(data, "t.csv")
        assert (row.id, row.start_s, row.end_s) == (12, 3732.345, 3734.5)
        assert row.fields["target"] == "नमस्ते सब"


def test_columns_may_be_left_out_and_ordered_otherwise() -> None:
    [row] = parse_table(b"target,end,start\nx,0:01:02.5,61\n", "t.csv")
    assert (row.id, row.start_s, row.end_s, row.fields) == (None, 61, 62.5, {"target": "x"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column 'start'"),
        ("id,start,source\n", "no column 'end'"),
        ("id,start,end,source,colour\n", "a column 'colour', which is not known"),
        ("id,start,end,end,source\n", "two columns 'end'"),
        ("id,start,end,source\n", "no row"),
        ("id,start,end,source\n1,0,1\n", "row 2: 3 cells where the first row has 4"),
        ("id,start,end,source\n1,0,1,a,b\n", "row 2: 5 cells where the first row has 4"),
        ('id,start,end,source\n1,0,1,"a\n', "row 2 (line"),
        ("id,start,end,source\nx,0,1,a\n", "row 2: id 'x' is no whole number"),
        ("id,start,end,source\n1,0,late,a\n", "row 2: end 'late' is no time"),
        ("id,start,end,source\n1,2,1,a\n", "row 2: it ends (1) before it starts (2)"),
        ("id,start,end,source\n1,0,1,Err:509\n", "row 2: source is 'Err:509': the spreadsheet took"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, says: str) -> None:
    [line] = problems(text.encode())
    assert says in line
    assert line.startswith("t.csv")


def test_every_bad_row_is_named() -> None:
    lines = problems(b"id,start,end,source\n1,a,1,a\n2,0,1,b\n3,0,b,c\n")
    assert [line.split(":")[0] for line in lines] == ["t.csv row 2", "t.csv row 4"]


def test_another_encoding_is_named_with_its_remedy() -> None:
    [line] = problems("id,start,end,source\n1,0,1,Müller\n".encode("cp1252"))
    assert "is not UTF-8 (line 2)" in line
    assert "CSV UTF-8" in line
