"""Choose the one face that is followed, and stay with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lipsync_core.faces.centerface import FaceBox, iou

MIN_SCORE = 0.6
MIN_HEIGHT_PX = 20.0
MIN_HEIGHT_SHARE = 0.03  # of the frame's height: smaller faces have no lips to see
SAME_IOU = 0.2  # overlap with the last box that makes a detection the same face
SAME_DISTANCE = 0.8  # or: centres within this many box heights, and
SAME_SIZE = 1.7  # heights within this factor
OVERTAKE = 1.5  # another face must be this much more prominent ...
OVERTAKE_S = 1.0  # ... for this long to become the primary one
KEEP_BONUS = 1.5  # what having been the primary face counts at a cut


class PrimaryFace:
    """State of the followed face across detections.

    Args:
        patience_s: how long the face may be missing before another one may be taken.
        fps: frames a second.

    Attributes:
        track: number of the current face; changes whenever another face is taken.
        face: where it was when it was last seen, None before any face was taken. May be set to a more exact
            box of the same face.
    """

    def __init__(self, patience_s: float, fps: float) -> None:
        self.track = 0
        self._patience_frames = patience_s * fps
        self._overtake_frames = OVERTAKE_S * fps
        self.face: FaceBox | None = None
        self._missing_frames = 0
        self._rival_frames = 0

    @property
    def is_missing(self) -> bool:
        """Whether the face was not there at the last update."""
        return self.face is None or self._missing_frames > 0

    @property
    def has_rival(self) -> bool:
        """Whether another face was more prominent at the last update, so that it may take over."""
        return self._rival_frames > 0

    def update(
        self, faces: Sequence[FaceBox], width: int, height: int, n_frames: int, is_new_shot: bool
    ) -> FaceBox | None:
        """Return the primary face among detections of a (width, height) frame, None if it is missing.

        Args:
            faces: all detections.
            width: of the frame in pixels.
            height: of the frame in pixels.
            n_frames: frames since the last update.
            is_new_shot: a cut lies between: the face is chosen anew, with a bonus for staying.
        """
        smallest = max(MIN_HEIGHT_PX, MIN_HEIGHT_SHARE * height)
        candidates = [f for f in faces if f.score >= MIN_SCORE and f.height >= smallest]
        best = max(candidates, key=lambda f: prominence(f, width, height), default=None)
        if is_new_shot or self.face is None:
            return self._start(candidates, width, height)
        same = [f for f in candidates if _is_same(f, self.face)]
        if not same:
            self._missing_frames += n_frames
            if self._missing_frames <= self._patience_frames:
                return None
            return self._start(candidates, width, height)
        self._missing_frames = 0
        chosen = max(same, key=lambda f: iou(f, self.face) if self.face else 0.0)
        if best is not None and prominence(best, width, height) > OVERTAKE * prominence(
            chosen, width, height
        ):
            self._rival_frames += n_frames
            if self._rival_frames > self._overtake_frames:
                return self._start([best], width, height)
        else:
            self._rival_frames = 0
        self.face = chosen
        return chosen

    def _start(self, candidates: Sequence[FaceBox], width: int, height: int) -> FaceBox | None:
        """Take the most prominent face, the one followed so far with a bonus."""
        last = self.face

        def weight(face: FaceBox) -> float:
            stays = last is not None and iou(face, last) > 0.5
            return prominence(face, width, height) * (KEEP_BONUS if stays else 1.0)

        self.track += 1
        self._missing_frames = self._rival_frames = 0
        self.face = max(candidates, key=weight, default=None)
        return self.face


def prominence(face: FaceBox, width: int, height: int) -> float:
    """Return how likely a face is the speaker: its height in pixels, up to halved away from the middle."""
    dx = ((face.x1 + face.x2) / 2 - width / 2) / width
    dy = ((face.y1 + face.y2) / 2 - height / 2) / height
    return face.height * face.score * (1 - min(0.5, 0.7 * math.hypot(dx, dy)))


def _is_same(face: FaceBox, last: FaceBox) -> bool:
    if iou(face, last) > SAME_IOU:
        return True
    dx = (face.x1 + face.x2 - last.x1 - last.x2) / 2
    dy = (face.y1 + face.y2 - last.y1 - last.y2) / 2
    ratio = face.height / max(last.height, 1e-6)
    return math.hypot(dx, dy) < SAME_DISTANCE * last.height and 1 / SAME_SIZE < ratio < SAME_SIZE
