"""The index tells what is there now, of any name, in pages, at the cost of one lecture at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from made_library import add_lecture, fail, finish
from synthetic import make_clip

from f2f.library import index_page, thumbnails
from f2f.library.index_page import IndexKeeper, write_index
from f2f.library.lecture import Lecture, LibraryOptions
from f2f.library.thumbnails import thumbnail_path

AWKWARD = (
    "physics/02 Forces & <b>motion</b>.mp4",
    "maths/Größe #1 100% sicher?.mp4",
    "व्याख्यान/محاضرة.mp4",
    "a 'quoted' \"name\".mp4",
    "new\nline\ttab.mp4",
    "javascript:alert(1).mp4",
    "{{ 7 * 7 }}\\..mp4",
)


class Page(HTMLParser):
    """Links, pictures, text and elements of a page; an element left open is an error."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.open = path, list[str]()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert not [name for name in values if name.startswith("on")]
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(values["href"] or "")
        if tag == "img":
            self.pictures.append(values["src"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def files(self, addresses: list[str]) -> Iterator[Path]:
        """Where the addresses lead, read as a browser does."""
        for address in addresses:
            assert ":" not in address and "?" not in address and "#" not in address
            yield Path(
                os.path.normpath(
                    os.fsdecode(os.fsencode(self.path.parent) + b"/" + unquote_to_bytes(address))
                )
            )


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    (tmp_path / "library").mkdir()
    return LibraryOptions(tmp_path / "library", tmp_path / "out", ("hi", "es"))


def index(options: LibraryOptions) -> Page:
    write_index(options)
    return Page(options.output_dir / "index.html")


def test_every_name_is_shown_and_every_link_leads_to_its_file(options: LibraryOptions) -> None:
    for name in AWKWARD:
        finish(options, add_lecture(options, name), "hi")
    page = index(options)
    assert page.tags.isdisjoint({"b", "script"})
    for name in AWKWARD:
        assert name.rpartition("/")[2].replace("\n", "�").replace("\t", "�") in page.text
    found = set(page.files(page.links))
    made = {path for path in options.output_dir.rglob("*.hi.*") if path.suffix in {".mp4", ".html", ".srt"}}
    assert len(made) == 3 * len(AWKWARD) and found == made


def test_states_reasons_figures_and_what_happens_next(options: LibraryOptions) -> None:
    good, bad, worse, changed = (add_lecture(options, f"{number}.mp4") for number in range(4))
    add_lecture(options, "new.mp4")
    for lecture in (good, bad, worse, changed):
        finish(options, lecture, "hi")
    finish(options, good, "es")
    fail(options, bad, "es", "failed", "no <engine>:\nrun pip install x", 2)
    fail(options, worse, "es", "quarantined", "out of memory", 3)
    changed.source.write_bytes(b"another video")
    (options.root / "link.mp4").symlink_to("/etc/hostname")
    counts = write_index(options)
    assert counts == {
        ("hi", "done"): 3, ("hi", "changed"): 1, ("hi", "waiting"): 1,
        ("es", "done"): 1, ("es", "failed"): 1, ("es", "quarantined"): 1, ("es", "waiting"): 2,
    }  # fmt: skip
    text = " ".join(Page(options.output_dir / "index.html").text.split())
    assert "6 lectures, 1 done, 2 waiting, 1 failed, 1 quarantined, 1 refused" in text
    assert "no <engine>: run pip install x (failed 2 times; tried again not before 20" in text
    assert "out of memory (failed 3 times; given up until something changes)" in text
    assert "link out of the library" in text
    assert "LSE-D 8.12 → 7.25, C 5.50 → 6.50" in text


def test_removed_lectures_vanish_with_their_pictures(options: LibraryOptions, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 1)
    for name in ("stays.mp4", "goes.mp4"):
        finish(options, add_lecture(options, name), "hi", clip)
    page = index(options)
    assert len(list(page.files(page.pictures))) == 2
    assert all(path.read_bytes()[:2] == b"\xff\xd8" for path in page.files(page.pictures))
    (options.root / "goes.mp4").unlink()
    page = index(options)
    assert "goes" not in page.text and "stays.mp4" in page.text
    assert [path.name for path in page.files(page.pictures)] == [
        path.name for path in options.folder.rglob("*.jpg")
    ]


def test_pictures_are_taken_once_for_each_output(
    options: LibraryOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes: list[str] = []

    def run(words: list[str], what: str) -> bytes:
        takes.append(what)
        return b"" if "broken" in what else b"\xff\xd8"

    monkeypatch.setattr(thumbnails, "run_ffmpeg", run)
    finish(options, add_lecture(options, "lecture.mp4"), "hi")
    manifest = finish(options, add_lecture(options, "broken.mp4"), "hi")
    for _ in range(3):
        page = index(options)
    assert len(takes) == 2 and len(page.pictures) == 1
    os.utime(manifest, (1e9, 1e9))  # made again
    index(options)
    assert len(takes) == 3
    assert thumbnail_path(options.folder, "broken.mp4").read_bytes() == b""


def test_what_earlier_batches_made_stays_in_sight(options: LibraryOptions) -> None:
    finish(options, add_lecture(options, "physics/one.mp4"), "hi")
    add_lecture(options, "physics/never wanted.mp4")
    add_lecture(options, "maths/two.mp4")
    page = index(replace(options, targets=("fr",), patterns=("maths/*",)))
    assert "one.mp4" in page.text and "two.mp4" in page.text and "never wanted" not in page.text
    assert "Hindi" in page.text and "French" in page.text


def test_an_output_made_again_outside_the_batch_shows_its_own_figures(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "lecture.mp4")
    manifest = finish(options, lecture, "hi")
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"lse_d":7.25', '"lse_d":6.125'), encoding="utf-8")
    assert "→ 6.12" in index(options).text


def test_pages_lead_to_each_other_and_old_ones_vanish(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_page, "PAGE_SIZE", 3)
    for number in range(8):
        finish(options, add_lecture(options, f"{number}.mp4"), "hi")
    page = index(options)
    folder = options.folder / "pages"
    assert sorted(path.name for path in folder.iterdir()) == ["00002.html", "00003.html"]
    seen, names = [page.path], page.text
    while following := [link for link in page.links if "Next" in page.text and link.endswith(".html")]:
        nexts = [path for path in page.files(following) if path.parent == folder and path not in seen]
        if not nexts:
            break
        page = Page(nexts[0])
        assert all(path.exists() for path in page.files(page.links))
        seen.append(page.path)
        names += page.text
    assert len(seen) == 3 and all(f"{number}.mp4" in names for number in range(8))
    for number in range(4):
        (options.root / f"{number}.mp4").unlink()
    index(options)
    assert [path.name for path in folder.iterdir()] == ["00002.html"]


def test_an_empty_library_has_an_index(options: LibraryOptions) -> None:
    assert "No lecture was found" in index(options).text


def test_one_page_of_lectures_is_in_memory_at_a_time(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_page, "PAGE_SIZE", 5)
    written: list[int] = []
    real, given = index_page.write_atomically, 0
    monkeypatch.setattr(
        index_page, "write_atomically", lambda path, text: (written.append(given), real(path, text))
    )

    def lectures() -> Iterator[Lecture]:
        nonlocal given
        for number in range(40):
            given += 1
            yield Lecture(options.root / f"{number}.mp4", f"{number}.mp4", ("hi",))

    write_index(options, lectures())
    # Page 2 is written when the third was read, to know that there is one.
    assert written == [15, 20, 25, 30, 35, 40, 40, 40]


def test_leftovers_of_killed_writers_are_removed_when_they_are_old(options: LibraryOptions) -> None:
    options.output_dir.mkdir()
    old, young = (options.output_dir / f".index.html.{number}-abc.tmp" for number in (1, 2))
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (1e9, 1e9))
    index(options)
    assert not old.exists() and young.exists()


def test_without_a_status_an_output_of_a_single_run_is_no_batch_s(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "lecture.mp4")
    finish(options, lecture, "hi")
    shutil.rmtree(options.output_dir / ".f2f" / "lecture")
    assert write_index(options)["hi", "waiting"] == 1


def test_keeping_pages_takes_a_bounded_share_of_the_time() -> None:
    now_s, spent_s, written = 0.0, 0.0, 0

    def write() -> None:
        nonlocal now_s, spent_s, written
        written += 1
        now_s += 3.0
        spent_s += 3.0

    keeper = IndexKeeper(write, lambda: now_s)
    assert keeper.refresh() and not keeper.refresh()
    while now_s < 3600:
        now_s += 1.0  # a lecture is done
        keeper.refresh()
    assert spent_s / now_s < 0.05 and written > 40
    keeper.close()
    assert written * 3.0 == spent_s


def test_what_is_no_picture_of_ours_is_left_alone(options: LibraryOptions) -> None:
    folder = options.folder / "thumbnails" / "my"
    folder.mkdir(parents=True)
    for name in ("cover.jpg", "0x12.jpg", "12.jpg"):
        (folder / name).write_bytes(b"mine")
    index(options)
    assert len(list(folder.iterdir())) == 3


def test_batches_into_several_languages_take_no_picture_anew(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes: list[str] = []
    monkeypatch.setattr(thumbnails, "run_ffmpeg", lambda words, what: (takes.append(what), b"\xff\xd8")[1])
    lecture = add_lecture(options, "lecture.mp4")
    for number, target in enumerate(options.targets):
        os.utime(finish(options, lecture, target), (1e9 + number * 60,) * 2)
    for targets in (("hi",), ("es",), ("fr", "hi", "es")):
        write_index(replace(options, targets=targets))
    assert takes == ["taking a picture of lecture.es.mp4"]
    (options.output_dir / "lecture.es.mp4").unlink()
    assert len(index(options).pictures) == 1
    assert takes[1:] == ["taking a picture of lecture.hi.mp4"]


def test_a_leftover_that_its_writer_renames_meanwhile_is_no_error(options: LibraryOptions) -> None:
    options.output_dir.mkdir()
    # It is in the listing, and gone when it is looked at.
    (options.output_dir / ".index.html.1-abc.tmp").symlink_to("gone")
    index(options)


def test_a_list_leaves_in_sight_what_others_made(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "run_ffmpeg", lambda words, what: b"\xff\xd8")
    one, two = (add_lecture(options, name) for name in ("physics/one.mp4", "maths/two.mp4"))
    add_lecture(options, "maths/never wanted.mp4")
    finish(options, one, "hi")
    index(options)
    options = replace(options, targets=("fr",))  # for those of the list that say nothing else
    counts = write_index(options, iter([replace(two, targets=("de",))]))
    assert counts == {("hi", "done"): 1, ("de", "waiting"): 1}
    page = Page(options.output_dir / "index.html")
    assert "one.mp4" in page.text and "two.mp4" in page.text and "never wanted" not in page.text
    assert [path.exists() for path in page.files(page.pictures)] == [True]
    assert write_index(options, iter([replace(one, targets=("es",))])) == {
        ("es", "waiting"): 1, ("hi", "done"): 1,
    }  # fmt: skip
