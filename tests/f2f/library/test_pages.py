from __future__ import annotations

from pathlib import Path

import pytest
from made_library import add_lecture, fail, finish

from f2f.errors import UsageError
from f2f.library.lecture import LibraryOptions
from f2f.library.pages import write_pages


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
    assert 'f2f_outputs_total{language="hi"} 1' in figures
    assert 'f2f_lectures{language="es",state="failed"} 1' in figures
    write_pages(options)
    assert 'href="index.html"' in (options.output_dir / "library.html").read_text(encoding="utf-8")


def test_a_library_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    options = LibraryOptions(tmp_path / "gone", tmp_path, ("hi",))
    with pytest.raises(UsageError, match="gone is not a folder"):
        write_pages(options)
