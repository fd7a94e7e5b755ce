"""Find, follow, crop and paste faces."""

from __future__ import annotations

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.centerface import CenterFace, FaceBox, FaceDetector
from lipsync_core.faces.geometry import crop_resized, generator_box, syncnet_box
from lipsync_core.faces.tracking import TrackingOptions, track_faces

__all__ = [
    "CenterFace",
    "FaceBox",
    "FaceDetector",
    "TrackingOptions",
    "crop_resized",
    "generator_box",
    "load_detector",
    "syncnet_box",
    "track_faces",
]

DETECTORS = ("auto", "centerface", "s3fd")


def load_detector(name: str = "auto", device: str = "cpu") -> FaceDetector:
    """Return a detector by name; ``"auto"`` is CenterFace, which every installation has.

    Raises:
        InvalidInputError: unknown name.
        MissingModelError: the detector's package or weights are not here.
    """
    if name in ("auto", "centerface"):
        return CenterFace()
    if name == "s3fd":
        from lipsync_core.faces.s3fd import S3FD

        return S3FD(device)
    raise InvalidInputError(f"unknown face detector {name!r}; choose one of {', '.join(DETECTORS)}")
