"""Find, follow, crop and paste faces."""

from __future__ import annotations

import logging

from lipsync_core.errors import InvalidInputError, MissingModelError
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

logger = logging.getLogger(__name__)

DETECTORS = ("auto", "centerface", "s3fd")


def load_detector(name: str = "auto", device: str = "cpu", *, parity: bool = False) -> FaceDetector:
    """Return a detector by name; ``"auto"`` is CenterFace, which every installation has.

    Args:
        name: one of `DETECTORS`.
        device: torch device, for those that run on torch. CenterFace does so on CUDA, in batches; elsewhere
            it runs on OpenCV, which is as fast on a CPU.
        parity: as the published recipe: ``"auto"`` is S3FD if its weights are here, and S3FD gets BGR
            frames as they are.

    Raises:
        InvalidInputError: unknown name.
        MissingModelError: the detector's package or weights are not here.
    """
    from lipsync_core.faces.s3fd import S3FD

    if name not in DETECTORS:
        raise InvalidInputError(f"unknown face detector {name!r}; choose one of {', '.join(DETECTORS)}")
    if name == "s3fd":
        return S3FD(device, swap_channels=not parity)
    if name == "auto" and parity:
        try:
            return S3FD(device, swap_channels=False)
        except MissingModelError as error:
            logger.warning("%s; CenterFace is used instead, so boxes are not the published recipe's", error)
    if device.startswith("cuda"):
        from lipsync_core.faces.centerface_torch import TorchCenterFace

        return TorchCenterFace(device)
    return CenterFace()
