"""What a detector sees of a frame in planar 4:2:0: a small BGR copy, made at the size it works at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lipsync_core.faces.centerface import FaceBox, FaceDetector
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.pictures import Picture, Yuv420Frame


def detector_view(detector: FaceDetector, picture: Picture) -> FrameArray:
    """Return what ``detector`` is to be given of a frame.

    A detector that shrinks frames itself says to which size (``network_size``); a planar frame is then
    converted at that size only. BGR frames are given as they are.
    """
    if not isinstance(picture, Yuv420Frame):
        return picture
    network_size = getattr(detector, "network_size", None)
    if network_size is None:
        return picture.to_bgr()
    height, width = picture.shape[:2]
    return picture.resized_bgr(*network_size(width, height))


def detect_faces(detector: FaceDetector, picture: Picture) -> list[FaceBox]:
    """Return the faces of a frame in its own pixels, best score first."""
    view = detector_view(detector, picture)
    return [scaled_to(face, view, picture) for face in detector.detect(view)]


def scaled_to(face: FaceBox, view: FrameArray, picture: Picture) -> FaceBox:
    """Return a face found in ``view`` in the pixels of ``picture``."""
    if view.shape == picture.shape:
        return face
    sx, sy = picture.shape[1] / view.shape[1], picture.shape[0] / view.shape[0]
    landmarks = None if face.landmarks is None else face.landmarks * np.array([sx, sy], np.float32)
    return replace(
        face, x1=face.x1 * sx, y1=face.y1 * sy, x2=face.x2 * sx, y2=face.y2 * sy, landmarks=landmarks
    )
