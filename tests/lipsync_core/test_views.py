"""Detection and cuts on planar frames: the same as on BGR ones."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import astronaut_frame, planar_frame

from lipsync_core.faces import CenterFace, FaceBox, TrackingOptions, track_faces
from lipsync_core.faces.cuts import CutDetector
from lipsync_core.faces.views import detect_faces, detector_view


class WholeFrame:
    """A detector that works at the frame's own size."""

    name = "whole"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        self.shapes.append(frame_bgr.shape)
        return [FaceBox(10, 20, 60, 90, 0.9)]


@pytest.mark.parametrize("scale", [1, 3])
def test_a_face_is_found_where_it_is_in_bgr(scale: int) -> None:
    detector = CenterFace()
    frame = astronaut_frame(384 * scale, 288 * scale)
    planar = planar_frame(frame)
    (on_bgr,), (on_planes,) = detector.detect(frame), detect_faces(detector, planar)
    assert np.abs(np.subtract(on_bgr.box, on_planes.box)).max() < 1.5 * scale
    assert on_bgr.landmarks is not None and on_planes.landmarks is not None
    assert np.abs(on_bgr.landmarks - on_planes.landmarks).max() < 1.5 * scale
    view = detector_view(detector, planar)
    assert (view.shape[1], view.shape[0]) == detector.network_size(384 * scale, 288 * scale)


def test_other_detectors_get_the_whole_frame() -> None:
    detector = WholeFrame()
    planar = planar_frame(astronaut_frame())
    assert detect_faces(detector, planar)[0].box == (10, 20, 60, 90)
    assert detector.shapes == [planar.shape]
    bgr = astronaut_frame()
    assert detector_view(detector, bgr) is bgr


def test_tracks_agree() -> None:
    frames = [astronaut_frame(dx=3 * np.sin(k / 5), dy=2 * np.cos(k / 6)) for k in range(14)]
    options = TrackingOptions(every=5)
    on_bgr = [face for _, face in track_faces(frames, CenterFace(), options=options)]
    tracked = list(track_faces(map(planar_frame, frames), CenterFace(), options=options))
    assert all(frame.shape == (288, 384, 3) for frame, _ in tracked)
    pairs = [(a, b) for a, (_, b) in zip(on_bgr, tracked, strict=True)]
    apart = [np.abs(np.subtract(a.box, b.box)).max() for a, b in pairs if a is not None and b is not None]
    assert len(apart) == 14
    assert np.median(apart) < 1.5 and max(apart) < 6  # of 120: the detector's own grid is 4 pixels wide


def test_cuts_are_seen_on_planes() -> None:
    shots = [astronaut_frame(dx=k) for k in range(6)] + [255 - astronaut_frame(dx=k) for k in range(6)]
    on_bgr, on_planes = CutDetector(), CutDetector()
    expected = [n in (0, 6) for n in range(12)]
    assert [on_bgr.is_cut(frame) for frame in shots] == expected
    assert [on_planes.is_cut(planar_frame(frame)) for frame in shots] == expected
