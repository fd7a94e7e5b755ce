"""All followed faces are found where they were, and those that come within a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from bright_faces import BrightDetector, drawn

from lipsync_core.faces import FaceBox
from lipsync_core.faces.several import FacesFinder

Scene = Callable[[int], list[tuple[float, float, float]]]
WHOLE = 864 * 480  # pixels of a whole frame at the detector's size
EVERY = 3


def found_in(scene: Scene, n_looks: int) -> tuple[list[list[FaceBox]], BrightDetector]:
    """Look at every third frame; what was found in one is followed in the next."""
    detector = BrightDetector()
    finder = FacesFinder(detector, fps=25)
    seen: list[list[FaceBox]] = []
    for n in range(0, n_looks * EVERY, EVERY):
        followed = dict(enumerate(seen[-1])) if seen else {}
        seen.append(finder.find(drawn(scene(n), n), followed, EVERY, is_new_shot=False))
    return seen, detector


def test_two_moving_faces_cost_a_fraction_of_the_pixels() -> None:
    def scene(n: int) -> list[tuple[float, float, float]]:
        return [(200 + n, 200, 150), (800 - n, 300 + n / 2, 120)]

    seen, detector = found_in(scene, 50)
    for look, faces in enumerate(seen):
        truth = sorted((x, y, x + 0.75 * h, y + h) for x, y, h in scene(look * EVERY))
        boxes = sorted(face.box for face in faces)
        assert np.abs(np.subtract(boxes, truth)).max() < 4
    assert sum(detector.n_pixels) < 0.5 * WHOLE * 50
    # At the start, then once a second: every ninth look of 3 frames is due.
    assert sum(n == WHOLE for n in detector.n_pixels) == 1 + 49 // 9


def test_a_face_that_comes_is_found_within_a_second() -> None:
    def scene(n: int) -> list[tuple[float, float, float]]:
        return [(200, 200, 150), *([(800, 100, 140)] if n >= 40 else [])]

    seen, _ = found_in(scene, 40)
    first = next(look for look, faces in enumerate(seen) if len(faces) == 2) * EVERY
    assert 40 <= first <= 40 + 25 + EVERY


def test_a_face_that_goes_is_missed_at_once_and_the_other_kept() -> None:
    seen, _ = found_in(lambda n: [(200 + n, 200, 150), *([(800, 100, 140)] if n < 60 else [])], 40)
    assert [len(faces) for faces in seen] == [2] * 20 + [1] * 20


def test_a_cut_and_a_plain_detector_are_searched_whole() -> None:
    face = FaceBox(200, 200, 312, 350, 0.9)
    frame = drawn([(700, 200, 150)], 0)
    detector = BrightDetector()
    (found,) = FacesFinder(detector, 25).find(frame, {0: face}, EVERY, is_new_shot=True)
    assert found.x1 == pytest.approx(700, abs=2)
    assert detector.n_pixels == [WHOLE]

    shapes: list[tuple[int, ...]] = []

    class Plain:
        name = "plain"

        def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
            shapes.append(frame_bgr.shape)
            return [face]

    assert FacesFinder(Plain(), 25).find(frame, {0: face}, EVERY, is_new_shot=False) == [face]
    assert shapes == [frame.shape]


def test_two_tracks_on_one_face_are_no_two_faces() -> None:
    detector = BrightDetector()
    finder = FacesFinder(detector, 25)
    followed = {0: FaceBox(200, 200, 312, 350, 0.9), 1: FaceBox(210, 205, 322, 355, 0.9)}
    assert len(finder.find(drawn([(200, 200, 150)], 1), followed, EVERY, is_new_shot=False)) == 1


def test_nothing_moves_nothing_is_searched_for_a_second() -> None:
    detector = BrightDetector()
    finder = FacesFinder(detector, 25)
    frame = drawn([(200, 200, 150)], 0)
    faces = finder.find(frame, {}, EVERY, is_new_shot=False)
    for _ in range(8):
        assert finder.find(frame, {0: faces[0]}, EVERY, is_new_shot=False) == faces
    assert len(detector.n_pixels) == 1
