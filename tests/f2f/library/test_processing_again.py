"""What a batch does with lectures that it looks at again: languages made again, failed, or held by others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_listener import Told

from f2f.config import Config, TranslateConfig
from f2f.library.batch import run_batch
from f2f.library.child import LanguageResult
from f2f.library.lease import Holder, Lease, take_lease
from f2f.library.lecture import LibraryOptions
from f2f.library.processing import BatchRun
from f2f.library.scanning import find_lectures
from f2f.library.status import LanguageStatus, read_status
from f2f.library.store import Store
from f2f.library.summary import Summary
from f2f.library.worker import Order


class Children:
    """Stands for workers: the outputs are there at once, with other subtitles each time.

    Attributes:
        made: languages that were made.
        failing: how often each language still fails.
        meanwhile: what somebody does as they work.
    """

    def __init__(self, folder: Path) -> None:
        self.made: list[str] = []
        self.failing: Counter[str] = Counter()
        self.meanwhile: Callable[[], object] = lambda: None
        self._folder, self._n_runs = folder, 0

    def __call__(self, order: Order, *rest: Any) -> Iterator[LanguageResult]:
        self.meanwhile()
        for target in order.requests:
            self._n_runs += 1
            if self.failing[target] > 0:
                self.failing[target] -= 1
                yield LanguageResult(target, self._n_runs, "translate: no", 4)
                continue
            self.made.append(target)
            for suffix in ("mp4", "json", "html", "srt"):
                made = '{"format": "f2f-manifest/1"}' if suffix == "json" else "made " * self._n_runs
                (self._folder / f"a.{target}.{suffix}").write_text(made)
            yield LanguageResult(target, self._n_runs, subtitles=str(self._folder / f"a.{target}.srt"))


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    (tmp_path / "a.mp4").write_text("a film")
    return LibraryOptions(tmp_path, tmp_path, ("hi", "es"), backoff_s=0.01)


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Children:
    stand_in = Children(tmp_path)
    monkeypatch.setattr("f2f.library.processing.run_child", stand_in)
    return stand_in


def batch(options: LibraryOptions, children: Children) -> tuple[list[str], dict[str, int], int]:
    """Run a batch; return what it made, the counts of its table, and its exit code."""
    summary = Summary()
    children.made.clear()
    run_batch(BatchRun(options, Told()), find_lectures(options), summary)
    return children.made[:], summary.counts, summary.exit_code


def status_of(options: LibraryOptions, target: str) -> LanguageStatus:
    status = read_status(options.output_dir / ".f2f" / "a")
    assert status is not None
    return status.languages[target]


def assert_nothing_is_left(options: LibraryOptions, children: Children) -> None:
    for _ in range(2):
        assert batch(options, children) == ([], {"unchanged": 2}, 0)


def test_languages_that_were_made_again_are_done(options: LibraryOptions, children: Children) -> None:
    assert batch(options, children) == (["hi", "es"], {"made": 2}, 0)
    assert_nothing_is_left(options, children)
    (options.root / "a.mp4").write_text("another film")
    assert batch(options, children) == (["hi", "es"], {"made": 2}, 0)
    assert_nothing_is_left(options, children)


def test_one_language_that_is_made_again_leaves_the_other_done(
    options: LibraryOptions, children: Children
) -> None:
    batch(options, children)
    (options.output_dir / "a.es.mp4").unlink()
    assert batch(options, children) == (["es"], {"made": 1, "unchanged": 1}, 0)
    assert_nothing_is_left(options, children)


@pytest.mark.parametrize("fails", ["hi", "es"])
def test_a_language_that_fails_after_it_was_made_is_tried_again_alone(
    options: LibraryOptions, children: Children, fails: str
) -> None:
    batch(options, children)
    (options.root / "a.mp4").write_text("another film")
    children.failing[fails] = 2
    [other] = {"hi", "es"} - {fails}
    assert batch(options, children) == ([other, fails], {"made": 2}, 0)
    assert_nothing_is_left(options, children)
    children.failing[fails] = 9
    (options.root / "a.mp4").write_text("a third film")
    assert batch(options, children) == ([other], {"made": 1, "quarantined": 1}, 4)
    assert status_of(options, fails).attempts == 3 and children.failing[fails] == 6
    assert batch(options, children) == ([], {"unchanged": 1, "quarantined": 1}, 4)


def test_files_that_are_edited_under_way_count_as_they_were_before(
    options: LibraryOptions, children: Children
) -> None:
    glossary = options.root / "terms.csv"
    glossary.write_text("film,película,es\n")
    options = replace(options, config=Config(translate=TranslateConfig(glossary=glossary)))
    children.meanwhile = lambda: glossary.write_text("film,filme,es\nsound,sonido,es\n")
    assert batch(options, children)[0] == ["hi", "es"]
    children.meanwhile = lambda: (options.root / "a.en.srt").write_text("captions of a person")
    assert batch(options, children)[0] == ["hi", "es"]
    children.meanwhile = lambda: None
    assert batch(options, children)[0] == ["hi", "es"]
    assert_nothing_is_left(options, children)


class LetsGo(Store):
    """Somebody else's lease ends when it was looked at three times."""

    def __init__(self, lease: Lease) -> None:
        self._lease, self._n_looks = lease, 0

    def read_holder(self, workspace_root: Path) -> Holder | None:
        self._n_looks += 1
        holder = super().read_holder(workspace_root)
        if self._n_looks == 3:
            self._lease.__exit__(None, None, None)
        return holder


def test_what_is_held_is_told_and_counted_once(
    options: LibraryOptions, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f2f.library.processing.LOOK_AGAIN_S", 0.0)
    batch(options, children)
    (options.output_dir / "a.es.mp4").unlink()
    lease = take_lease(options.output_dir / ".f2f" / "a")
    assert lease is not None
    lease.__enter__()
    summary, told = Summary(), Told()
    run_batch(BatchRun(replace(options, store=LetsGo(lease)), told), find_lectures(options), summary)
    assert told.rows == [("hi", "unchanged"), ("es", "held"), ("es", "made")]
    assert summary.counts == {"made": 1, "unchanged": 1}
