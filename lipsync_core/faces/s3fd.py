"""S3FD face detector of the optional package ``face-alignment`` (extra ``faces``).

The published recipe's detector (S. Zhang et al., ICCV 2017): far slower on a CPU than CenterFace, but
what the published numbers were made with.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from lipsync_core.errors import MissingModelError
from lipsync_core.faces.centerface import FaceBox
from lipsync_core.faces.geometry import FrameArray

MIN_SIDE_PX = 32  # the network's fifth pooling needs as much


def find_s3fd_weights() -> Path:
    """Return the weights file in `lipsync_core.weights.cache_folder` or torch's hub cache.

    Raises:
        MissingModelError: it is in neither; the message says where to get it.
        CheckpointError: a file of that name is something else.
    """
    from lipsync_core.weights import REGISTRY, resolve
    from lipsync_core.weights.lookup import torch_hub_folder

    in_hub_cache = torch_hub_folder() / REGISTRY["s3fd"].file
    if in_hub_cache.is_file():  # face-alignment itself puts it there
        return in_hub_cache
    found = resolve("s3fd", "s3fd", allow_download=False).path
    assert found is not None
    return found


class S3FD:
    """S3FD through ``face_alignment.detection.sfd.FaceDetector``.

    Args:
        device: torch device.
        score_threshold: lowest score reported.
        swap_channels: give the network RGB, as its package expects; False gives it BGR frames as they are,
            the published recipe's mistake that its results depend on.

    Raises:
        MissingModelError: package or weights are not here.
    """

    name = "s3fd"

    def __init__(self, device: str = "cpu", score_threshold: float = 0.5, swap_channels: bool = True) -> None:
        if importlib.util.find_spec("face_alignment") is None:
            raise MissingModelError("S3FD needs the package face-alignment; run: pip install face-alignment")
        weights = find_s3fd_weights()
        from face_alignment.detection.sfd import FaceDetector

        self._swap_channels = swap_channels
        self._detector: Any = FaceDetector(
            device=device, path_to_detector=str(weights), filter_threshold=score_threshold
        )

    def detect(self, frame_bgr: FrameArray) -> list[FaceBox]:
        """Return the faces of one (H, W, 3) uint8 BGR frame, best score first; none on sides under 32 px."""
        if min(frame_bgr.shape[:2]) < MIN_SIDE_PX:
            return []
        image = frame_bgr[:, :, ::-1] if self._swap_channels else frame_bgr
        found = self._detector.detect_from_image(np.ascontiguousarray(image))
        rows = [[float(v) for v in row[:5]] for row in found]
        faces = [FaceBox(x1, y1, x2, y2, score) for x1, y1, x2, y2, score in rows]
        return sorted(faces, key=lambda face: -face.score)
