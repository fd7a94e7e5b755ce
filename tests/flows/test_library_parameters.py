import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_library import add_lecture

from f2f.config import Config
from f2f.errors import UsageError
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.options import build_library_options
from f2f.library.scanning import find_lectures
from flows.library_parameters import LibraryParameters

NAME = "week 1/a.mp4"


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    (tmp_path / "physics").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.mp4").write_bytes(b"of another person")
    return build_library_options(
        tmp_path / "physics", ["hi"], config=Config(), output_dir=tmp_path / "out", patterns=("*.m*",)
    )


def look(options: LibraryOptions) -> Lecture:
    """Return what a run of a lecture works on, as its parameters say."""
    given = LibraryParameters.of(options).model_dump(mode="json")
    return LibraryParameters.model_validate(given).lecture(NAME, options)


def test_what_was_replaced_by_a_link_while_a_run_waited_is_refused(options: LibraryOptions) -> None:
    lecture, mine = add_lecture(options, NAME), options.root.parent / "mine"
    inside = add_lecture(options, "masters/a.mp4").source
    captions = lecture.source.with_suffix(".srt")
    captions.write_text("1\n00:00:00,000 --> 00:00:01,000\nx\n")
    assert look(options).sidecars

    captions.unlink()
    captions.symlink_to(mine / "secret.srt")
    with pytest.raises(UsageError, match=r"week 1/a\.mp4: its captions a\.srt are a link out of the library"):
        look(options)
    captions.unlink()

    lecture.source.unlink()
    lecture.source.symlink_to(inside)
    assert look(options).source == lecture.source  # a link within the library is followed
    lecture.source.unlink()
    lecture.source.symlink_to(mine / "a.mp4")
    with pytest.raises(UsageError, match=r"week 1/a\.mp4: it is a link out of the library, to .*mine/a\.mp4"):
        look(options)
    lecture.source.unlink()
    with pytest.raises(UsageError, match=r"week 1/a\.mp4: it cannot be read \(No such file"):
        look(options)

    lecture.source.parent.rmdir()
    lecture.source.parent.symlink_to(mine)
    with pytest.raises(UsageError, match=r"week 1/a\.mp4: it is a link out of the library"):
        look(options)


def test_a_video_of_the_same_name_that_came_while_a_run_waited_is_refused(options: LibraryOptions) -> None:
    lecture = add_lecture(options, NAME)
    add_lecture(options, "week 1/a.webm")  # none that the pattern wants
    link = lecture.source.with_suffix(".mkv")
    link.symlink_to(options.root.parent / "mine" / "a.mp4")
    assert look(options).source == lecture.source
    add_lecture(options, "week 1/a.mov")
    with pytest.raises(
        UsageError, match=r"week 1/a\.mp4: its outputs would have the names of those of a\.mov;"
    ):
        look(options)


def test_outputs_beside_a_lecture_keep_no_run_from_it(options: LibraryOptions) -> None:
    options = replace(options, output_dir=options.root)
    lecture, made = add_lecture(options, "a.hi.mkv"), add_lecture(options, "a.hi.mp4")  # of an a.mp4
    ledger = options.root / ".f2f" / "a" / "outputs.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text(json.dumps({"ab" * 32: {"name": made.source.name, "size": 1}}))
    given = LibraryParameters.of(options).model_dump(mode="json")
    seen = LibraryParameters.model_validate(given).lecture(lecture.name, options)
    assert list(find_lectures(options)) == [seen] == [lecture]
