"""Tracking against detectors whose answers are known, and once against the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from synthetic import astronaut_frame

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces import CenterFace, FaceBox, TrackingOptions, track_faces
from lipsync_core.faces.cuts import CutDetector

WIDTH, HEIGHT = 640, 360
Scene = Callable[[int], list[FaceBox]]


class Oracle:
    """Reads a frame's number from its pixels and answers what the scene says."""

    name = "oracle"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.asked: list[int] = []

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        number = int(frame_bgr[0, 0, 0]) + 256 * int(frame_bgr[0, 0, 1])
        self.asked.append(number)
        return self.scene(number)


def make_frames(n_frames: int, cuts: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    for number in range(n_frames):
        frame = np.full((HEIGHT, WIDTH, 3), 60 + 90 * (sum(number >= c for c in cuts) % 2), np.uint8)
        frame[0, 0] = number % 256, number // 256, 0
        yield frame


def face(x: float, y: float = 130.0, size: float = 100.0, score: float = 0.9) -> FaceBox:
    return FaceBox(x, y, x + size, y + size, score)


def track(scene: Scene, n_frames: int, cuts: tuple[int, ...] = (), **options: object) -> tuple[list, Oracle]:
    oracle = Oracle(scene)
    settings = TrackingOptions(**options)  # type: ignore[arg-type]
    out = list(track_faces(make_frames(n_frames, cuts), oracle, options=settings))
    numbers = [int(f[0, 0, 0]) + 256 * int(f[0, 0, 1]) for f, _ in out]
    assert numbers == list(range(n_frames))  # every frame, once, in order
    return [box for _, box in out], oracle


def test_straight_motion_is_followed_without_lag() -> None:
    boxes, oracle = track(lambda n: [face(100 + 2 * n)], 60)
    assert [b.x1 for b in boxes] == pytest.approx([100 + 2 * n for n in range(60)])
    assert len(oracle.asked) <= 60 / 5 + 2


def test_jitter_is_smoothed() -> None:
    noise = np.random.default_rng(0).normal(0, 2, 200)
    boxes, _ = track(lambda n: [face(200 + noise[n])], 200, every=1)
    raw, _ = track(lambda n: [face(200 + noise[n])], 200, every=1, smooth=False)
    smooth_x, raw_x = np.array([b.x1 for b in boxes]), np.array([b.x1 for b in raw])
    assert np.allclose(raw_x, 200 + noise)
    assert np.abs(np.diff(smooth_x)).mean() < 0.3 * np.abs(np.diff(raw_x)).mean()


def test_smoothing_and_interpolation_stop_at_cuts() -> None:
    boxes, _ = track(lambda n: [face(100 if n < 33 else 400)], 66, cuts=(33,))
    assert {round(b.x1, 6) for b in boxes[:33]} == {100.0}
    assert {round(b.x1, 6) for b in boxes[33:]} == {400.0}


def test_short_gap_is_bridged_long_gap_is_not() -> None:
    boxes, _ = track(lambda n: [] if 30 <= n < 38 or 70 <= n < 90 else [face(100 + n)], 130)
    assert all(b is not None for b in boxes[:70])
    assert boxes[34].x1 == pytest.approx(134, abs=0.5)
    assert boxes[70:90] == [None] * 20
    assert all(b is not None for b in boxes[90:])


def test_the_face_vanishes_on_the_right_frame() -> None:
    boxes, _ = track(lambda n: [face(100)] if n < 53 else [], 100)
    assert [b is not None for b in boxes] == [n < 53 for n in range(100)]


def test_flicker_on_a_slide_is_no_face() -> None:
    boxes, _ = track(lambda n: [face(300)] if 40 <= n < 48 else [], 100)
    assert boxes == [None] * 100


@pytest.mark.parametrize("bad", [face(300, score=0.55), face(300, size=9), face(300, size=15)])
def test_unsure_and_tiny_detections_do_not_count(bad: FaceBox) -> None:
    boxes, _ = track(lambda n: [bad], 40)
    assert boxes == [None] * 40


def test_largest_and_central_face_is_primary() -> None:
    boxes, _ = track(lambda n: [face(10, 10, 60, 0.95), face(260, size=110), face(560, size=70)], 40)
    assert {round(b.x1) for b in boxes} == {260}


def test_no_jumping_between_people() -> None:
    """LatentSync#153, Wav2Lip#166: the other face is a little larger now and then, and first in the list."""
    boxes, _ = track(lambda n: [face(400, size=100 + 20 * (n % 20 < 10)), face(150, size=105)], 150)
    first = boxes[0].x1
    assert all(abs(b.x1 - first) < 15 for b in boxes)


def test_a_clearly_more_prominent_face_takes_over_once() -> None:
    boxes, _ = track(lambda n: [face(450, size=60), *([face(200, size=160)] if n >= 40 else [])], 140)
    centres = [b.x1 for b in boxes]
    assert centres[45] == pytest.approx(450)
    assert centres[-1] == pytest.approx(200)
    changes = [i for i in range(1, 140) if abs(centres[i] - centres[i - 1]) > 20]
    assert len(changes) == 1
    assert 60 <= changes[0] <= 75  # after a second of being more prominent


def test_fast_motion_is_detected_frame_by_frame() -> None:
    def scene(n: int) -> list[FaceBox]:
        return [face(200 + 40 * np.sin(n / 3))]

    boxes, oracle = track(scene, 60, smooth=False)
    assert len(oracle.asked) > 40
    assert np.abs([b.x1 - scene(n)[0].x1 for n, b in enumerate(boxes)]).max() < 3


def test_short_shots_keep_their_face() -> None:
    boxes, _ = track(lambda n: [face(100 if n < 6 else 400)], 12, cuts=(6,))
    assert [round(b.x1) for b in boxes] == [100] * 6 + [400] * 6


@pytest.mark.parametrize("n_frames", [0, 1, 2, 5, 6])
def test_very_short_videos(n_frames: int) -> None:
    boxes, _ = track(lambda n: [face(100)], n_frames)
    assert [b.x1 for b in boxes] == pytest.approx([100] * n_frames)


def test_lookahead_is_bounded() -> None:
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in make_frames(400):
            taken += 1
            yield frame

    worst = 0
    scene = Oracle(lambda n: [face(100)] if (n // 30) % 2 else [])
    for given, _ in enumerate(track_faces(counted(), scene), 1):
        worst = max(worst, taken - given)
    assert taken == 400
    assert worst < 40


def test_cuts_are_found_and_motion_is_not() -> None:
    still, moving = CutDetector(), CutDetector()
    flags = [still.is_cut(frame) for frame in make_frames(20, cuts=(10, 15))]
    assert [i for i, flag in enumerate(flags) if flag] == [0, 10, 15]
    panning = [moving.is_cut(astronaut_frame(dx=4 * n)) for n in range(12)]
    assert panning == [True] + [False] * 11


def test_real_detector_on_a_moving_face() -> None:
    frames = [astronaut_frame(dx=6 * np.sin(n / 8), dy=3 * np.cos(n / 8)) for n in range(36)]
    frames += [np.full_like(frames[0], 16)] * 12
    detector = CenterFace()
    boxes = [box for _, box in track_faces(frames, detector)]
    assert [box is not None for box in boxes] == [n < 36 for n in range(48)]
    for n in (3, 18, 32):
        (true,) = detector.detect(frames[n])
        assert np.abs(np.array(boxes[n].box) - true.box).max() < 0.04 * true.height
        assert boxes[n].landmarks.shape == (5, 2)


def test_bad_options() -> None:
    with pytest.raises(InvalidInputError):
        next(track_faces(make_frames(3), Oracle(lambda n: []), options=TrackingOptions(every=0)))


class BatchOracle(Oracle):
    """Answers several frames at once."""

    batch_size = 3

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.batches: list[int] = []

    def detect_batch(self, frames_bgr: Sequence[np.ndarray]) -> list[list[FaceBox]]:
        self.batches.append(len(frames_bgr))
        return [self.detect(frame) for frame in frames_bgr]


@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_detection_in_batches_changes_nothing(speed: float) -> None:
    def scene(number: int) -> list[FaceBox]:
        left = 100 + speed * min(number, 20)
        return [] if 33 <= number < 36 else [FaceBox(left, 60, left + 80, 160, 0.9)]

    one, several = Oracle(scene), BatchOracle(scene)
    alone = [face for _, face in track_faces(make_frames(60, cuts=(41,)), one)]
    batched = [face for _, face in track_faces(make_frames(60, cuts=(41,)), several)]
    assert batched == alone
    assert sorted(several.asked) == sorted(one.asked)
    assert max(several.batches) >= 3
