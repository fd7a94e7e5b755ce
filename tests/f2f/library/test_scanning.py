"""What is found in folders, and what is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from f2f.errors import UsageError
from f2f.library.lecture import Lecture, LibraryOptions, Refused, request_for, workspace_of
from f2f.library.scanning import find_lectures
from f2f.workspace import write_atomically


def options_for(root: Path, **fields: Any) -> LibraryOptions:
    return LibraryOptions(**{"root": root, "output_dir": root, "targets": ("hi", "es"), **fields})


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")


def names(root: Path, **fields: Any) -> list[str]:
    return [one.name for one in find_lectures(options_for(root, **fields)) if isinstance(one, Lecture)]


def refused(root: Path, **fields: Any) -> dict[str, str]:
    found = find_lectures(options_for(root, **fields))
    return {one.name: one.reason for one in found if isinstance(one, Refused)}


def test_lectures_come_sorted_and_keep_their_tree(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a.MKV", "week2/x.mp4", "week1/deep/y.webm", "week1/x.mp4", "notes.pdf", "a.srt")
    assert names(tmp_path) == ["a.MKV", "b.mp4", "week1/x.mp4", "week1/deep/y.webm", "week2/x.mp4"]
    [*_, lecture] = find_lectures(options_for(tmp_path, output_dir=Path("/out")))
    assert isinstance(lecture, Lecture)
    assert lecture.targets == ("hi", "es")
    request = request_for(lecture, options_for(tmp_path, output_dir=Path("/out")), ("hi",))
    assert request.output_dir == Path("/out/week2")
    assert request.workspace_root == Path("/out/week2/.f2f/x")
    assert workspace_of(lecture, options_for(tmp_path, output_dir=Path("/out"))) == request.workspace_root


def test_hidden_things_and_other_output_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", ".hidden.mp4", ".f2f/a/mux/1/video.mp4", "out/a.mp4", "out/.f2f/a/x.mp4")
    assert names(tmp_path, output_dir=tmp_path / "out") == ["a.mp4"]
    assert names(tmp_path) == ["a.mp4", "out/a.mp4"]


def test_patterns_choose_by_path_or_name(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "w1/a.mp4", "w1/b.mp4", "w2/c.mp4")
    assert names(tmp_path, patterns=("a.*",)) == ["a.mp4", "w1/a.mp4"]
    assert names(tmp_path, patterns=("w1/*", "c.mp4")) == ["w1/a.mp4", "w1/b.mp4", "w2/c.mp4"]


def test_outputs_are_no_lectures(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "a.hi.mp4", "a.part2.mp4", "b.mp4", "b.es.mp4", "b.en.mp4")
    write_atomically(tmp_path / ".f2f" / "a" / "outputs.json", '{"1": {"name": "a.hi.mp4", "size": 4}}')
    # Made elsewhere and carried here: the manifest tells.
    (tmp_path / "b.es.json").write_text('{\n  "format": "f2f-manifest/1"}')
    (tmp_path / "b.en.json").write_text('{"some": "notes"}')
    assert names(tmp_path) == ["a.mp4", "a.part2.mp4", "b.en.mp4", "b.mp4"]


def test_two_of_one_stem_are_refused_and_the_others_go_on(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "a.mkv", "b.mp4", "w/a.mp4")
    assert names(tmp_path) == ["b.mp4", "w/a.mp4"]
    reasons = refused(tmp_path)
    assert set(reasons) == {"a.mp4", "a.mkv"}
    assert "a.mkv" in reasons["a.mp4"]
    assert "rename" in reasons["a.mp4"]
    assert names(tmp_path, patterns=("*.mp4",)) == ["a.mp4", "b.mp4", "w/a.mp4"]


def test_links_stay_inside_the_library(tmp_path: Path) -> None:
    root, outside = tmp_path / "library", tmp_path / "outside"
    make(root, "a.mp4", ".store/123")
    make(outside, "secret.mp4")
    (root / "out.mp4").symlink_to(outside / "secret.mp4")
    (root / "in.mp4").symlink_to(".store/123")  # as git-annex keeps files
    (root / "broken.mp4").symlink_to("nothing")
    (root / "loop.mp4").symlink_to("loop.mp4")
    (root / "folder").symlink_to(outside)
    (root / "round").symlink_to(".")
    os.mkfifo(root / "pipe.mp4")
    assert names(root) == ["a.mp4", "in.mp4"]
    reasons = refused(root)
    assert set(reasons) == {"out.mp4", "broken.mp4", "loop.mp4", "pipe.mp4"}
    assert "link out of the library" in reasons["out.mp4"]
    assert "not a regular file" in reasons["pipe.mp4"]


def test_captions_from_outside_the_library_are_not_read_aloud(tmp_path: Path) -> None:
    root, outside = tmp_path / "library", tmp_path / "outside"
    make(root, "a.mp4", "b.mp4", "c.mp4", "b.real.srt")
    make(outside, "secret.srt")
    (root / "a.srt").symlink_to(outside / "secret.srt")
    (root / "b.srt").symlink_to("b.real.srt")
    (root / "c.en.vtt").symlink_to("c.en.vtt")
    assert names(root) == ["b.mp4", "c.mp4"]
    assert "captions a.srt are a link out of the library, to " in refused(root)["a.mp4"]


def test_awkward_names(tmp_path: Path) -> None:
    awkward = [
        "-v.mp4",
        "a\nb.mp4",
        "[bold]x.mp4",
        "ü “q”.mp4",
        "$(touch x).mp4",
        "a'b\"c.mp4",
        " .mp4",
        "%s.mp4",
    ]
    make(tmp_path, *awkward)
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"film")
    assert names(tmp_path) == sorted(awkward)
    [reason] = refused(tmp_path).values()
    assert "UTF-8" in reason


def test_captions_beside_a_video_are_its_own(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.mp4",
        "a.b.mp4",
        "a.srt",
        "A.en.vtt",
        "a.b.hi.srt",
        "a.hi.review.srt",
        "a.hi.dub.srt",
        "ab.srt",
    )
    found = {one.name: one for one in find_lectures(options_for(tmp_path)) if isinstance(one, Lecture)}
    assert [name for name, *_ in found["a.mp4"].sidecars] == ["A.en.vtt", "a.b.hi.srt", "a.srt"]
    assert [name for name, *_ in found["a.b.mp4"].sidecars] == ["a.b.hi.srt"]


def test_a_library_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        next(find_lectures(options_for(tmp_path / "none")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "locked/b.mp4")
    (tmp_path / "locked").chmod(0)
    try:
        assert names(tmp_path) == ["a.mp4"]
        assert set(refused(tmp_path)) == {"locked"}
    finally:
        (tmp_path / "locked").chmod(0o700)
