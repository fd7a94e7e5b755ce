"""The judge of the scripts that kill runs: it must see what is wrong, and hit every place."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    return load("faults_library")


def load(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCH))


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("n_victims", [3, 4, 5])
def test_each_stage_is_hit_with_each_victim_and_soon_each_of_both(faults: ModuleType, n_victims: int) -> None:
    victims = tuple("abcde"[:n_victims])
    times = 14 * n_victims
    kills = [faults.choose(number, times, victims) for number in range(9 * n_victims + 1)]
    assert len(set(kills[:-1])) == 9 * n_victims
    assert kills[-1][0] == faults.ANY_MOMENT
    first = kills[:9]
    assert {place for place, _ in first} == set(faults.STAGES)
    assert {victim for _, victim in first} == set(victims)
    few = [faults.choose(number, 12, victims) for number in range(12)]
    assert [place for place, _ in few].count(faults.ANY_MOMENT) == 4


def test_a_library_that_is_not_whole_is_told_from_one_that_is(faults: ModuleType, tmp_path: Path) -> None:
    library = faults.Library(tmp_path, names=["week1/lecture1"])
    for suffix in faults.SUFFIXES:
        put(tmp_path / f"week1/lecture1{suffix}", b"whole")
    line = json.dumps({"lecture": "week1/lecture1.mp4"}) + "\n"
    put(tmp_path / "library.jsonl", line.encode())
    library.made["week1/lecture1", "mux", "es"] = 1
    assert library.find_problems() == []
    library.made["week1/lecture1", "mux", "es"] = 2
    put(tmp_path / "library.jsonl", 2 * line.encode())
    (tmp_path / "week1/lecture1.es.srt").unlink()
    put(tmp_path / "week1/.f2f/lecture1/mux/.key.12.tmp", b"")
    told = "\n".join(library.find_problems())
    for words in ("has no .es.srt", "left behind", "mux es was done 2 times", "2 lines in library.jsonl"):
        assert words in told


def test_a_half_written_output_is_seen(faults: ModuleType, tmp_path: Path) -> None:
    library = faults.Library(tmp_path, names=["week1/lecture1"])
    ledger = {hashlib.sha256(b"whole").hexdigest(): {}}
    put(tmp_path / "week1/.f2f/lecture1/outputs.json", json.dumps(ledger).encode())
    watch = faults.Watch(library)
    put(tmp_path / "week1/lecture1.es.mp4", b"whole")
    watch.look()
    assert (watch.n_looks, watch.broken) == (1, [])
    put(tmp_path / "week1/lecture1.es.srt", b"who")
    watch.look()
    assert (watch.n_looks, watch.broken) == (2, ["lecture1.es.srt (3 bytes)"])


def test_only_a_tick_that_looked_through_the_library_has_the_last_word() -> None:
    ticks = [
        {"state_type": kind, "start_time": began, "state": {"message": said}}
        for kind, began, said in (
            ("COMPLETED", "2026-01-01T10:00", "1 made"),
            ("CANCELLED", "2026-01-01T12:01", "missed; a later tick did its work"),
            ("COMPLETED", "2026-01-01T12:02", "an earlier tick is still at work on here"),
            ("RUNNING", "2026-01-01T12:03", None),
            ("COMPLETED", "2026-01-01T12:04", "9 unchanged"),
        )
    ]
    assert load("faults_prefect").last_words(ticks, "2026-01-01T12:00") == ["9 unchanged"]
