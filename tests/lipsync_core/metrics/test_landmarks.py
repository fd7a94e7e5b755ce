"""Landmark distance: the arithmetic, and the door to the package face-alignment."""

import sys
import types

import numpy as np
import pytest
import torch

from lipsync_core.errors import MissingModelError
from lipsync_core.metrics.landmarks import MouthLandmarks, landmark_distance

URL = "https://host.invalid/2DFAN4-abc.pth.tar"


def test_distance_is_the_mean_after_bringing_the_means_together():
    true = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    assert landmark_distance(true + np.array([7, -3]), true) == pytest.approx(0)
    opened = true + np.array([[0, -1], [0, -1], [0, 1], [0, 1]])
    assert landmark_distance(opened, true) == pytest.approx(1.0)
    assert landmark_distance(true * 1.2, true) == pytest.approx(np.hypot(1, 1))


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A face-alignment that puts its 68 points into the box and keeps what it was asked."""
    made = types.ModuleType("face_alignment")
    made.asked = []

    class FaceAlignment:
        def __init__(self, landmarks_type, device="cuda", flip_input=True, face_detector="sfd", compile=True):
            made.asked.append((landmarks_type, device, flip_input, face_detector, compile))

        def get_landmarks_from_image(self, image, detected_faces=None):
            made.image = image
            x1, y1, x2, y2, _ = detected_faces[0]
            share = np.arange(68)[:, None] / 67
            return [np.array([[x1, y1]]) + share * np.array([[x2 - x1, y2 - y1]])]

    made.FaceAlignment = FaceAlignment
    made.LandmarksType = types.SimpleNamespace(TWO_D="two")
    api = types.ModuleType("face_alignment.api")
    api.models_urls = {"2DFAN-4": URL}
    monkeypatch.setitem(sys.modules, "face_alignment", made)
    monkeypatch.setitem(sys.modules, "face_alignment.api", api)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return made


def test_mouth_points_of_a_known_box_in_rgb(package, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "2DFAN4-abc.pth.tar").touch()
    find = MouthLandmarks("cpu")
    assert package.asked == [("two", "cpu", False, "folder", False)]
    frame = np.zeros((50, 50, 3), np.uint8)
    frame[..., 0] = 200  # blue
    points = find(frame, (0.0, 0.0, 67.0, 134.0))
    np.testing.assert_allclose(points[[0, -1]], [[48, 96], [67, 134]])
    assert len(points) == 20 and package.image[0, 0].tolist() == [0, 0, 200]


def test_weights_are_never_downloaded(package):
    with pytest.raises(MissingModelError, match=r"2DFAN4-abc.*checkpoints"):
        MouthLandmarks()


def test_without_the_package_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(MissingModelError, match="pip install face-alignment"):
        MouthLandmarks()
