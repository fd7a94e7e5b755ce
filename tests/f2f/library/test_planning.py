"""What is to be done for a lecture as its video, settings and history change."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from f2f.config import Config, FitConfig, TranslateConfig
from f2f.errors import ConfigError
from f2f.library.lecture import Lecture, LibraryOptions, request_for, workspace_of
from f2f.library.planning import Plan, fingerprint, hash_settings, own_subtitles, plan_lecture
from f2f.library.scanning import find_lectures
from f2f.library.status import LanguageStatus, LectureStatus, read_status, write_status

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def options(tmp_path: Path) -> LibraryOptions:
    (tmp_path / "a.mp4").write_bytes(b"film")
    return LibraryOptions(tmp_path, tmp_path, ("hi",))


def plan(options: LibraryOptions, now: datetime = NOW, **fields: Any) -> Plan:
    [lecture] = [one for one in find_lectures(options) if isinstance(one, Lecture) and one.name == "a.mp4"]
    return plan_lecture(Lecture(**{**vars(lecture), **fields}), options, now)


def todo(options: LibraryOptions, now: datetime = NOW, **fields: Any) -> str:
    return plan(options, now, **fields).todo["hi"]


def finish(options: LibraryOptions, state: Any = "done", **fields: Any) -> None:
    """Leave a status and outputs as a run does."""
    before = plan(options)
    if state == "done":
        for suffix in ("mp4", "json", "html"):
            (options.output_dir / f"a.hi.{suffix}").write_text(
                '{"format": "f2f-manifest/1"}' if suffix == "json" else "made"
            )
    own = fields.get("subtitles")
    language = LanguageStatus(
        state=state, source_sha256="1", finished=NOW.isoformat(), seconds=1.0, **fields,
        settings=hash_settings(before.lecture, options, "hi", [own] if own else []),
    )  # fmt: skip
    status = LectureStatus(name="a.mp4", source=fingerprint(before, "1"), languages={"hi": language})
    write_status(before.workspace_root, status)
    assert read_status(before.workspace_root) == status


def with_config(options: LibraryOptions, **fields: Any) -> LibraryOptions:
    return LibraryOptions(**{**vars(options), "config": Config(**fields)})


def test_new_then_done(options: LibraryOptions) -> None:
    assert todo(options) == "new"
    assert plan(options).targets == ("hi",)
    finish(options)
    assert todo(options) == "done"
    assert plan(options).targets == ()
    assert plan(options, targets=("hi", "es")).targets == ("es",)


def test_another_video_of_the_same_name_is_a_change(options: LibraryOptions) -> None:
    finish(options)
    (options.root / "a.mp4").write_bytes(b"another film")
    assert todo(options) == "changed"
    finish(options, "quarantined", attempts=3, error="broken")
    assert todo(options) == "quarantined"
    os.utime(options.root / "a.mp4", (1, 1))
    assert todo(options) == "changed"


def test_a_language_of_an_older_video_is_a_change(options: LibraryOptions) -> None:
    """The video was replaced; another language was made of the new one, this one failed before it began."""
    finish(options)
    root = plan(options).workspace_root
    status = read_status(root)
    assert status is not None
    newer = status.source.model_copy(update={"sha256": "2"})
    write_status(root, status.model_copy(update={"source": newer}))
    assert todo(options) == "changed"


@pytest.mark.parametrize("suffix", ["mp4", "json", "html"])
def test_an_output_that_is_gone_is_made_again(options: LibraryOptions, suffix: str) -> None:
    finish(options)
    (options.output_dir / f"a.hi.{suffix}").unlink()
    assert todo(options) == "changed"


def test_settings_that_shape_the_output_count_and_no_others(options: LibraryOptions, tmp_path: Path) -> None:
    finish(options)
    assert todo(with_config(options, fit=FitConfig(max_tempo=1.4))) == "changed"
    assert todo(with_config(options, device="cuda")) == "done"
    assert todo(options, settings={"fit.max_tempo": 1.4}) == "changed"
    assert todo(options, language_settings={"es": {"synthesize.voice": "es+f2"}}) == "done"
    assert todo(options, language_settings={"hi": {"synthesize.voice": "hi+f2"}}) == "changed"
    assert todo(options, source_language="de") == "changed"
    assert todo(LibraryOptions(**{**vars(options), "lipsync": False})) == "changed"


def test_files_named_in_the_configuration_count_by_their_content_not_their_folder(
    options: LibraryOptions, tmp_path: Path
) -> None:
    glossary = tmp_path / "terms.csv"
    glossary.write_text("a,b,hi\n")
    mine = with_config(options, translate=TranslateConfig(glossary=glossary))
    finish(mine)
    assert todo(mine) == "done"
    elsewhere = tmp_path / "mounted elsewhere" / "terms.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("a,b,hi\n")
    os.utime(elsewhere, ns=(0, glossary.stat().st_mtime_ns))
    assert todo(with_config(options, translate=TranslateConfig(glossary=elsewhere))) == "done"
    glossary.write_text("a,b,hi\nc,d,hi\n")
    assert todo(mine) == "changed"


def test_captions_beside_the_video_count_but_not_our_own(options: LibraryOptions) -> None:
    made = options.root / "a.hi.srt"
    made.write_text("of the run")
    finish(options, subtitles=("a.hi.srt", made.stat().st_size, made.stat().st_mtime_ns))
    assert todo(options) == "done"
    made.write_text("edited by a person, and so a translation")
    assert todo(options) == "changed"
    made.unlink()
    (options.root / "a.en.srt").write_text("1")
    assert todo(options) == "changed"


def test_what_failed_waits_and_then_is_tried_again(options: LibraryOptions) -> None:
    due = NOW + timedelta(seconds=60)
    finish(options, "failed", attempts=1, error="no", not_before=due.isoformat())
    assert todo(options) == "waiting"
    assert plan(options).due == due
    assert todo(options, due) == "retry"
    # A clock that was put back for years does not make it wait for years.
    assert todo(options, NOW - timedelta(days=1000)) == "retry"


def test_what_was_given_up_is_tried_again_only_when_asked(options: LibraryOptions) -> None:
    finish(options, "quarantined", attempts=3, error="no")
    assert todo(options, NOW + timedelta(days=100)) == "quarantined"
    assert todo(LibraryOptions(**{**vars(options), "retry_quarantined": True})) == "retry"


def test_waits_double_up_to_an_hour(options: LibraryOptions) -> None:
    assert [options.wait_s(attempts) for attempts in (1, 2, 3, 7, 1000)] == [60, 120, 240, 3600, 3600]


def test_a_status_that_cannot_be_read_is_none(options: LibraryOptions) -> None:
    finish(options)
    (plan(options).workspace_root / "status.json").write_text("{half")
    assert todo(options) == "new"
    assert list(own_subtitles(None)) == []


@pytest.mark.parametrize("time", ["soon", "2030-13-01T00:00:00+00:00", "2030-01-01T00:00:00"])
def test_a_status_whose_date_is_none_is_none(options: LibraryOptions, time: str) -> None:
    due = (NOW + timedelta(seconds=60)).isoformat()
    finish(options, "failed", attempts=1, error="no", not_before=due)
    path = plan(options).workspace_root / "status.json"
    assert todo(options) == "waiting"
    path.write_text(path.read_text().replace(due, time))
    assert todo(options) == "new"


def test_a_video_that_is_gone_is_planned_and_fails_later(options: LibraryOptions, tmp_path: Path) -> None:
    lecture = Lecture(tmp_path / "gone.mp4", "gone.mp4", ("hi",))
    assert plan_lecture(lecture, options, NOW).size == -1


def test_a_lecture_s_own_settings_shape_its_request(options: LibraryOptions, tmp_path: Path) -> None:
    lecture = Lecture(
        tmp_path / "w" / "a.mp4", "w/a.mp4", ("hi", "es"),
        settings={"fit.max_tempo": 1.4}, language_settings={"hi": {"synthesize.voice": "hi+f2"}},
    )  # fmt: skip
    request = request_for(lecture, options, ("hi",))
    assert request.library == options.root.name
    assert (request.config.fit.max_tempo, request.config.synthesize.voice) == (1.4, "hi+f2")
    assert request_for(lecture, options, ("es",)).config.synthesize.voice is None
    assert request.config.fit.late_s == options.config.fit.late_s
    assert workspace_of(lecture, options) == request.workspace_root
    wrong = Lecture(tmp_path / "a.mp4", "a.mp4", ("hi",), settings={"fit.max_tempo": 100})
    with pytest.raises(ConfigError, match=r"a\.mp4: fit\.max_tempo is 100"):
        request_for(wrong, options, ("hi",))
    assert plan_lecture(wrong, options, NOW).settings == {"hi": ""}
