"""Stop, edit, go on: what ran, what was said, and what stayed as it was.

Answers to complaints about other systems: a single line costs the whole job, and there is no pause between
stages (pyvideotrans#1165, #649; VideoLingo#126); line matching breaks after a split or a merge
(VideoLingo#284, #288).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reviewing import LINES, RENDERING, dub, edit, f2f, manifest, read_table, stop, write_table
from tiny_stages import TinyStages


def test_a_run_stops_after_translation_and_says_what_lies_where(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--until", "translate")
    assert tiny.ran == ["probe", "transcribe", "translate hi"]
    shown = done.stdout.splitlines()
    assert shown[0] == "hi: stopped after translate, as asked:"
    assert shown[1] == f"{film.with_name('lecture.hi.csv')}  (to edit)"
    assert shown[-1] == f"go on with: f2f resume {film} --to hi"
    assert sorted(path.name for path in film.parent.iterdir() if not path.name.startswith(".")) == [
        "lecture.hi.csv", "lecture.hi.review.srt", "lecture.mp4",
    ]  # fmt: skip
    table = film.with_name("lecture.hi.csv")
    assert table.read_bytes().startswith(b"\xef\xbb\xbfid,start,end,speaker,source,target,note\r\n")
    assert read_table(table)[1] == {
        "id": "2", "start": "1.500", "end": "2.500", "speaker": "", "source": "two", "target": "two in hi",
        "note": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "last"),
    [
        ("probe", "probe"), ("transcribe", "transcribe"), ("synthesize", "synthesize hi"), ("fit", "fit hi"),
        ("lipsync", "lipsync embedded"), ("mux", "mux hi"), ("evaluate", "evaluate"),
    ],
)  # fmt: skip
def test_a_run_can_stop_after_any_stage(tiny: TinyStages, film: Path, stage: str, last: str) -> None:
    shown = json.loads(
        f2f("translate", film, "--to", "hi", "--until", stage, "--json").stdout.splitlines()[-1]
    )
    assert (shown["event"], shown["stage"]) == ("stopped", stage)
    assert Path(shown["folder"]).is_dir()
    assert all(Path(path).is_file() for path in shown["files"])
    assert tiny.ran[-1] == last
    assert not film.with_name("lecture.hi.json").exists()
    assert not film.with_name("lecture.hi.mp4").exists()


def test_stopping_after_the_last_stage_is_a_whole_run(tiny: TinyStages, film: Path) -> None:
    f2f("translate", film, "--to", "hi", "--until", "report")
    assert film.with_name("lecture.hi.html").exists()


def test_an_unknown_stage_is_one_line_with_all_that_there_are(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--until", "translation", code=2)
    [line] = done.stderr.splitlines()
    assert "--until translation" in line
    assert "transcribe, translate, synthesize" in line


def test_a_stopped_run_goes_on_without_edits(tiny: TinyStages, film: Path) -> None:
    f2f("translate", film, "--to", "hi", "--until", "translate", "--set", "mux.crf=12")
    tiny.clear()
    done = f2f("resume", film, "--to", "hi")
    assert tiny.ran == [*RENDERING[:4], "evaluate_source", *RENDERING[4:]]
    assert film.with_name("lecture.hi.mp4").read_text().endswith("crf 12")  # as the stopped run was asked to
    assert done.stdout.splitlines()[0] == str(film.with_name("lecture.hi.mp4"))
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.ran == []


def test_resume_without_a_run_is_one_line(tiny: TinyStages, film: Path) -> None:
    [line] = f2f("resume", film, "--to", "hi", code=2).stderr.splitlines()
    assert "nothing to go on with" in line
    assert "f2f translate" in line


def test_one_edited_line_costs_one_take_not_the_job(tiny: TinyStages, film: Path) -> None:
    """pyvideotrans#1165: regenerate one line, not everything."""
    table = stop(film)
    f2f("resume", film, "--to", "hi")
    tiny.clear()
    edit(table, 2, target="THREE")
    done = f2f("resume", film, "--to", "hi")
    assert tiny.ran == RENDERING
    assert (tiny.translated, tiny.said) == ([], ["THREE"])
    assert dub(film) == ["one in hi", "two in hi", "THREE", "four five in hi", "six in hi"]
    assert [one["edited"] for one in manifest(film)["segments"]] == [[], [], ["text"], [], []]
    assert "note: lecture.hi.csv: 1 line changed" in done.stderr
    assert "THREE" in film.with_name("lecture.hi.review.srt").read_text()
    tiny.clear()
    f2f("translate", film, "--to", "hi")  # later runs keep it
    assert tiny.ran == []
    assert dub(film)[2] == "THREE"


def test_edits_made_before_rendering_are_all_that_is_said(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    edit(table, 0, target="ONE", note="shorter")
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == []
    assert tiny.said == ["ONE", "two in hi", "three in hi", "four five in hi", "six in hi"]
    assert read_table(table)[0]["note"] == "shorter"


def test_edited_source_text_is_translated_again_alone(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    f2f("resume", film, "--to", "hi")
    tiny.clear()
    edit(table, 1, source="too")
    f2f("resume", film, "--to", "hi")
    assert (tiny.translated, tiny.said) == (["too"], ["too in hi"])
    assert dub(film)[1] == "too in hi"
    assert read_table(table)[1]["target"] == "too in hi"
    assert manifest(film)["segments"][1]["edited"] == ["source"]


def test_an_edited_run_chooses_its_translator_once(tiny: TinyStages, film: Path) -> None:
    """Each choice may ask the hub."""
    table = stop(film)
    edit(table, 1, source="too")
    tiny.clear()
    done = f2f("resume", film, "--to", "hi")
    assert tiny.ran[0] == "translate hi"
    assert tiny.chosen.count("translate") == 1
    assert done.stderr.count("translate is tiny") == 1


def test_source_text_edited_before_the_translation_is_translated_once(tiny: TinyStages, film: Path) -> None:
    table = stop(film, "transcribe")
    assert read_table(table)[1]["target"] == ""
    assert "two" in film.with_name("lecture.hi.review.srt").read_text()
    edit(table, 1, source="too")
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == ["one", "too", "three", "four five", "six"]
    assert dub(film)[1] == "too in hi"
    tiny.clear()
    edit(table, 3, source="4 5")
    f2f("resume", film, "--to", "hi")
    assert dub(film)[1:4] == ["too in hi", "three in hi", "4 5 in hi"]
    assert tiny.said == ["4 5 in hi"]


def test_moved_lines_are_placed_anew_and_a_speaker_needs_no_translation(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    f2f("resume", film, "--to", "hi")
    tiny.clear()
    edit(table, 4, start="8.2", end="9.2")
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == ["six"]
    assert manifest(film)["segments"][4]["source_start_s"] == 8.2
    tiny.clear()
    edit(table, 4, speaker="Anna")
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == []
    assert manifest(film)["segments"][4]["speaker"] == "Anna"
    assert manifest(film)["segments"][4]["edited"] == ["times", "speaker"]


def test_lines_split_and_merged_in_the_table_are_found_again(tiny: TinyStages, film: Path) -> None:
    """VideoLingo#284, #288: line matching breaks after a split or a merge."""
    table = stop(film)
    f2f("resume", film, "--to", "hi")
    rows = read_table(table)
    merged = rows[0] | {"end": "2.5", "target": "ONE TWO"}
    first, second = rows[3] | {"end": "6", "target": "FOUR"}, rows[3] | {"start": "6", "target": "FIVE"}
    write_table(table, [merged, rows[2], first, second, rows[4]])
    tiny.clear()
    done = f2f("resume", film, "--to", "hi")
    assert (tiny.translated, tiny.said) == ([], ["ONE TWO", "FOUR", "FIVE"])
    assert dub(film) == ["ONE TWO", "three in hi", "FOUR", "FIVE", "six in hi"]
    assert "line 1, 2 was merged: now line 1" in done.stderr
    assert "line 4 was split: now line 4, 6" in done.stderr
    after = read_table(table)
    assert [(row["id"], row["source"]) for row in after] == [
        ("1", "one two"), ("3", "three"), ("4", "four"), ("6", "five"), ("5", "six"),
    ]  # fmt: skip
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.ran == []


def test_lines_split_and_merged_by_a_subtitle_editor_are_found_again(tiny: TinyStages, film: Path) -> None:
    """Such editors number all lines anew (VideoLingo#284, #288)."""
    table = stop(film)
    subtitles = film.with_name("lecture.hi.review.srt")
    subtitles.write_text(
        "1\n00:00:00,000 --> 00:00:01,000\none in hi\n\n"
        "2\n00:00:01,500 --> 00:00:04,000\nTWO\nTHREE\n\n"
        "3\n00:00:05,000 --> 00:00:05,900\nFOUR\n\n"
        "4\n00:00:05,900 --> 00:00:07,000\nFIVE\n\n"
        "5\n00:00:08,000 --> 00:00:09,000\nsix in hi\n"
    )
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == []
    assert dub(film) == ["one in hi", "TWO THREE", "FOUR", "FIVE", "six in hi"]
    assert [row["source"] for row in read_table(table)] == ["one", "two three", "four", "five", "six"]
    assert [row["target"] for row in read_table(table)][1:4] == ["TWO THREE", "FOUR", "FIVE"]


def test_a_deleted_line_is_silent_and_said_so(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    rows = read_table(table)
    write_table(table, rows[:1] + rows[2:])
    done = f2f("resume", film, "--to", "hi")
    assert dub(film) == ["one in hi", "three in hi", "four five in hi", "six in hi"]
    assert "line 2 (0:01.5, “two in hi”) was deleted: silence there" in done.stderr
    assert manifest(film)["segments"][1]["edited"] == ["removed"]
    assert [row["id"] for row in read_table(table)] == ["1", "3", "4", "5"]
    write_table(table, [*rows[:1], rows[1] | {"target": "TWO"}, *rows[2:]])  # and back again
    f2f("resume", film, "--to", "hi")
    assert dub(film)[1] == "TWO"


def test_an_added_line_is_spoken(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    rows = read_table(table)
    new = dict.fromkeys(rows[0], "") | {"start": "7.1", "end": "7.9", "target": "NEW"}
    also = dict.fromkeys(rows[0], "") | {"start": "4.1", "end": "4.9", "source": "more"}
    write_table(table, [*rows, new, also])
    tiny.clear()
    f2f("resume", film, "--to", "hi")
    assert tiny.translated == ["more"]
    assert dub(film)[3:6] == ["more in hi", "four five in hi", "NEW"]


def test_both_files_edited_alike_are_fine_and_otherwise_an_error_names_the_lines(
    tiny: TinyStages, film: Path
) -> None:
    table = stop(film)
    subtitles = film.with_name("lecture.hi.review.srt")
    plain = subtitles.read_text()
    subtitles.write_text(plain.replace("two in hi", "TWO"))
    edit(table, 1, target="two!")
    edit(table, 4, target="SIX")
    tiny.clear()
    done = f2f("resume", film, "--to", "hi", code=2)
    assert done.stderr.splitlines() == [
        "f2f: line 2: lecture.hi.csv says “two!” at 1.50–2.50 s, lecture.hi.review.srt says “TWO” at "
        "1.50–2.50 s; delete the file that is not to count",
        "f2f: line 5: lecture.hi.csv says “SIX” at 8.00–9.00 s, lecture.hi.review.srt says nothing new; "
        "delete the file that is not to count",
    ]
    assert tiny.ran == []
    subtitles.write_text(plain.replace("two in hi", "two!").replace("six in hi", "SIX"))
    f2f("resume", film, "--to", "hi")
    assert dub(film)[1::3] == ["two!", "SIX"]


def test_a_file_that_was_only_saved_again_says_nothing(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    subtitles = film.with_name("lecture.hi.review.srt")
    subtitles.write_bytes(subtitles.read_bytes().replace(b"\n", b"\r\n"))
    edit(table, 1, target="TWO")
    f2f("resume", film, "--to", "hi")
    assert dub(film)[1] == "TWO"


def test_a_bad_table_is_one_line_for_each_row_and_nothing_is_lost(tiny: TinyStages, film: Path) -> None:
    table = stop(film)
    rows = read_table(table)
    rows[1] |= {"start": "soon"}
    rows[2] |= {"end": "2"}
    rows[4] |= {"id": "last", "target": "#NAME?"}
    write_table(table, rows)
    before = table.read_bytes()
    tiny.clear()
    lines = f2f("resume", film, "--to", "hi", code=2).stderr.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "lecture.hi.csv row 3", "lecture.hi.csv row 4", "lecture.hi.csv row 6", "lecture.hi.csv row 6",
    ]  # fmt: skip
    assert "no time; write seconds" in lines[0]
    assert "ends (2) before it starts (3.000)" in lines[1]
    assert table.read_bytes() == before
    assert tiny.ran == []
    edit(table, 1, start="1.5")
    edit(table, 2, end="12")
    edit(table, 4, id="5", start="10", end="11", target="SIX")
    lines = f2f("resume", film, "--to", "hi", code=2).stderr.splitlines()
    assert any("row 5 starts at 5 s, before row 4 ends (12 s)" in line for line in lines)
    assert any("row 6 starts at 10 s, after the end of the video (9.0 s)" in line for line in lines)


def test_a_table_with_edits_is_never_overwritten(tiny: TinyStages, film: Path, monkeypatch: Any) -> None:
    table = stop(film)
    edit(table, 0, target="ONE")
    before = table.read_bytes()
    done = f2f("translate", film, "--to", "hi")
    assert "note: lecture.hi.csv: edits that are not taken yet; f2f resume takes them" in done.stderr
    assert table.read_bytes() == before
    f2f("resume", film, "--to", "hi")
    assert dub(film)[0] == "ONE"


def test_edits_outlast_another_transcript(
    tiny: TinyStages, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = stop(film)
    edit(table, 2, target="THREE")
    f2f("resume", film, "--to", "hi")
    tiny.lines[:] = [(0.0, 0.7, "one"), (2.9, 4.1, "three!"), (5.0, 7.0, "four five")]
    monkeypatch.setattr("f2f.stages.transcribe.VERSION", 1000)
    f2f("translate", film, "--to", "hi")
    assert dub(film) == ["one in hi", "THREE", "four five in hi"]
    tiny.lines[:] = LINES[:2]
    monkeypatch.setattr("f2f.stages.transcribe.VERSION", 1001)
    done = f2f("translate", film, "--to", "hi")
    assert dub(film) == ["one in hi", "two in hi"]
    assert "the edit of line 3 (0:03.0, “THREE”) is left out" in done.stderr


def test_dry_run_of_a_stopping_run_writes_nothing(tiny: TinyStages, film: Path) -> None:
    done = f2f("translate", film, "--to", "hi", "--until", "transcribe", "--dry-run")
    assert "lecture.hi.csv" in done.stdout
    assert "synthesize" not in done.stdout
    f2f("translate", film, "--to", "hi", "--until", "transcribe")
    film.with_name("lecture.hi.csv").unlink()
    f2f("translate", film, "--to", "hi", "--until", "transcribe", "--dry-run")
    assert not film.with_name("lecture.hi.csv").exists()
