"""Lines are found again however a table or a subtitle editor split, merged and numbered them.

Other systems pair lines by their place and go wrong from the first split on (VideoLingo#284, #288).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.results import EngineInfo, Segment, Transcript
from f2f.review.applying import apply_edits
from f2f.review.lines import Line, Review, Row
from f2f.review.matching import Group, match
from f2f.review.merging import divide_text, overlaps, take_rows


def line(number: int, start_s: float, end_s: float, text: str = "") -> Line:
    return Line(id=number, start_s=start_s, end_s=end_s, source=f"s{number}", target=text or f"t{number}")


def row(number: int, line_id: int | None, start_s: float, end_s: float, text: str = "x") -> Row:
    return Row(number, line_id, start_s, end_s, {"target": text})


def ids(groups: list[Group]) -> list[tuple[list[int], list[int]]]:
    return [([one.id for one in group.lines], [one.number for one in group.rows]) for group in groups]


@dataclass(frozen=True)
class Case:
    """Lines, what a person made of them, and what belongs together."""

    lines: list[Line]
    rows: list[Row]
    expected: list[tuple[list[int], list[int]]]


@st.composite
def cases(draw: st.DrawFn, *, are_ids_kept: bool) -> Case:
    """Up to eight lines, each kept, nudged, split, deleted, or merged with the next one."""
    time_s, lines = 0.0, []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        time_s += draw(st.floats(0, 2))
        duration_s = draw(st.floats(0.5, 9))
        lines.append(line(number, time_s, time_s + duration_s))
        time_s += duration_s
    rows: list[tuple[int | None, float, float]] = []
    groups: list[tuple[list[int], int]] = []
    rest = list(lines)
    while rest:
        one = rest.pop(0)
        what = draw(st.sampled_from(["keep", "nudge", "split", "delete", "merge"]))
        if what == "merge" and rest:
            two = rest.pop(0)
            rows.append((one.id, one.start_s, two.end_s))
            groups.append(([one.id, two.id], 1))
        elif what == "split":
            middle = one.start_s + draw(st.floats(0.2, 0.8)) * (one.end_s - one.start_s)
            second = draw(st.sampled_from([one.id, None]))
            rows += [(one.id, one.start_s, middle), (second, middle, one.end_s)]
            groups.append(([one.id], 2))
        elif what == "delete":
            groups.append(([one.id], 0))
        else:
            moved = 0.1 * (one.end_s - one.start_s) if what == "nudge" else 0.0
            rows.append((one.id, one.start_s + moved, one.end_s))
            groups.append(([one.id], 1))
    if not are_ids_kept:
        rows = [(number, *times) for number, (_, *times) in enumerate(rows, start=draw(st.integers(0, 3)))]
    made = [row(number, *values) for number, values in enumerate(rows, start=1)]
    expected, number = [], 0
    for members, count in groups:
        expected.append((members, list(range(number + 1, number + count + 1))))
        number += count
    order = draw(st.permutations(made)) if are_ids_kept else made
    return Case(lines, list(order), expected)


@given(cases(are_ids_kept=True))
@settings(max_examples=150, deadline=None)
def test_a_table_in_any_order(case: Case) -> None:
    assert ids(match(case.lines, case.rows, are_ids_kept=True)) == case.expected


@given(cases(are_ids_kept=False))
@settings(max_examples=150, deadline=None)
def test_subtitles_with_new_numbers(case: Case) -> None:
    assert ids(match(case.lines, case.rows, are_ids_kept=False)) == case.expected


@given(cases(are_ids_kept=False), st.lists(st.tuples(st.floats(0, 90), st.floats(0.1, 5)), max_size=4))
@settings(max_examples=80, deadline=None)
def test_every_line_and_row_is_in_one_group(case: Case, more: list[tuple[float, float]]) -> None:
    extra = [row(100 + k, k, start_s, start_s + last_s) for k, (start_s, last_s) in enumerate(more)]
    groups = match(case.lines, [*case.rows, *extra], are_ids_kept=False)
    found = [one.number for group in groups for one in group.rows]
    assert sorted(found) == sorted(one.number for one in [*case.rows, *extra])
    assert sorted(one.id for group in groups for one in group.lines) == [one.id for one in case.lines]


def test_an_id_counts_wherever_the_table_moves_it_but_not_in_subtitles() -> None:
    lines = [line(1, 0, 1), line(2, 2, 3)]
    assert ids(match(lines, [row(2, 2, 2, 3), row(3, 1, 8, 9)], are_ids_kept=True)) == [
        ([2], [2]),
        ([1], [3]),
    ]
    assert ids(match(lines, [row(1, 1, 2, 3), row(2, 2, 8, 9)], are_ids_kept=False)) == [
        ([1], []), ([2], [1]), ([], [2]),
    ]  # fmt: skip


def test_lines_that_the_file_did_not_show_are_not_deleted() -> None:
    lines = [line(1, 0, 1), line(2, 2, 3)]
    assert ids(match(lines, [row(1, 1, 0, 1)], are_ids_kept=False, hidden={2})) == [([1], [1])]


@given(st.text(st.sampled_from("ab é中 "), max_size=60), st.lists(st.floats(0.1, 9), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_divided_text_loses_nothing(text: str, shares: list[float]) -> None:
    parts = divide_text(text, shares)
    assert len(parts) == len(shares)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_text_is_divided_by_time() -> None:
    assert divide_text("one two three four", [1, 3]) == ["one", "two three four"]
    assert divide_text("谢谢大家", [1, 1]) == ["谢谢", "大家"]


def test_rows_at_the_same_time_are_named() -> None:
    rows = [row(2, 1, 0, 2), row(3, 2, 1.5, 3), row(4, 3, 2.99, 4)]
    assert overlaps(rows, "row") == ["row 3 starts at 1.5 s, before row 2 ends (2 s); give each its own time"]


@given(cases(are_ids_kept=True))
@settings(max_examples=80, deadline=None)
def test_new_ids_are_new(case: Case) -> None:
    taken = take_rows(Review(written=tuple(case.lines), is_translated=True), case.rows, are_ids_kept=True)
    spoken = [edit.id for edit in taken.edits.values() if not edit.is_removed]
    replaced = {anchor.id for edit in taken.edits.values() for anchor in edit.anchors}
    untouched = [one.id for one in case.lines if one.id not in replaced]
    assert len({*spoken, *untouched}) == len(spoken) + len(untouched) == len(case.rows)
    gone = sum(not numbers for _, numbers in case.expected)
    assert sum(edit.is_removed for edit in taken.edits.values()) == gone


@given(st.booleans().flatmap(lambda kept: st.tuples(st.just(kept), cases(are_ids_kept=kept))))
@settings(max_examples=100, deadline=None)
def test_the_edited_transcript_is_in_order_and_says_every_row_once(drawn: tuple[bool, Case]) -> None:
    are_ids_kept, case = drawn
    segments = [
        Segment(id=one.id, start_s=one.start_s, end_s=one.end_s, text=one.source) for one in case.lines
    ]
    engine = EngineInfo(name="tiny", version="1", licence="MIT")
    heard = Transcript(language="en", segments=tuple(segments), engine=engine)
    review = Review(written=tuple(case.lines), is_translated=True)
    taken = take_rows(review, case.rows, are_ids_kept=are_ids_kept)
    placed = apply_edits(heard, list(taken.edits.values())).segments
    spans = [(segment.start_s, segment.end_s) for segment, _, _ in placed]
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(spans))
    assert len({segment.id for segment, _, _ in placed}) == len(placed)
    live = [segment for segment, edit, _ in placed if edit is None or not edit.is_removed]
    wanted = sorted(one.start_s for one in case.rows)
    assert all(abs(a.start_s - b) < 0.001 for a, b in zip(live, wanted, strict=True))
    words = " ".join(segment.text for segment, _, _ in sorted(placed, key=lambda one: one[0].start_s)).split()
    assert words == [one.source for one in case.lines]  # no spoken word is lost or doubled
