"""``f2f redo``: one line again; what was said, and what stayed as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewing import LINES, RENDERING, dub, edit, f2f, manifest, read_table, stop
from tiny_stages import TinyStages


def test_redo_says_one_segment_again_and_nothing_else(tiny: TinyStages, film: Path) -> None:
    """pyvideotrans#1165: regenerate one line, not everything."""
    tiny.voice_engine = "mms"
    f2f("translate", film, "--to", "hi")
    page = film.with_name("lecture.hi.json")
    tiny.clear()
    f2f("redo", page, "--segment", "4", "--text", "FOUR  FIVE")
    assert tiny.ran == RENDERING
    assert (tiny.translated, tiny.said) == ([], ["FOUR FIVE"])
    assert dub(film)[3] == "FOUR FIVE"
    assert manifest(film)["segments"][3]["edited"] == ["text"]
    tiny.clear()
    f2f("redo", page, "--segment", "1", "--segment", "4", "--voice", "other")
    assert tiny.said == ["one in hi", "FOUR FIVE"]
    assert dub(film)[3] == "FOUR FIVE by other"
    segments = manifest(film)["segments"]
    assert [one["voice"] for one in segments] == ["other", "tiny", "tiny", "other", "tiny"]
    assert [one["edited"] for one in segments][::3] == [["voice"], ["text", "voice"]]
    tiny.clear()
    f2f("redo", page, "--segment", "2")  # another take of the same
    assert tiny.said == ["two in hi"]
    tiny.clear()
    f2f("translate", film, "--to", "hi")
    assert tiny.ran == []
    assert dub(film)[0] == "one in hi by other"


def test_other_limits_are_other_takes(tiny: TinyStages, film: Path) -> None:
    f2f("translate", film, "--to", "hi")
    tiny.clear()
    f2f("translate", film, "--to", "hi", "--set", "fit.silent_tempo=1.1")
    assert len(tiny.said) == len(LINES)
    tiny.clear()
    f2f("translate", film, "--to", "hi", "--set", "fit.max_tempo=1.4")
    assert tiny.said == []


def test_redo_and_the_table_know_of_each_other(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    edit(table, 3, target="FOUR")
    f2f("resume", film, "--to", "hi")
    f2f("redo", film.with_name("lecture.hi.json"), "--segment", "4", "--voice", "other")
    assert dub(film)[3] == "FOUR by other"
    f2f("redo", film.with_name("lecture.hi.json"), "--segment", "5", "--text", "SIX")
    assert read_table(table)[4]["target"] == "SIX"
    edit(table, 3, target="4")
    f2f("resume", film, "--to", "hi")
    assert dub(film)[3:] == ["4 by other", "SIX"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--segment", "12"], "lecture.hi.json has no segment 12; its segments are 1–5"),
        (["--segment", "1"], "espeak always says the same text alike: give another --text or --voice"),
        (["--segment", "1", "--segment", "2", "--text", "x"], "--text is for one segment, not for 2"),
        (["--segment", "2", "--voice", "nobody"], "no voice 'nobody'; allowed: tiny, other"),
        (["--segment", "2", "--workdir", "elsewhere"], "no stored run of lecture.hi.json"),
    ],
)
def test_a_redo_that_cannot_be_is_one_line(tiny: TinyStages, film: Path, words: list[str], says: str) -> None:
    f2f("translate", film, "--to", "hi")
    before = dub(film)
    [line] = f2f("redo", film.with_name("lecture.hi.json"), *words, code=2).stderr.splitlines()[-1:]
    assert says in line
    tiny.clear()
    f2f("translate", film, "--to", "hi")  # nothing of it stays
    assert tiny.ran == []
    assert dub(film) == before


def test_a_redo_that_fails_leaves_the_table_as_it_was(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    f2f("resume", film, "--to", "hi")
    before = table.read_bytes()
    page = film.with_name("lecture.hi.json")
    f2f("redo", page, "--segment", "2", "--text", "x", "--voice", "nobody", code=2)
    done = f2f("resume", film, "--to", "hi")
    assert "changed" not in done.stderr
    assert table.read_bytes() == before


def test_redo_wants_a_manifest(tiny: TinyStages, film: Path) -> None:
    [line] = f2f("redo", film, "--segment", "1", code=2).stderr.splitlines()
    assert "no manifest" in line
    [line] = f2f("redo", film.with_name("x.json"), "--segment", "1", code=2).stderr.splitlines()
    assert "cannot be read" in line
