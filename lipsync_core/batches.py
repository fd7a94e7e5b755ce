"""Frames on their way through a generator: cropped, waiting for their batch, and finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lipsync_core.faces.centerface import FaceBox
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray, crop_resized, generator_box
from lipsync_core.faces.pasting import FacePatch, paste
from lipsync_core.pictures import Picture, region_bgr, to_bgr
from lipsync_core.runtime import PendingFaces

RAMP_FRAMES = 3  # over which a generated face fades in and out at the borders of an active run


@dataclass(frozen=True)
class SyncedFrame:
    """One frame of the stream.

    Attributes:
        index: from 0.
        picture: the frame as it came in, BGR or planar.
        patch: generated face to `paste`, None where the frame passes untouched.
        face: tracked box of the primary face, None where there is none.
    """

    index: int
    picture: Picture
    patch: FacePatch | None
    face: FaceBox | None = None

    @property
    def frame_bgr(self) -> FrameArray:
        """The frame as it came in, (H, W, 3) uint8 BGR; converted if it is planar."""
        return to_bgr(self.picture)

    def pasted(self) -> FrameArray:
        """Return the finished frame in BGR: the patch pasted, or ``frame_bgr`` itself."""
        return to_bgr(self.finished())

    def finished(self) -> Picture:
        """Return the finished frame in the layout in which it came."""
        return self.picture if self.patch is None else paste(self.picture, self.patch)


@dataclass
class PendingFrame:
    """A frame that waits for its batch."""

    index: int
    picture: Picture
    face: FaceBox | None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    opacity: float = 0.0
    face_crop: FrameArray | None = None
    mel: npt.NDArray[np.float32] | None = None


@dataclass
class Batch:
    """Frames whose faces are being generated; ``wait`` is None if none of them has one."""

    pending: list[PendingFrame]
    wait: PendingFaces | None

    def finished(self) -> Iterator[SyncedFrame]:
        """Wait for the faces and yield all frames, in order."""
        faces = iter(() if self.wait is None else grey_levels(self.wait()))
        for item in self.pending:
            patch = None
            if item.face_crop is not None:
                patch = FacePatch(item.box, round_to_uint8(next(faces)), item.opacity)
            yield SyncedFrame(item.index, item.picture, patch, item.face)


def prepare_frame(index: int, frame: Picture, face: FaceBox | None, opacity: float) -> PendingFrame:
    """Crop the face of a frame for the generator, unless it has none or stays as it is (opacity 0)."""
    item = PendingFrame(index, frame, face, opacity=opacity)
    if face is None or opacity <= 0:
        return item
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in generator_box(face.box, width, height))
    if x2 - x1 >= 2 and y2 - y1 >= 2:
        item.box = (x1, y1, x2, y2)
        region = region_bgr(frame, item.box)
        item.face_crop = crop_resized(region, (0, 0, x2 - x1, y2 - y1), GENERATOR_FACE_SIZE_PX)
    return item


def opacity_at(active: Sequence[bool] | None, index: int) -> float:
    """Return the fade of frame ``index``: 0 outside active runs, rising over `RAMP_FRAMES` inside them.

    The beginning and end of the video are no borders.
    """
    if active is None:
        return 1.0
    if index >= len(active) or not active[index]:
        return 0.0
    for distance in range(1, RAMP_FRAMES + 1):
        before, after = index - distance, index + distance
        if (before >= 0 and not active[before]) or (after < len(active) and not active[after]):
            return distance / (RAMP_FRAMES + 1)
    return 1.0


def grey_levels(faces: Tensor) -> npt.NDArray[np.float32]:
    """Return (N, 3, H, W) in 0...1 as (N, H, W, 3) in 0...255."""
    scaled: npt.NDArray[np.float32] = (faces.float() * 255.0).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return scaled


def round_to_uint8(face: npt.NDArray[np.float32]) -> FrameArray:
    """Return 0...255 floats as uint8, rounded (the published script truncates: half a level too dark)."""
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)
