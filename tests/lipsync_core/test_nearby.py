"""Looking where the face was must find what looking everywhere finds, in a fraction of the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from bright_faces import HEIGHT, WIDTH, BrightDetector, drawn
from synthetic import astronaut_frame, planar_frame

from lipsync_core.faces import CenterFace, FaceBox, TrackingOptions, track_faces
from lipsync_core.faces.centerface import network_size
from lipsync_core.faces.nearby import CropFaceDetector, surroundings_of
from lipsync_core.pictures import Picture

FPS = 25
Scene = Callable[[int], list[tuple[float, float, float]]]  # x, y, height of every face in a frame


class WholeFrames:
    """Hides that a detector can be shown cut-outs."""

    def __init__(self, detector: CropFaceDetector) -> None:
        self.name, self._detector = "whole", detector

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        return self._detector.detect(frame_bgr)


def track(frames: Iterable[Picture], detector: object, **options: object) -> list[FaceBox | None]:
    settings = TrackingOptions(**{"smooth": False, **options})  # type: ignore[arg-type]
    return [box for _, box in track_faces(frames, detector, fps=FPS, options=settings)]  # type: ignore[type-var]


def seen_in(scene: Scene, n_frames: int) -> tuple[list[FaceBox | None], BrightDetector]:
    detector = BrightDetector()
    return track((drawn(scene(n), n) for n in range(n_frames)), detector), detector


def errors(boxes: list[FaceBox | None], truth: Callable[[int], tuple[float, float, float]]) -> np.ndarray:
    """Return the largest error of any side, in pixels, of each frame."""
    wanted = [(x, y, x + 0.75 * h, y + h) for x, y, h in map(truth, range(len(boxes)))]
    return np.array([np.abs(np.subtract(b.box, w)).max() for b, w in zip(boxes, wanted, strict=True) if b])


def test_a_slow_face_costs_few_pixels() -> None:
    def face(n: int) -> tuple[float, float, float]:
        return 300 + 2.5 * n, 200 + n, 150

    boxes, detector = seen_in(lambda n: [face(n)], 100)
    assert None not in boxes
    assert errors(boxes, face).max() < 4
    whole = 864 * 480
    assert sum(detector.n_pixels) < 0.3 * whole * len(range(0, 100, 5))
    assert sum(n == whole for n in detector.n_pixels) == 1  # at the start


def test_a_fast_and_growing_face_is_followed() -> None:
    def face(n: int) -> tuple[float, float, float]:
        return 500 + 150 * np.sin(n / 7), 150 + 60 * np.sin(n / 5), 160 + 2 * n

    boxes, detector = seen_in(lambda n: [face(n)], 80)
    assert len([b for b in boxes if b]) == 80
    assert errors(boxes, face).max() < 9  # 3 % of the face's height
    assert np.mean(detector.n_pixels) < 0.5 * 864 * 480


@pytest.mark.parametrize("place", [(0, 0), (1100, 20), (1150, 560)])
def test_faces_at_the_edges_of_the_frame(place: tuple[int, int]) -> None:
    boxes, _ = seen_in(lambda n: [(*place, 160)], 40)
    x1, y1 = place
    true = (x1, y1, min(WIDTH, x1 + 120), min(HEIGHT, y1 + 160))
    assert np.abs(np.array([b.box for b in boxes if b]) - true).max() < 3
    assert None not in boxes


@pytest.mark.parametrize("first", [37, 41, 58])
def test_a_face_that_comes_is_found_on_its_frame(first: int) -> None:
    boxes, _ = seen_in(lambda n: [(400, 200, 180)] if n >= first else [], 100)
    assert [b is not None for b in boxes] == [n >= first for n in range(100)]


def test_a_face_that_goes_is_let_go_on_its_frame() -> None:
    boxes, _ = seen_in(lambda n: [(400, 200, 180)] if n < 53 else [], 100)
    assert [b is not None for b in boxes] == [n < 53 for n in range(100)]


def test_a_more_prominent_face_takes_over_once() -> None:
    boxes, _ = seen_in(lambda n: [(900, 300, 100), *([(500, 200, 260)] if n >= 40 else [])], 160)
    lefts = np.array([b.x1 for b in boxes if b])
    assert lefts[60] == pytest.approx(900, abs=4)
    assert lefts[-1] == pytest.approx(500, abs=4)
    (change,) = np.nonzero(np.abs(np.diff(lefts)) > 100)[0]
    assert 62 <= change <= 40 + 25 + 30  # seen within a second, then more prominent for a second


def test_two_faces_do_not_swap() -> None:
    def scene(n: int) -> list[tuple[float, float, float]]:
        return [(400 + n, 200, 160 + 15 * (n % 20 < 10)), (700 - n, 210, 165)]

    boxes, _ = seen_in(scene, 120)
    dense = track((drawn(scene(n), n) for n in range(120)), WholeFrames(BrightDetector()))
    both = [(a, b) for a, b in zip(boxes, dense, strict=True) if a and b]
    assert len(both) == 120
    assert max(abs(a.x1 - b.x1) for a, b in both) < 4


def test_a_cut_is_searched_whole() -> None:
    def scene(n: int) -> list[tuple[float, float, float]]:
        return [(200, 150, 200) if n < 33 else (820, 300, 140)]

    frames = (drawn(scene(n), n, background=40 if n < 33 else 90) for n in range(66))
    detector = BrightDetector()
    boxes = track(frames, detector)
    assert [round(b.x1, -1) for b in boxes if b] == [200] * 33 + [820] * 33
    assert sum(n == 864 * 480 for n in detector.n_pixels) == 2


def test_nothing_moves_nothing_is_searched() -> None:
    frame = drawn([(400, 200, 180)], 0)
    detector = BrightDetector()
    boxes = track([frame] * 100, detector)
    assert None not in boxes
    assert len(detector.n_pixels) <= 2 + 2 * 4  # once exactly at the start, then twice a second
    empty = BrightDetector()
    assert track([np.full_like(frame, 40)] * 100, empty) == [None] * 100
    assert len(empty.n_pixels) <= 5


def test_planar_frames_give_the_same_boxes() -> None:
    frames = [drawn([(300 + 3 * n, 201, 173)], n) for n in range(30)]
    plain = track(frames, BrightDetector())
    planar = track([planar_frame(frame) for frame in frames], BrightDetector())
    for a, b in zip(plain, planar, strict=True):
        assert a is not None
        assert b is not None
        assert np.abs(np.subtract(a.box, b.box)).max() < 3


@pytest.mark.parametrize(("frame", "shrink"), [((1280, 720), 1.0), ((641, 359), 0.7), ((90, 160), 1.0)])
def test_surroundings_lie_on_the_grid_of_the_frame(frame: tuple[int, int], shrink: float) -> None:
    face = FaceBox(0.4 * frame[0], 0.3 * frame[1], 0.55 * frame[0], 0.5 * frame[1], 0.9)
    usual = network_size(*frame, 480)
    place = surroundings_of(face, frame, usual, shrink)
    x1, y1, x2, y2 = place.box
    assert x1 % 2 == y1 % 2 == 0
    assert place.holds(face, 0.3)
    assert not place.holds(FaceBox(x1 - 9, face.y1, face.x2, face.y2, 0.9), 0.0) or x1 == 0
    assert all(n % 32 == 0 for n in place.size)
    for low, high, n_pixels, side, whole in zip((x1, y1), (x2, y2), place.size, frame, usual, strict=True):
        assert 0 <= low < high <= side
        assert (high - low) * whole * shrink / side == pytest.approx(n_pixels, abs=40)
        cells = low * whole * shrink / side / 32
        assert cells == pytest.approx(round(cells), abs=0.06)
    middle = FaceBox(0, 0, place.size[0], place.size[1], 0.9, np.zeros((5, 2), np.float32))
    found = place.in_frame(middle)
    assert found.box == (x1, y1, x2, y2)
    assert found.landmarks.tolist() == [[x1, y1]] * 5


def test_real_detector_on_a_moving_face() -> None:
    frames = [astronaut_frame(640, 360, 30 * np.sin(n / 8), 12 * np.cos(n / 7)) for n in range(24)]
    near = track(frames, CenterFace(), smooth=True)
    dense = track(frames, WholeFrames(CenterFace()), smooth=True, every=1)
    height = np.median([b.height for b in dense if b])
    difference = np.abs([np.subtract(a.box, b.box) for a, b in zip(near, dense, strict=True) if a and b])
    assert len(difference) == 24
    assert difference.mean() < 0.02 * height
    assert difference.max() < 0.08 * height


@pytest.mark.parametrize("person", ["s1", "s24", "F"])
def test_real_people(person: str, shared_media: Path) -> None:
    from lipsync_core.media import read_pictures

    clip = sorted((shared_media / "grid" / "test" / person).glob("*.mkv"))[0]
    frames = list(read_pictures(clip))
    near = track(frames, CenterFace(), smooth=True)
    dense = track(frames, WholeFrames(CenterFace()), smooth=True)
    height = np.median([b.height for b in dense if b])
    difference = np.abs([np.subtract(a.box, b.box) for a, b in zip(near, dense, strict=True) if a and b])
    assert len(difference) == len(frames)
    assert difference.mean() < 0.01 * height
    assert difference.max() < 0.03 * height
