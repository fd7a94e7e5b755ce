from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from made_library import add_lecture, fail, finish, set_status
from run_pool import Pool

from f2f.config import Config, MuxConfig
from f2f.errors import UsageError
from f2f.library.lecture import LibraryOptions
from f2f.library.options import build_library_options
from flows.library_parameters import LibraryParameters, library_key
from flows.library_runs import KEYS_AT_ONCE, Started, start_runs
from flows.names import run_name


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    root = tmp_path / "physics"
    root.mkdir()
    return build_library_options(root, ["hi", "es"], config=Config(), output_dir=tmp_path / "out")


def look(options: LibraryOptions, pool: Pool, lecture_list: Path | None = None) -> Started:
    return start_runs(LibraryParameters.of(options, lecture_list), options, pool)


def test_each_new_lecture_gets_one_run_however_often_one_looks(options: LibraryOptions) -> None:
    for name in ("week 1/intro.mp4", "week 1/limits.mp4", "प्रस्तावना.mp4"):
        add_lecture(options, name)
    pool = Pool()
    assert look(options, pool).counts == {"started": 3}
    assert look(options, pool).counts == {"under way": 3}
    assert len(pool.started) == 3
    [intro] = [one for one in pool.started if one["parameters"]["lecture"] == "week 1/intro.mp4"]
    assert intro["name"] == run_name("week 1/intro.mp4", ["hi", "es"])
    assert set(intro["tags"]) == {"f2f", "hi", "es", "week 1", "physics"}


def test_a_run_can_do_what_its_parameters_say(options: LibraryOptions) -> None:
    options = build_library_options(
        options.root, options.targets, config=Config(profile="embedded", mux=MuxConfig(mark=False)),
        output_dir=options.output_dir, source_language="en", patterns=("*.mp4",), lipsync=False,
        max_attempts=5, backoff_s=7.0,
    )  # fmt: skip
    add_lecture(options, "a.mp4")
    pool = Pool()
    look(options, pool)
    parameters = pool.started[0]["parameters"]
    assert parameters.pop("lecture") == "a.mp4"
    assert LibraryParameters(**parameters).as_options() == options


def test_what_is_done_is_left_alone_and_what_changed_is_started_again(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "a.mp4")
    for target in options.targets:
        finish(options, lecture, target)
    pool = Pool()
    assert look(options, pool).counts == {"done": 1}
    lecture.source.write_bytes(b"another video")
    assert look(options, pool).counts == {"started": 1}


def test_a_video_that_changes_while_its_run_waits_gets_another(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "a.mp4")
    pool = Pool()
    look(options, pool)
    lecture.source.write_bytes(b"another video, longer")
    assert look(options, pool).counts == {"started": 1}
    assert look(options, pool).counts == {"under way": 1}


def test_a_crashed_run_is_taken_up_again_but_not_for_ever(options: LibraryOptions) -> None:
    options = replace(options, max_attempts=2)
    lecture = add_lecture(options, "a.mp4")
    pool = Pool()
    look(options, pool)
    pool.end_all("crashed")
    assert look(options, pool).counts == {"started": 1}
    pool.end_all("crashed")
    ended = look(options, pool)
    assert ended.counts == {"given up": 1}
    assert ended.reasons == ["a.mp4: its run crashed 2 times; touch the video to try again"]
    lecture.source.touch()
    assert look(options, pool).counts == {"started": 1}


def test_crashes_before_a_language_was_done_do_not_count(options: LibraryOptions) -> None:
    options = replace(options, max_attempts=2)
    lecture = add_lecture(options, "a.mp4")
    pool = Pool()
    for _ in range(2):
        assert look(options, pool).counts == {"started": 1}
        pool.end_all("crashed")
    later = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(timespec="seconds")
    finish(options, lecture, "hi")
    set_status(options, lecture, {"hi": {"finished": later}})
    assert look(options, pool).counts == {"started": 1}


def test_a_run_that_left_without_a_result_is_started_again(options: LibraryOptions) -> None:
    add_lecture(options, "a.mp4")
    pool = Pool()
    for _ in range(2 * KEYS_AT_ONCE):  # cancelled, or it found the lease held: that is no failure
        assert look(options, pool).counts == {"started": 1}
        pool.end_all("cancelled")
    assert len(pool.started) == 2 * KEYS_AT_ONCE


def test_a_lecture_with_a_language_done_is_still_under_way(options: LibraryOptions) -> None:
    lecture = add_lecture(options, "a.mp4")
    pool = Pool()
    look(options, pool)
    finish(options, lecture, "hi")
    assert look(options, pool).counts == {"under way": 1}
    fail(options, lecture, "es", "failed", "out of memory")
    set_status(options, lecture, {"es": {"state": "failed", "attempts": 1}})  # due at once
    assert look(options, pool).counts == {"under way": 1}
    pool.end_all("completed")
    assert look(options, pool).counts == {"started": 1}


def test_runs_that_a_person_deletes_keep_nothing_from_being_started(options: LibraryOptions) -> None:
    add_lecture(options, "a.mp4")
    pool = Pool()
    for _ in range(2):
        look(options, pool)
        pool.end_all("crashed")
    first = next(iter(pool.states))
    del pool.states[first]
    assert look(options, pool).counts == {"started": 1}
    assert len(pool.started) == 3
    pool.end_all("cancelled")
    far = f"{first.rpartition('-')[0]}-{KEYS_AT_ONCE}"
    pool.states |= {f"{first.rpartition('-')[0]}-{number}": "cancelled" for number in range(2, KEYS_AT_ONCE)}
    pool.states[far] = "scheduled"
    assert look(options, pool).counts == {"under way": 1}


def test_refused_and_given_up_lectures_are_named(options: LibraryOptions, tmp_path: Path) -> None:
    lecture = add_lecture(options, "a.mp4")
    for target in options.targets:
        fail(options, lecture, target, "quarantined", "no speech was found")
    (tmp_path / "elsewhere.mp4").write_bytes(b"video")
    (options.root / "b.mp4").symlink_to(tmp_path / "elsewhere.mp4")
    pool = Pool()
    ended = look(options, pool)
    assert ended.counts == {"given up": 1, "refused": 1}
    first, second = ended.reasons
    assert first == "a.mp4 → hi: no speech was found; es: no speech was found"
    assert second.startswith("b.mp4: it is a link out of the library")
    parameters = LibraryParameters.of(options)
    assert start_runs(parameters, options, pool, max_reasons=1).reasons == [first]
    assert pool.started == []


def test_what_a_list_wants_reaches_the_run(options: LibraryOptions, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        add_lecture(options, name)
    path = tmp_path / "list.csv"
    path.write_text("lecture,to,voice\nb.mp4,es,es+m1\n", encoding="utf-8")
    pool = Pool()
    assert look(options, pool, path).counts == {"started": 1}
    parameters = pool.started[0]["parameters"]
    name = parameters.pop("lecture")
    again = LibraryParameters(**parameters)
    lecture = again.lecture(name, again.as_options())
    assert (lecture.name, lecture.targets) == ("b.mp4", ("es",))
    assert lecture.language_settings == {"es": {"synthesize.voice": "es+m1"}}
    with pytest.raises(UsageError, match=r"names no lecture a\.mp4"):
        again.lecture("a.mp4", again.as_options())


def test_libraries_of_one_name_have_keys_of_their_own(tmp_path: Path) -> None:
    made = [LibraryOptions(tmp_path / way / "physics", tmp_path / "out", ("hi",)) for way in "ab"]
    keys = {library_key(options) for options in made}
    assert len(keys) == 2
    assert all(key.startswith("physics-") for key in keys)
    assert library_key(replace(made[0], targets=("es",))) == library_key(made[0])
