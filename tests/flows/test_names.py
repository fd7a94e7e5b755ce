import re
from pathlib import Path

import pytest

from f2f.library.remote.scratch import scratch_folder
from flows.names import (
    MAX_SLUG_LENGTH,
    artifact_key,
    lecture_key,
    run_name,
    run_tags,
    slug,
    task_run_name,
)


def test_runs_are_named_after_lecture_and_languages() -> None:
    assert run_name("/data/lecture.mp4", ["hi"]) == "lecture → hi"
    assert run_name(Path("lecture.mp4"), ["hi", "es"]) == "lecture → hi, es"
    assert run_name("physics/01 Forces v1.2.mp4", ["hi"]) == "physics/01 Forces v1.2 → hi"


def test_tasks_are_named_after_stage_and_language() -> None:
    assert task_run_name("lipsync", "hi") == "lipsync → hi"
    assert task_run_name("probe", None) == "probe"


def test_tags_hold_languages_and_the_library_folder(tmp_path: Path) -> None:
    folder = tmp_path / "physics"
    assert run_tags(folder / "lecture.mp4", ["hi", "es"]) == ["es", "f2f", "hi", "physics"]
    assert run_tags(folder / "lecture.mp4", ["hi"], tmp_path) == sorted(
        ["f2f", "hi", "physics", tmp_path.name]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Lecture 1", "lecture-1"), ("pt-BR", "pt-br"), ("a__b..c", "a-b-c"), ("-x-", "x")],
)
def test_plain_names_become_plain_slugs(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize("text", ["Лекция", "Größe", "व्याख्यान", "x" * 300, "!!!", ""])
def test_any_name_becomes_a_key_that_prefect_takes(text: str) -> None:
    key = slug(text)
    assert 0 < len(key) <= MAX_SLUG_LENGTH + 9
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not key.startswith("-")


def test_names_that_lose_letters_stay_apart() -> None:
    assert len({slug("Лекция"), slug("Лекции"), slug("x" * 300), slug("x" * 301), slug("é"), slug("e")}) == 6


def test_artifact_keys_name_lecture_language_and_kind() -> None:
    assert (
        artifact_key("lecture-1-1f0c2a", "pt-BR", "lip-sync-error") == "lecture-1-1f0c2a-pt-br-lip-sync-error"
    )
    assert artifact_key("lecture-1-1f0c2a", None, "probe-progress") == "lecture-1-1f0c2a-probe-progress"


def test_lectures_of_one_name_in_two_folders_have_each_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (lecture_key(tmp_path / week / "Intro.mp4") for week in ("week 1", "week 2"))
    assert re.fullmatch("intro-[0-9a-f]{10}", first) and first != second
    monkeypatch.chdir(tmp_path)
    assert lecture_key(Path("week 1/Intro.mp4")) == first


def test_a_lecture_behind_a_url_has_one_history_on_all_machines() -> None:
    class Owner:
        """Of a folder here that stands for a bucket, as each process has one."""

    owners = Owner(), Owner()
    here, there = (scratch_folder(owner) / "s3" / "bucket" for owner in owners)
    assert here != there
    assert lecture_key(here / "week 1" / "Intro.mp4") == lecture_key(there / "week 1" / "Intro.mp4")
    assert lecture_key(here / "week 1" / "Intro.mp4") != lecture_key(here / "week 2" / "Intro.mp4")
