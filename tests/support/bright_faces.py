"""Rectangles in place of faces: drawn where a test says, found by a detector that counts what it sees."""

from __future__ import annotations

import cv2
import numpy as np

from lipsync_core.faces import FaceBox
from lipsync_core.faces.centerface import network_size, scaled

WIDTH, HEIGHT = 1280, 720


class BrightDetector:
    """Finds bright rectangles, cut ones too, and counts the pixels that it was shown."""

    name = "bright"
    near_face_px = 100

    def __init__(self) -> None:
        self.n_pixels: list[int] = []

    def network_size(self, width: int, height: int) -> tuple[int, int]:
        return network_size(width, height, 480)

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        height, width = frame_bgr.shape[:2]
        size = self.network_size(width, height)
        self.n_pixels.append(size[0] * size[1])
        seen = cv2.resize(frame_bgr, size, interpolation=cv2.INTER_LINEAR)[:, :, 1]
        _, _, stats, _ = cv2.connectedComponentsWithStats((seen > 150).astype(np.uint8))
        found = [FaceBox(x, y, x + w, y + h, 0.9) for x, y, w, h, area in stats[1:].tolist() if area > 64]
        return [scaled(face, width / size[0], height / size[1]) for face in found]


def drawn(faces: list[tuple[float, float, float]], number: int, background: int = 40) -> np.ndarray:
    """Return a frame with bright faces, four by three in shape, and something that always moves."""
    frame = np.full((HEIGHT, WIDTH, 3), background, np.uint8)
    frame[-60:, (7 * number) % 1200 : (7 * number) % 1200 + 60] = background + 60
    for x, y, height in faces:
        frame[round(y) : round(y + height), round(x) : round(x + 0.75 * height)] = 230
    return frame
