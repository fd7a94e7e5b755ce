import errno
from pathlib import Path
from typing import Any

import httpx
import pytest
from made_library import add_lecture, fail, finish
from prefect.exceptions import ObjectNotFound
from run_pool import Pool

from f2f.config import Config
from f2f.library.lease import take_lease
from f2f.library.lecture import LibraryOptions
from f2f.library.options import build_library_options
from f2f.library.summary import Row, Summary
from flows import library
from flows.library_parameters import LibraryParameters

# Prefect's import passes through libraries whose own deprecations are not ours to fix.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    root = tmp_path / "physics"
    root.mkdir()
    return build_library_options(root, ["hi", "es"], config=Config(), output_dir=tmp_path / "out")


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Tables that were shown; without this Prefect would start a server for them."""
    shown: list[Any] = []
    monkeypatch.setattr(library, "create_table_artifact", lambda table, **rest: shown.append(table))
    return shown


def tick(options: LibraryOptions, **changes: Any) -> Any:
    parameters = dict(LibraryParameters.of(options))
    return library.translate_library.fn(**{**parameters, **changes})


def test_a_tick_starts_runs_and_keeps_the_index(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: dict[str, Pool] = {}
    monkeypatch.setattr(library, "PrefectRunPool", lambda name: pools.setdefault(name, Pool()))
    for name in ("a.mp4", "week 1/b.mp4"):
        add_lecture(options, name)
    ended = tick(options, deployment="translate-lecture/translate-lecture")
    assert (ended.type.value, ended.message) == ("COMPLETED", "2 started")
    assert [len(pool.started) for pool in pools.values()] == [2]
    assert (options.output_dir / "index.html").is_file()
    assert 'state="waiting"' in (options.output_dir / "library.prom").read_text(encoding="utf-8")
    assert tick(options, deployment="translate-lecture/translate-lecture").message == "2 under way"


def test_a_crash_while_a_tick_looks_is_taken_up_by_it(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(crashes_to_tell=1)
    monkeypatch.setattr(library, "PrefectRunPool", lambda name: pool)
    add_lecture(options, "a.mp4")

    def write(*args: object, **rest: object) -> None:
        if len(pool.started) == 1:
            pool.end_all("crashed")

    monkeypatch.setattr(library, "write_pages", write)
    monkeypatch.setattr(library, "AGAIN_AFTER_S", 0)
    assert tick(options, deployment="translate-lecture/translate-lecture").message == "1 started"
    assert len(pool.started) == 2


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (httpx.ConnectError("nothing listens there"), "nothing listens there; the next tick goes on"),
        (ObjectNotFound(RuntimeError("404"), "no such thing"), "prefect deploy --all makes the deployments"),
    ],
)
def test_a_server_that_fails_ends_a_tick_in_one_line(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch, error: Exception, remedy: str
) -> None:
    pool = Pool()

    def start(*args: object) -> None:
        raise error

    monkeypatch.setattr(pool, "start", start)
    monkeypatch.setattr(library, "PrefectRunPool", lambda name: pool)
    add_lecture(options, "a.mp4")
    ended = tick(options, deployment="translate-lecture/translate-lecture")
    assert ended.type.value == "FAILED"
    assert "\n" not in ended.message and ended.message.endswith(remedy)


def test_a_run_of_a_lecture_brings_the_pages_up_to_date(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    lecture = add_lecture(options, "a.mp4")

    def process(*args: object) -> Any:
        finish(options, lecture, "hi")
        return [Row("a.mp4", "hi", "made", 60.0, 30.0)], None

    monkeypatch.setattr(library, "process_lecture", process)
    library.translate_lecture.fn(lecture.name, **dict(LibraryParameters.of(options)))
    figures = (options.output_dir / "library.prom").read_text(encoding="utf-8")
    assert "f2f_outputs_total" in figures and (options.output_dir / "index.html").is_file()


def test_pages_that_cannot_be_made_end_nothing(
    options: LibraryOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = tmp_path / "list.csv"
    half.write_text("lecture,t", encoding="utf-8")
    parameters = LibraryParameters.of(options, half)
    library.FlowListener(parameters, options).row(Row("a.mp4", "hi", "made", 60.0, 30.0))
    assert "the library's pages cannot be written: " in caplog.text and "list.csv" in caplog.text


def test_a_tick_without_a_deployment_brings_the_library_up_to_date_itself(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "a.mp4")
    for target in options.targets:
        finish(options, lecture, target)
    ended = tick(options)
    assert (ended.type.value, ended.message) == ("COMPLETED", "2 unchanged")


def test_a_tick_leaves_everything_to_an_earlier_one(options: LibraryOptions) -> None:
    lease = take_lease(options.folder / library.TICK_FOLDER)
    assert lease is not None
    with lease:
        ended = tick(options)
    assert ended.type.value == "COMPLETED"
    assert ended.message.startswith("an earlier tick is still at work on ")
    assert tick(options).message == "no lecture found"


def test_a_tick_on_what_is_no_library_says_so_in_one_line(options: LibraryOptions) -> None:
    ended = tick(options, library=str(options.root / "nowhere"))
    assert ended.type.value == "FAILED"
    assert "nowhere is not a folder" in ended.message and "\n" not in ended.message


@pytest.mark.parametrize("flow", ["tick", "lecture"])
def test_a_disk_that_cannot_be_written_is_one_line_with_the_remedy(
    options: LibraryOptions, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    name = add_lecture(options, "a.mp4").name
    lease = str(options.output_dir / "lease")

    def take(*args: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", lease)

    monkeypatch.setattr(type(options.store), "take_lease", take)
    parameters = {"lecture": name, **dict(LibraryParameters.of(options))}
    ended = tick(options) if flow == "tick" else library.translate_lecture.fn(**parameters)
    assert ended.type.value == "FAILED"
    assert ended.message.startswith(f"{lease}: the disk can only be read; choose other folders")


def test_a_lecture_that_is_done_or_held_is_left_alone(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "week 1/a.mp4")
    parameters = {"lecture": lecture.name, **dict(LibraryParameters.of(options))}
    lease = take_lease(options.output_dir / "week 1" / ".f2f" / "a")
    assert lease is not None
    with lease:
        held = library.translate_lecture.fn(**parameters)
    assert (held.type.value, held.message) == ("COMPLETED", "2 held")
    for target in options.targets:
        finish(options, lecture, target)
    done = library.translate_lecture.fn(**parameters)
    assert (done.type.value, done.message) == ("COMPLETED", "2 unchanged")


@pytest.mark.parametrize("name", ["../mine/a.mp4", "w/../../mine", "{tmp}/mine/a.mp4", "..", "", "a\0.mp4"])
def test_a_lecture_outside_the_library_is_refused_by_name(options: LibraryOptions, name: str) -> None:
    name = name.format(tmp=options.root.parent)
    ended = library.translate_lecture.fn(name, **dict(LibraryParameters.of(options)))
    assert ended.type.value == "FAILED"
    assert ended.message.startswith(f"lecture {name!r} is none of the library; give its path")
    assert not list(options.output_dir.parent.rglob("mine"))
    back = add_lecture(options, "back\\slash.mp4")
    assert LibraryParameters.of(options).lecture(back.name, options).source == back.source


def test_a_lecture_that_was_given_up_long_ago_fails_no_tick_but_is_shown(
    options: LibraryOptions, tables: list[Any]
) -> None:
    lecture = add_lecture(options, "a.mp4")
    for target in options.targets:
        fail(options, lecture, target, "quarantined", "no speech was found", attempts=3)
    ended = tick(options)
    assert (ended.type.value, ended.message) == ("COMPLETED", "2 quarantined")
    [table] = tables
    assert [(row["language"], row["reason"]) for row in table] == [
        ("es", "no speech was found"),
        ("hi", "no speech was found"),
    ]


@pytest.mark.parametrize(
    ("row", "then"),
    [
        (Row("a.mp4", "hi", "failed", seconds=3.0, reason="the hub is away"), "tried again at a later tick"),
        (Row("a.mp4", "hi", "quarantined", seconds=3.0, reason="no video"), "given up until it changes"),
    ],
)
def test_what_failed_now_fails_the_tick_and_says_what_follows(row: Row, then: str) -> None:
    summary = Summary()
    summary.add(Row("b.mp4", "hi", "made", 60.0, 30.0))
    summary.add(row)
    ended = library._end_state(summary)
    assert ended.type.value == "FAILED"
    assert ended.message == f"1 made, 1 {row.state}; a.mp4 → hi: {row.reason} ({then})"
