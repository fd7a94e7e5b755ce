"""Landmarks of the mouth by the package ``face-alignment``, and their distance (LMD).

Source: Chen et al., "Lip Movements Generation at a Glance", ECCV 2018, section 4.2: the mean points of both
sets of mouth landmarks are brought together, then LMD is the mean Euclidean distance over points and frames.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lipsync_core.errors import MissingModelError
from lipsync_core.faces.geometry import Box, FrameArray
from lipsync_core.metrics.packages import import_optional

MOUTH = slice(48, 68)  # of the 68 points of the iBUG scheme

Points = npt.NDArray[np.float64]  # (n, 2): x, y in pixels


class MouthLandmarks:
    """Finds the 20 landmarks of a mouth in a known face box.

    Args:
        device: torch device.

    Raises:
        MissingModelError: the package or its weights are not here; nothing is ever downloaded.
    """

    def __init__(self, device: str = "cpu") -> None:
        package = import_optional("face_alignment", "face-alignment", "landmark distance (LMD)")
        _weights_path(package)
        # "folder" is the detector that needs no weights: the boxes come from us.
        self._network: Any = package.FaceAlignment(
            package.LandmarksType.TWO_D,
            device=device,
            flip_input=False,
            face_detector="folder",
            **({"compile": False} if _can_compile(package) else {}),
        )

    def __call__(self, frame_bgr: FrameArray, box: Box) -> Points | None:
        """Return (20, 2) points of the mouth in pixels of the frame, None when the package finds none."""
        rgb = np.ascontiguousarray(frame_bgr[:, :, ::-1])
        with contextlib.redirect_stdout(io.StringIO()):
            found = self._network.get_landmarks_from_image(rgb, detected_faces=[np.array([*box, 1.0])])
        return None if not found else np.asarray(found[0], np.float64)[MOUTH]


def landmark_distance(found: Points, true: Points) -> float:
    """Return the mean distance of two sets of points after bringing their means together, in pixels."""
    difference = (found - found.mean(axis=0)) - (true - true.mean(axis=0))
    return float(np.sqrt((difference**2).sum(axis=1)).mean())


def _can_compile(package: ModuleType) -> bool:
    """Return whether this version would spend minutes on torch.compile (1.5 does)."""
    import inspect

    return "compile" in inspect.signature(package.FaceAlignment.__init__).parameters


def _weights_path(package: ModuleType) -> Path:
    """Return the landmark network's file in torch hub's cache, where the package would download it to."""
    api = import_optional(f"{package.__name__}.api", "face-alignment", "landmark distance (LMD)")
    url: str = getattr(api, "models_urls", {}).get("2DFAN-4", "2DFAN4-11f355bf06.pth.tar")
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise MissingModelError(f"face-alignment's weights are not here: download {url} and put it at {path}")
    return path
