from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lipsync_core.faces import FaceBox
from lipsync_core.faces.geometry import crop_resized, syncnet_box
from lipsync_core.syncnet_crops import Crop, tracked_crops

Where = Callable[[int], list[tuple[float, float, float]]]  # frame index -> faces as centre x, centre y, size


class ScriptedDetector:
    """Finds faces where the script says; the frame's number stands in its top left pixel."""

    name = "scripted"

    def __init__(self, where: Where) -> None:
        self.where = where
        self.asked: list[int] = []

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        index = int(frame_bgr[0, 0, 0])
        self.asked.append(index)
        return [FaceBox(x - s / 2, y - s / 2, x + s / 2, y + s / 2, 0.9) for x, y, s in self.where(index)]


def numbered(n: int, cut_at: int | None = None, size: int = 160) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 120, (size, size, 3), dtype=np.uint8)
    for i in range(n):
        frame = picture.copy()
        if cut_at is not None and i >= cut_at:
            frame += 100
        frame[0, 0] = i
        yield frame


def spans(crops: list[Crop]) -> dict[int, tuple[int, int]]:
    """First and last frame of each track; checks that nothing is missing in between or said after the end."""
    frames: dict[int, list[int]] = {}
    ended: set[int] = set()
    for crop in crops:
        assert crop.track not in ended
        if crop.image_bgr is None:
            ended.add(crop.track)
        else:
            frames.setdefault(crop.track, []).append(crop.frame_index)
    assert ended == set(frames)
    for indices in frames.values():
        assert indices == list(range(indices[0], indices[-1] + 1))
    return {track: (indices[0], indices[-1]) for track, indices in frames.items()}


def track(where: Where, n: int = 60, cut_at: int | None = None, every: int = 3) -> list[Crop]:
    return list(tracked_crops(numbered(n, cut_at), ScriptedDetector(where), detect_every=every))


@pytest.mark.parametrize("n", [1, 2, 40, 60])
def test_a_still_face_is_one_track_to_the_last_frame(n: int) -> None:
    assert spans(track(lambda i: [(80, 70, 50)], n)) == {0: (0, n - 1)}


def test_two_faces_are_two_tracks() -> None:
    crops = track(lambda i: [(40, 70, 40), (120, 70, 40)] if i < 45 else [(120, 70, 40)])
    assert spans(crops) == {0: (0, 42), 1: (0, 59)}  # the first was last seen in frame 42


def test_short_gap_is_bridged_and_long_gap_ends_the_track() -> None:
    assert spans(track(lambda i: [(80, 70, 50)] if not 10 < i < 32 else [])) == {0: (0, 59)}
    assert spans(track(lambda i: [(80, 70, 50)] if not 10 < i < 42 else [])) == {0: (0, 9), 1: (42, 59)}


def test_cut_ends_every_track_on_its_frame() -> None:
    assert spans(track(lambda i: [(80, 70, 50)], cut_at=31)) == {0: (0, 30), 1: (31, 59)}


def test_jump_is_another_face() -> None:
    crops = track(lambda i: [(40, 70, 40)] if i < 30 else [(120, 70, 40)])
    assert spans(crops) == {0: (0, 27), 1: (30, 59)}


def test_boxes_are_interpolated_between_detections() -> None:
    detector = ScriptedDetector(lambda i: [(60 + i, 80, 60)])
    frames = list(numbered(40))
    crops = [c for c in tracked_crops(iter(frames), detector, detect_every=3) if c.image_bgr is not None]
    assert detector.asked == list(range(0, 40, 3))
    for i in (10, 17, 20):  # the median of 13 values on a straight line is the middle one
        box = syncnet_box((60 + i - 30, 50, 60 + i + 30, 110))
        np.testing.assert_array_equal(crops[i].image_bgr, crop_resized(frames[i], box, 224, 110))


def test_a_single_bad_box_is_filtered_out() -> None:
    frames = list(numbered(40))
    detector = ScriptedDetector(lambda i: [(80, 80, 60) if i != 20 else (92, 80, 60)])
    crops = [c for c in tracked_crops(iter(frames), detector, detect_every=1) if c.image_bgr is not None]
    expected = crop_resized(frames[20], syncnet_box((50, 50, 110, 110)), 224, 110)
    np.testing.assert_array_equal(crops[20].image_bgr, expected)


def test_few_frames_are_held() -> None:
    alive: weakref.WeakSet[np.ndarray] = weakref.WeakSet()
    most = 0

    class Frame(np.ndarray):  # plain arrays are not hashable
        __hash__ = object.__hash__

    def stream() -> Iterator[np.ndarray]:
        nonlocal most
        for frame in numbered(250):
            counted = frame.view(Frame)
            alive.add(counted)
            most = max(most, len(alive))
            yield counted

    seen = lambda i: [(80, 70, 50)] if i % 60 < 30 else []  # noqa: E731
    for _ in tracked_crops(stream(), ScriptedDetector(seen)):
        pass
    assert 8 <= most <= 40
