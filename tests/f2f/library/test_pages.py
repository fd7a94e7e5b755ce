from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from made_library import add_lecture, fail, finish

from f2f.errors import UsageError
from f2f.library import pages
from f2f.library.lecture import LibraryOptions
from f2f.library.pages import COST_NAME, refresh_pages, write_pages
from f2f.library.store import Store


def test_all_pages_tell_of_the_same_library(tmp_path: Path) -> None:
    options = LibraryOptions(tmp_path, tmp_path / "out", ("hi", "es"))
    lecture = add_lecture(options, "lecture.mp4")
    write_pages(options)
    assert not (options.output_dir / "library.html").exists()  # nothing is finished
    finish(options, lecture, "hi")
    fail(options, lecture, "es", "failed", "out of memory")
    write_pages(options)
    index, trends, figures = (
        (options.output_dir / name).read_text(encoding="utf-8")
        for name in ("index.html", "library.html", "library.prom")
    )
    assert 'href="library.html"' in index and 'href="index.html"' not in index
    assert "out of memory" in index and "out of memory" in trends
    library = f'library="{options.output_dir}"'
    assert f'f2f_outputs_total{{{library},language="hi"}} 1' in figures
    assert f'f2f_lectures{{{library},language="es",state="failed"}} 1' in figures
    write_pages(options)
    assert 'href="index.html"' in (options.output_dir / "library.html").read_text(encoding="utf-8")


def test_pages_that_cost_much_are_not_written_after_each_lecture(tmp_path: Path) -> None:
    options = LibraryOptions(tmp_path, tmp_path / "out", ("hi",))
    add_lecture(options, "lecture.mp4")
    assert refresh_pages(options)
    cost = options.folder / COST_NAME
    assert json.loads(cost.read_text())["seconds"] >= 0
    cost.write_text(json.dumps({"seconds": 10.0, "began": time.time() - 100}))
    assert not refresh_pages(options)
    for began in (time.time() - 201, time.time() + 1e6):  # the clock was put back since
        cost.write_text(json.dumps({"seconds": 10.0, "began": began}))
        assert refresh_pages(options)
    cost.write_text("{")
    assert refresh_pages(options)


def test_pages_in_a_store_of_objects_are_left_to_the_next_look(tmp_path: Path) -> None:
    class Objects(Store):
        has_videos = False

    options = LibraryOptions(tmp_path, tmp_path / "out", ("hi",), store=Objects())
    add_lecture(options, "lecture.mp4")
    assert not refresh_pages(options) and not options.output_dir.exists()


def test_pages_written_over_newer_ones_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LibraryOptions(tmp_path, tmp_path / "out", ("hi",))
    options.folder.mkdir(parents=True)
    n_written = 0

    def write(*args: object, **rest: object) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 1:  # another process is through while this one still writes
            other = {"seconds": 0.0, "began": time.time()}
            (options.folder / COST_NAME).write_text(json.dumps(other))
        time.sleep(0.01)

    monkeypatch.setattr(pages, "write_pages", write)
    assert refresh_pages(options)
    assert n_written == 2


def test_a_library_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    options = LibraryOptions(tmp_path / "gone", tmp_path, ("hi",))
    with pytest.raises(UsageError, match="gone is not a folder"):
        write_pages(options)
