from __future__ import annotations

import pytest

from f2f.lips.stretches import Box, OpenStretch, StretchCounter, join_stretches

HERE, MOVED, THERE = (10.0, 10.0, 50.0, 60.0), (14.0, 11.0, 54.0, 61.0), (200.0, 10.0, 240.0, 50.0)
BOXES: list[Box | None] = [None, HERE, MOVED, None, HERE, THERE, THERE]


def counted(first: int, stop: int) -> tuple[OpenStretch, ...]:
    counter = StretchCounter()
    for index in range(first, stop):
        counter.push(index, BOXES[index], is_synced=index % 2 == 0)
    return counter.found()


def test_stretches_end_at_gaps_and_jumps() -> None:
    found = join_stretches(counted(0, 7))
    stretches = [(s.first_frame, s.last_frame, s.n_synced, s.mean_box_height_px) for s in found]
    assert stretches == [(1, 2, 1, 50.0), (4, 4, 1, 50.0), (5, 6, 1, 40.0)]


@pytest.mark.parametrize("border", range(8))
def test_parts_have_the_stretches_of_the_whole(border: int) -> None:
    parts = [counted(0, border), counted(border, 7)]
    kept = [OpenStretch.model_validate_json(one.model_dump_json()) for part in parts for one in part]
    assert join_stretches(kept) == join_stretches(counted(0, 7))
