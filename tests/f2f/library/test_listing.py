"""Lectures from a list, and every mistake in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from f2f.errors import UsageError
from f2f.library.lecture import Lecture, LibraryOptions, Refused, request_for
from f2f.library.listing import LectureList


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("w1/a.mp4", "w1/b.mov", "c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"film")
    return tmp_path


def read(root: Path, text: str, name: str = "list.csv", **fields: Any) -> list[Lecture | Refused]:
    path = root / name
    path.write_text(text, encoding="utf-8")
    options = LibraryOptions(**{"root": root, "output_dir": root, "targets": (), **fields})
    return list(LectureList(path, options)())


def mistakes(root: Path, text: str, name: str = "list.csv", **fields: Any) -> list[str]:
    with pytest.raises(UsageError) as refused:
        read(root, text, name, **fields)
    return str(refused.value).splitlines()


def test_each_row_says_what_its_lecture_wants(root: Path) -> None:
    (root / "w1" / "a.en.srt").write_text("1")
    found = read(
        root,
        "lecture,to,from,captions,glossary,voice,speakers,fit.max_tempo\n"
        "w1/a.mp4,Hindi,en,w1/x.vtt,terms.csv,hi+f2,2,1.4\n"
        "w1/a.mp4,es,,,,es+m1,,\n"
        "\n"
        "./c.mp4,,,,,,,\n",
        targets=("fr",),
    )
    first, second = found
    assert isinstance(first, Lecture)
    assert isinstance(second, Lecture)
    assert (first.name, first.targets, first.source_language) == ("w1/a.mp4", ("hi", "es"), "en")
    assert [name for name, *_ in first.sidecars] == ["a.en.srt"]
    assert (second.name, second.targets) == ("c.mp4", ("fr",))
    options = LibraryOptions(root, root, ("fr",))
    hi, es = (request_for(first, options, (target,)).config for target in ("hi", "es"))
    assert (hi.transcribe.captions, hi.transcribe.engine) == (root / "w1" / "x.vtt", "captions")
    assert (hi.translate.glossary, hi.synthesize.voice) == (root / "terms.csv", "hi+f2")
    assert (hi.transcribe.speakers, hi.fit.max_tempo) == (2, 1.4)
    assert (es.transcribe.captions, es.synthesize.voice, es.fit.max_tempo) == (None, "es+m1", 1.5)


def test_semicolons_separate_columns_or_languages(root: Path) -> None:
    for text in ('lecture;to\nc.mp4;"hi;es"\n', "lecture,to\nc.mp4,hi;es\n", "lecture\tto\nc.mp4\thi, es\n"):
        [lecture] = read(root, text)
        assert isinstance(lecture, Lecture)
        assert lecture.targets == ("hi", "es")


def test_yaml_may_differ_by_language(root: Path) -> None:
    text = "- lecture: w1/a.mp4\n  to: [hi, es]\n  voice: {hi: hi+f2, es: es+m1}\n  mux.crf: 12\n- c.mp4\n"
    first, second = read(root, text, "list.yaml", targets=("fr",))
    assert isinstance(first, Lecture)
    configs = [request_for(first, LibraryOptions(root, root, ()), (to,)).config for to in first.targets]
    assert [config.synthesize.voice for config in configs] == ["hi+f2", "es+m1"]
    assert [config.mux.crf for config in configs] == [12, 12]
    assert isinstance(second, Lecture)
    assert (second.name, second.targets) == ("c.mp4", ("fr",))


def test_options_may_be_written_as_in_commands(root: Path) -> None:
    text = "lecture,to,video-stretch,Library-Voices,lips,mark,consent\nc.mp4,hi,true,v.json,none,false,true\n"
    entry = (
        "- {lecture: c.mp4, to: hi, video-stretch: true, library-voices: v.json, lips: none, mark: false,"
        " consent: true}"
    )
    for [lecture] in (read(root, text), read(root, entry, "list.yaml")):
        assert isinstance(lecture, Lecture)
        config = request_for(lecture, LibraryOptions(root, root, ()), ("hi",)).config
        assert config.fit.video_stretch and config.synthesize.library_voices == root / "v.json"
        assert (config.lipsync.engine, config.mux.mark, config.synthesize.consent) == ("none", False, True)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("no-lipsync", "give lips: none"),
        ("no-mark", "give mark: false"),
        ("i-have-consent", "give consent: true"),
        ("workdir", "allowed are lecture, to, from, profile"),
    ],
)
def test_options_that_a_list_does_not_take_are_told_with_those_that_it_does(
    root: Path, column: str, says: str
) -> None:
    [line] = mistakes(root, f"lecture,to,{column}\nc.mp4,hi,x\n")
    assert says in line and "video_stretch and keys of the configuration" in line


def test_every_mistake_is_told_with_its_row(root: Path) -> None:
    lines = mistakes(
        root,
        "lecture,to,fit.max_tempo,voise,speakers\n"
        "c.mp4,xx-yy-zz,,,\n"
        "../c.mp4,hi,,,\n"
        ",hi,,,\n"
        "c.mp4,hi,100,,\n"
        "c.mp4,hi,,f2,\n"
        "c.mp4,,,,\n"
        "c.mp4,hi,,,many\n"
        "c.mp4,hi,,,,,7\n",
    )
    wanted = {
        2: "xx-yy-zz",
        3: "is not in the library",
        4: "no lecture",
        5: "fit.max_tempo is '100'",
        6: "did you mean 'voice'",
        7: "no target language",
        8: "transcribe.speakers",
        9: "7 cells, but 5 columns",
    }
    for number, says in wanted.items():
        assert any(line.startswith(f"list.csv, line {number}: ") and says in line for line in lines), (
            number,
            lines,
        )


def test_rows_may_not_contradict_each_other(root: Path) -> None:
    lines = mistakes(
        root, "lecture,to,from\nc.mp4,hi,en\nc.mp4,hi;es,\nc.mp4,fr,de\nw1/a.mp4,hi,\nc.mp4,de,\n"
    )
    assert [line.partition(": ")[0] for line in lines] == [f"list.csv, line {n}" for n in (3, 4, 6)]
    assert "named before (list.csv, line 2)" in lines[0]
    assert "de, en" in lines[1]
    assert "below each other" in lines[2]


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("w1/a.mp4,hi\n", "list.csv", "must name the columns"),
        ("", "list.csv", "must name the columns"),
        ("lecture,to,to\n", "list.csv", "two columns have one name"),
        ("lecture,to\n", "list.csv", "names no lecture"),
        ('lecture,to\n"c.mp4,hi\n', "list.csv", "cannot be read"),
        ("lecture: c.mp4\n", "list.yaml", "must be a list"),
        ("- {lecture: [\n", "list.yml", "is not YAML"),
        ("- lecture: c.mp4\n  to: [hi]\n  voice: {es: es+m1}\n", "list.yaml", "es, which is no language of"),
        ("- to: [hi]\n", "list.yaml", "entry 1: no lecture"),
        ("- {lecture: c.mp4, To: hi, to: es}\n", "list.yaml", "entry 1: two keys have one name in"),
        (
            "- {lecture: c.mp4, to: hi, video-stretch: true, video_stretch: false}",
            "list.yaml",
            "two keys have",
        ),
    ],
)
def test_a_list_that_is_none_is_one_line(root: Path, text: str, name: str, says: str) -> None:
    [line] = mistakes(root, text, name)
    assert says in line


def test_lectures_that_cannot_be_are_refused_and_the_others_go_on(root: Path) -> None:
    (root / "w1" / "b.mp4").write_bytes(b"film")
    (root / "out.mp4").symlink_to("/etc/hostname")
    (root / "d.mp4").write_bytes(b"film")
    (root / "d.srt").symlink_to("/etc/hostname")
    found = read(root, "lecture,to\nw1/b.mp4,hi\nw1/b.mov,hi\nnone.mp4,hi\nout.mp4,hi\nd.mp4,hi\nc.mp4,hi\n")
    assert [(one.name, isinstance(one, Refused)) for one in found] == [
        ("w1/b.mp4", True), ("w1/b.mov", True), ("none.mp4", True), ("out.mp4", True), ("d.mp4", True),
        ("c.mp4", False),
    ]  # fmt: skip
    [only] = read(root, "lecture,to\nw1/b.mp4,hi\nw1/b.mov,hi\n", patterns=("*.mov",))
    assert isinstance(only, Lecture)


def test_a_path_from_the_root_of_the_disk_is_taken_if_it_is_in_the_library(root: Path) -> None:
    [lecture] = read(root, f"lecture,to\n{root}/w1/a.mp4,hi\n")
    assert lecture.name == "w1/a.mp4"
