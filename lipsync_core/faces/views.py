"""What a detector sees of a frame in planar 4:2:0: a small BGR copy, made at the size it works at."""

from __future__ import annotations

from collections.abc import Sequence

from lipsync_core.faces.centerface import BatchFaceDetector, FaceBox, FaceDetector, scaled
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.pictures import Picture, Yuv420Frame, resized


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


def detect_faces_in_all(detector: FaceDetector, pictures: Sequence[Picture]) -> list[list[FaceBox]]:
    """Return what `detect_faces` returns for each of several frames of one size, at once if it can be."""
    if not isinstance(detector, BatchFaceDetector):
        return [detect_faces(detector, picture) for picture in pictures]
    views = [detector_view(detector, picture) for picture in pictures]
    found = detector.detect_batch(views) if views else []
    return [
        [scaled_to(face, view, picture) for face in faces]
        for faces, view, picture in zip(found, views, pictures, strict=True)
    ]


def scaled_to(face: FaceBox, view: FrameArray, picture: Picture) -> FaceBox:
    """Return a face found in ``view`` in the pixels of ``picture``."""
    if view.shape == picture.shape:
        return face
    sx, sy = picture.shape[1] / view.shape[1], picture.shape[0] / view.shape[0]
    return scaled(face, sx, sy)


def resized_view(
    picture: Picture, box: tuple[int, int, int, int] | None, size: tuple[int, int]
) -> FrameArray:
    """Return a frame, or a rectangle of it, as a BGR copy of another size.

    Args:
        picture: the frame.
        box: x1, y1, x2, y2 inside the frame, x1 and y1 even; None for all of it.
        size: (width, height) of the copy.
    """
    x1, y1, x2, y2 = box or (0, 0, picture.shape[1], picture.shape[0])
    if isinstance(picture, Yuv420Frame):
        return picture.part((x1, y1, x2, y2)).resized_bgr(*size, averaging=True)
    return resized(picture[y1:y2, x1:x2], size)
