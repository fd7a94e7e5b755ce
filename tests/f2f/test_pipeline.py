"""Order of the stages, what is reused when, and what is put beside the input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tiny_stages import TinyStages, install, request_for

from f2f.config import Config, FitConfig, MuxConfig
from f2f.dry_run import STORED, TO_DO, plan_run
from f2f.errors import EngineUnavailableError, StageError, UsageError
from f2f.pipeline import translate_video
from f2f.speaking_rate import RATES_FILE, SpeakingRates, write_rates
from f2f.stage import SilentObserver
from f2f.stage_call import StageCall
from f2f.workspace import Stored

SHARED = ["probe", "transcribe"]


def target_stages(target: str, *, source_score: bool = True) -> list[str]:
    score = ["evaluate_source"] if source_score else []
    names = [
        f"translate {target}",
        f"synthesize {target}",
        f"fit {target}",
        "lipsync embedded",
        f"mux {target}",
    ]
    return [*names, *score, "evaluate", "report"]


class Ears(SilentObserver):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.finished: list[tuple[str, bool]] = []

    def stage_finished(self, stage: str, seconds: float, *, reused: bool) -> None:
        self.finished.append((stage, reused))

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyStages:
    return install(monkeypatch)


def test_stages_run_in_order_and_outputs_lie_beside_the_input(tiny: TinyStages, tmp_path: Path) -> None:
    [outputs] = translate_video(request_for(tmp_path))
    assert tiny.ran == SHARED + target_stages("hi")
    assert [path.name for path in outputs.files] == [
        f"lecture.hi{s}" for s in (".mp4", ".srt", ".json", ".html")
    ]
    assert outputs.video.read_text() == "hello in hi crf 18"
    assert outputs.report.read_text() == "html of lecture.hi.mp4"
    assert not outputs.reused


def test_a_language_chooses_when_its_turn_comes(tiny: TinyStages, tmp_path: Path) -> None:
    """What one language fetched is then here for the next."""
    tiny.ran = tiny.chosen  # one list of both
    translate_video(request_for(tmp_path, "hi", "es"))
    order = [one for one in tiny.ran if one.startswith("translate")]
    assert order == ["translate", "translate hi", "translate", "translate es"]


def test_parts_that_a_kill_left_behind_a_stored_result_go(tiny: TinyStages, tmp_path: Path) -> None:
    request = request_for(tmp_path)
    left = request.workspace_root / "lipsync_parts" / "hi" / "key" / "part-0001.mkv"
    for _ in range(2):  # made, and found
        left.parent.mkdir(parents=True)
        left.touch()
        translate_video(request)
        assert not left.exists()


def test_the_second_run_does_nothing(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    tiny.ran.clear()
    ears = Ears()
    [outputs] = translate_video(request_for(tmp_path), ears)
    assert tiny.ran == []
    assert outputs.reused
    assert all(reused for _, reused in ears.finished)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_another_language_reuses_the_transcript_and_the_source_score(
    tiny: TinyStages, tmp_path: Path
) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    translate_video(request_for(tmp_path, "es"))
    assert tiny.ran == target_stages("es", source_score=False)


def test_several_languages_share_what_they_can(tiny: TinyStages, tmp_path: Path) -> None:
    outputs = translate_video(request_for(tmp_path, "hi", "es"))
    assert tiny.ran == SHARED + target_stages("hi") + target_stages("es", source_score=False)
    assert [each.target_language for each in outputs] == ["hi", "es"]


def test_only_what_depends_on_a_setting_is_done_again(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    translate_video(request_for(tmp_path, config=Config(mux=MuxConfig(crf=12))))
    assert tiny.ran == ["mux hi", "evaluate", "report"]
    assert (tmp_path / "lecture.hi.mp4").read_text() == "hello in hi crf 12"
    tiny.ran.clear()
    # The same wav comes out: no lips, no video are made again. The report names the command.
    translate_video(request_for(tmp_path, config=Config(mux=MuxConfig(crf=12), fit=FitConfig(max_tempo=1.4))))
    assert tiny.ran == ["fit hi", "report"]


def test_other_weights_are_another_result(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    tiny.identity["lipsync"] = "weights 2"
    translate_video(request_for(tmp_path))
    assert tiny.ran == ["lipsync embedded"]


def test_another_film_of_the_same_name_is_done_anew(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    (tmp_path / "lecture.mp4").write_bytes(b"another film")
    translate_video(request_for(tmp_path))
    assert tiny.ran[0] == "probe"


def test_a_raised_version_is_another_result(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    monkeypatch.setattr("f2f.stages.mux.VERSION", 1000)
    translate_video(request_for(tmp_path))
    assert tiny.ran == ["mux hi"]


def test_damaged_files_are_made_again(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    [wav] = (tmp_path / ".f2f" / "lecture" / "fit").glob("*/speech.wav")
    wav.write_text("noise")
    [outputs] = translate_video(request_for(tmp_path))
    assert tiny.ran == ["fit hi"]
    assert outputs.video.read_text() == "hello in hi crf 18"


def test_without_lipsync_the_stage_is_told_so(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path, lipsync=False))
    assert "lipsync none" in tiny.ran


def test_a_stage_that_fails_is_named_and_resumes(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VideoLingo#126, pyvideotrans#572: after a failure everything is done again."""

    def broken(*args: Any) -> None:
        raise ZeroDivisionError("no such\nnumber")

    with monkeypatch.context() as patch:
        patch.setattr("f2f.stages.mux.mux", broken)
        with pytest.raises(
            StageError, match=r"mux: ZeroDivisionError: no such number \(--debug shows where\)"
        ) as caught:
            translate_video(request_for(tmp_path))
    assert caught.value.stage == "mux"
    assert not list(tmp_path.rglob("*.tmp"))
    assert not (tmp_path / "lecture.hi.mp4").exists()
    tiny.ran.clear()
    translate_video(request_for(tmp_path))
    assert tiny.ran == ["mux hi", "evaluate_source", "evaluate", "report"]


def test_one_language_that_fails_does_not_stop_the_other(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(translation: Any, *rest: Any) -> Any:
        if translation.target_language == "hi":
            raise EngineUnavailableError("no Hindi voice")
        return tiny.synthesize(translation, *rest)

    monkeypatch.setattr("f2f.stages.synthesize.synthesize", picky)
    with pytest.raises(EngineUnavailableError, match="no Hindi voice"):
        translate_video(request_for(tmp_path, "hi", "es"))
    assert (tmp_path / "lecture.es.mp4").exists()
    assert not (tmp_path / "lecture.hi.mp4").exists()


def test_notices_are_heard_again_when_a_result_is_reused(tiny: TinyStages, tmp_path: Path) -> None:
    first, second = Ears(), Ears()
    translate_video(request_for(tmp_path), first)
    translate_video(request_for(tmp_path), second)
    assert "one segment has no translation" in first.notices
    assert set(second.notices) == set(first.notices)
    assert {"one segment has no translation", "synthesize is tiny"} <= set(tiny.jobs[0].notices)


def test_the_report_knows_every_stage(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path, "es"))
    translate_video(request_for(tmp_path, "hi"))
    job = tiny.jobs[-1]
    names = [record.stage for record in job.stages]
    assert names == [
        "probe", "transcribe", "translate", "synthesize", "fit", "lipsync", "mux",
        "evaluate_source", "evaluate",
    ]  # fmt: skip
    assert [record.reused for record in job.stages[:3]] == [True, True, False]
    assert job.command == f"f2f translate {tmp_path}/lecture.mp4 --to hi"


def test_translations_are_paced_by_the_fit_and_by_what_was_heard_of_voices(
    tiny: TinyStages, tmp_path: Path
) -> None:
    request = request_for(tmp_path, config=Config(fit=FitConfig(guard_s=0.2, silent_tempo=1.3)))
    translate_video(request)
    known = SpeakingRates().learn("hi", "v", "क" * 100, 10.0)
    write_rates(known, request.workspace_root / RATES_FILE)
    translate_video(request)
    assert tiny.ran.count("translate hi") == 1  # what was learnt since changes no finished translation
    slower = request_for(tmp_path, config=Config(fit=FitConfig(guard_s=0.2, silent_tempo=1.1)))
    translate_video(slower)
    assert tiny.ran.count("translate hi") == 2
    assert [(one.guard_s, one.silent_tempo) for one in tiny.paces] == [(0.2, 1.3), (0.2, 1.1)]
    assert tiny.paces[0].rates.learnt == {} and tiny.paces[1].rates == known


def test_stage_calls_go_through_the_hook(tiny: TinyStages, tmp_path: Path) -> None:
    seen: list[tuple[str, str | None, str]] = []

    def execute(call: StageCall[Any], /) -> Stored[Any]:
        seen.append((call.stage, call.target_language, call.description))
        return call()

    translate_video(request_for(tmp_path), execute=execute)
    assert seen[0] == ("probe", None, "probe lecture")
    assert seen[2] == ("translate", "hi", "translate lecture to hi")
    assert len(seen) == 10


def test_a_hook_may_call_a_stage_again(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path), execute=lambda call: (call(), call())[1])
    assert tiny.ran.count("mux hi") == 1


def test_files_that_are_not_ours_are_never_overwritten(tiny: TinyStages, tmp_path: Path) -> None:
    video = tmp_path / "lecture.hi.mp4"
    video.write_text("holiday")
    with pytest.raises(UsageError, match="was not made by f2f"):
        translate_video(request_for(tmp_path))
    assert video.read_text() == "holiday"
    translate_video(request_for(tmp_path, force=True))
    assert video.read_text() == "hello in hi crf 18"


def test_our_own_file_is_not_ours_once_it_was_edited(tiny: TinyStages, tmp_path: Path) -> None:
    translate_video(request_for(tmp_path))
    page = tmp_path / "lecture.hi.html"
    page.write_text(page.read_text() + " edited")
    with pytest.raises(UsageError, match=r"lecture\.hi\.html was not made by f2f here, or was edited since"):
        translate_video(request_for(tmp_path))


def test_captions_of_the_users_own_stay_and_ours_get_another_name(tiny: TinyStages, tmp_path: Path) -> None:
    own = tmp_path / "lecture.hi.srt"
    own.write_text("my own words")
    for _ in range(2):
        [outputs] = translate_video(request_for(tmp_path, force=True))
        assert outputs.subtitles.name == "lecture.hi.dub.srt"
        assert own.read_text() == "my own words"


def test_a_deleted_output_comes_back_without_work(tiny: TinyStages, tmp_path: Path) -> None:
    [outputs] = translate_video(request_for(tmp_path))
    outputs.video.unlink()
    tiny.ran.clear()
    translate_video(request_for(tmp_path))
    assert tiny.ran == []
    assert outputs.video.read_text() == "hello in hi crf 18"


def test_an_unfinished_copy_of_a_killed_run_goes_away(tiny: TinyStages, tmp_path: Path) -> None:
    (tmp_path / ".lecture.hi.mp4.99999.tmp").write_text("half")
    translate_video(request_for(tmp_path))
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_video_on_another_disk_is_copied(
    tiny: TinyStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*args: Any) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    [outputs] = translate_video(request_for(tmp_path))
    assert outputs.video.read_text() == "hello in hi crf 18"


def test_workdir_and_output_dir_may_be_elsewhere(tiny: TinyStages, tmp_path: Path) -> None:
    request = request_for(tmp_path, workdir=tmp_path / "w")
    translate_video(request)
    assert (tmp_path / "w" / "lecture" / "mux").is_dir()
    assert not (tmp_path / ".f2f").exists()


def test_dry_run_tells_what_is_stored_and_writes_nothing(tiny: TinyStages, tmp_path: Path) -> None:
    plan = plan_run(request_for(tmp_path))
    assert {step.state for step in plan.steps} == {TO_DO}
    assert [step.engine for step in plan.steps][1] == "captions"
    assert [path.name for path in tmp_path.iterdir()] == ["lecture.mp4"]
    assert tiny.ran == []

    translate_video(request_for(tmp_path))
    tiny.ran.clear()
    plan = plan_run(request_for(tmp_path, "hi", "es"))
    states = {(step.stage, step.target_language): step.state for step in plan.steps}
    assert states["transcribe", None] == states["evaluate_source", None] == STORED
    assert states["report", "hi"] == STORED
    assert states["translate", "es"] == states["report", "es"] == TO_DO
    assert tiny.ran == []
    assert tmp_path / "lecture.es.html" in plan.outputs
    assert any("is tiny" in line for line in plan.lines)
