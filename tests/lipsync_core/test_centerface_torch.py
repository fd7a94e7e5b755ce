"""CenterFace on torch against CenterFace on OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from synthetic import astronaut_frame

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces import CenterFace, load_detector
from lipsync_core.faces.centerface import BatchFaceDetector, FaceBox
from lipsync_core.faces.centerface_torch import TorchCenterFace


def frames() -> list[np.ndarray]:
    two = np.hstack([astronaut_frame(), astronaut_frame(dx=30)])
    one = np.hstack([astronaut_frame(dy=10), np.zeros_like(astronaut_frame())])
    return [cv2.resize(f, (1000, 600)) for f in (two, np.zeros_like(two), one)]


def assert_same(one: list[FaceBox], other: list[FaceBox]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.box == pytest.approx(b.box, abs=0.05)
        assert a.score == pytest.approx(b.score, abs=1e-3)
        assert np.abs(a.landmarks - b.landmarks).max() < 0.05


def test_same_faces_alone_and_in_batches() -> None:
    pictures = frames()
    expected = [CenterFace().detect(frame) for frame in pictures]
    assert [len(found) for found in expected] == [2, 0, 1]
    detector = TorchCenterFace(batch_size=2)
    for found, known in zip(detector.detect_batch(pictures), expected, strict=True):
        assert_same(found, known)
    assert_same(detector.detect(pictures[0]), expected[0])
    assert detector.detect_batch([]) == []


def test_it_is_a_batch_detector_and_the_one_on_opencv_is_not() -> None:
    assert isinstance(TorchCenterFace(), BatchFaceDetector)
    assert not isinstance(load_detector("centerface"), BatchFaceDetector)


def test_bad_settings() -> None:
    with pytest.raises(InvalidInputError):
        TorchCenterFace(max_lines=8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda() -> None:
    detector = load_detector("auto", "cuda")
    assert isinstance(detector, TorchCenterFace)
    for found, frame in zip(detector.detect_batch(frames()), frames(), strict=True):
        assert_same(found, CenterFace().detect(frame))
