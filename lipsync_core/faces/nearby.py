"""Look for a face that is followed where it was, instead of in the whole frame.

Most of the work of finding faces in a frame is spent on places where none is. A face that was found is
looked for in its surroundings, on a copy on which it is `CropFaceDetector.near_face_px` high at most. What
that could miss is looked for elsewhere:

- The face has left its surroundings, or the detector is not sure of it there: the whole frame is searched
  at once, at full size.
- Another person comes: every second the whole frame is searched too, on a copy so small that the followed
  face is 64 px high. A face can only take over if it is more prominent, so it is large enough there. While
  one may take over, it is searched each time.
- A cut: the whole frame is searched.

Boxes always come from the surroundings, however a face was found: a detector draws them a little
differently at another size, and they would jump once a second. The surroundings stay where they are as long
as the face stays well inside, for the same reason. A picture in which nothing has moved since one was
searched is not searched again, for at most a second.

Boxes of faces up to `near_face_px` differ by less than 1 % of the face's height from those of whole frames
(the tests say so on real clips); of closer ones, where the copy is smaller, by several per cent at the
forehead, as do those of whole frames in two sizes. The lip-sync error of the result is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from lipsync_core.faces.centerface import SIZE_MULTIPLE_PX, FaceBox, FaceDetector, iou, scaled
from lipsync_core.faces.cuts import small_grey
from lipsync_core.faces.primary import MIN_SCORE, PrimaryFace
from lipsync_core.faces.views import detect_faces, resized_view, scaled_to
from lipsync_core.pictures import Picture

WHOLE_EVERY_S = 1.0  # the whole frame is searched at least so often
OVERVIEW_FACE_PX = 64  # height of the followed face when the whole frame is searched for others
MARGIN = 0.35  # of the face's height, to all sides, that the surroundings have when they are laid out
KEPT_MARGIN = 0.15  # they are laid out anew when less is left ...
CUT_MARGIN = 0.03  # ... and with less than this the face may be cut off: it is looked for anew at once
SIZE_CHANGE = 1.25  # of the face, with which they are laid out anew
SAME_IOU = 0.3  # overlap of a face found in the whole frame with the followed one
STILL_LEVELS = 1.5  # change of any of 48x32 grey cells below which nothing in the picture has moved


@runtime_checkable
class CropFaceDetector(FaceDetector, Protocol):
    """A detector that finds a face just as well in a cut-out of the frame.

    Attributes:
        near_face_px: height up to which a larger picture of a face makes its box more exact.
    """

    near_face_px: int

    def network_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) at which a frame enters the network."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """A rectangle of the frame and the size of the copy that is searched.

    Attributes:
        box: x1, y1, x2, y2 in whole pixels, x1 and y1 even.
        size: (width, height) of the copy.
        frame_size: (width, height) of the frame.
        face_height: for which they were laid out, in pixels of the frame.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]
    frame_size: tuple[int, int]
    face_height: float

    def holds(self, face: FaceBox, margin: float) -> bool:
        """Return whether a face has a margin (of its height) to all sides that are not the frame's."""
        x1, y1, x2, y2 = self.box
        width, height = self.frame_size
        need = margin * face.height
        return (
            (x1 == 0 or face.x1 - x1 >= need)
            and (y1 == 0 or face.y1 - y1 >= need)
            and (x2 == width or x2 - face.x2 >= need)
            and (y2 == height or y2 - face.y2 >= need)
        )

    def suit(self, face: FaceBox) -> bool:
        """Return whether a face can still be looked for here."""
        return (
            self.holds(face, KEPT_MARGIN) and 1 / SIZE_CHANGE < face.height / self.face_height < SIZE_CHANGE
        )

    def in_frame(self, face: FaceBox) -> FaceBox:
        """Return a face found in the copy in pixels of the frame."""
        x1, y1, x2, y2 = self.box
        face = scaled(face, (x2 - x1) / self.size[0], (y2 - y1) / self.size[1])
        points = None if face.landmarks is None else face.landmarks + np.array([x1, y1], np.float32)
        return FaceBox(face.x1 + x1, face.y1 + y1, face.x2 + x1, face.y2 + y1, face.score, points)


def surroundings_of(
    face: FaceBox, frame_size: tuple[int, int], usual_size: tuple[int, int], shrink: float = 1.0
) -> Surroundings:
    """Lay out the surroundings of a face inside a frame.

    Detectors answer a little differently when a face moves by some pixels against their grid of 32. So edges
    lie on the grid of the whole frame, and boxes are then those found there, to a fraction of a pixel.

    Args:
        face: where it is expected.
        frame_size: (width, height) in pixels.
        usual_size: (width, height) at which the whole frame is searched, multiples of 32.
        shrink: by how much smaller the copy is to be, 0...1.
    """
    margin = MARGIN * face.height
    spans = ((face.x1 - margin, face.x2 + margin), (face.y1 - margin, face.y2 + margin))
    edges, sizes = [], []
    for (low, high), length, usual in zip(spans, frame_size, usual_size, strict=True):
        cell = SIZE_MULTIPLE_PX * length / (usual * shrink)  # pixels of the frame
        n_cells = math.ceil(length / cell - 1e-6)
        first = min(max(0, math.floor(low / cell)), n_cells - 1)
        last = max(first + 1, min(n_cells, math.ceil(high / cell)))
        edges.append((2 * round(first * cell / 2), length if last == n_cells else 2 * round(last * cell / 2)))
        sizes.append((last - first) * SIZE_MULTIPLE_PX)
    (x1, x2), (y1, y2) = edges
    return Surroundings((x1, y1, x2, y2), (sizes[0], sizes[1]), frame_size, face.height)


class FaceSearch:
    """Looks for one face in its surroundings.

    Args:
        detector: see `CropFaceDetector`.
    """

    def __init__(self, detector: CropFaceDetector) -> None:
        self._detector = detector
        self._surroundings: Surroundings | None = None

    def near(self, picture: Picture, known: FaceBox) -> FaceBox | None:
        """Return the face that overlaps a known one, looked for in its surroundings; None if unsure."""
        expected = known
        for _ in range(2):  # once more where it proves to be, if it is cut off
            place = self._place(picture, expected)
            view = resized_view(picture, place.box, place.size)
            faces = [place.in_frame(face) for face in self._detector.detect(view)]
            found = max(faces, key=lambda face: iou(face, known), default=None)
            if found is None or found.score < MIN_SCORE or iou(found, known) < SAME_IOU:
                return None
            if place.holds(found, CUT_MARGIN):
                return found
            expected = found
        return None

    def _place(self, picture: Picture, face: FaceBox) -> Surroundings:
        height, width = picture.shape[:2]
        place = self._surroundings
        if place is None or place.frame_size != (width, height) or not place.suit(face):
            usual_size = self._detector.network_size(width, height)
            usual_face_px = max(1.0, face.height * usual_size[1] / height)
            shrink = min(1.0, self._detector.near_face_px / usual_face_px)
            place = self._surroundings = surroundings_of(face, (width, height), usual_size, shrink)
        return place


class StillPicture:
    """Tells whether anything has moved since the picture that was searched last."""

    def __init__(self) -> None:
        self._looks = np.full((0, 0), np.inf, np.float32)  # small grey copy of it

    def is_still(self, picture: Picture) -> bool:
        """Return whether nothing has moved; if something has, ``picture`` counts as searched from now on."""
        looks = small_grey(picture)
        if looks.shape == self._looks.shape and float(np.abs(looks - self._looks).max()) < STILL_LEVELS:
            return True
        self._looks = looks
        return False


class FaceFollower:
    """Keeps to the primary face of a video, from one frame that is looked at to the next.

    Args:
        detector: see `CropFaceDetector`.
        primary: chooses among the faces.
        fps: frames a second.
    """

    def __init__(self, detector: CropFaceDetector, primary: PrimaryFace, fps: float) -> None:
        self._detector, self._primary = detector, primary
        self._whole_every_frames = WHOLE_EVERY_S * fps
        self._since_whole = 0
        self._search = FaceSearch(detector)
        self._still = StillPicture()
        self._seen: list[FaceBox] = []

    def update(self, picture: Picture, n_frames: int, is_new_shot: bool) -> FaceBox | None:
        """Return the primary face of the next frame that is looked at, None if it is missing.

        Args:
            picture: the frame.
            n_frames: frames since the last one.
            is_new_shot: a cut lies between.
        """
        self._since_whole += n_frames
        is_due = self._since_whole >= self._whole_every_frames or self._primary.has_rival
        height, width = picture.shape[:2]
        if self._still.is_still(picture) and not (is_due or is_new_shot):
            return self._primary.update(self._seen, width, height, n_frames, False)
        known = None if is_new_shot or self._primary.is_missing else self._primary.face
        near = None if known is None else self._search.near(picture, known)
        if near is None:
            self._seen = detect_faces(self._detector, picture)
        else:
            self._seen = [near, *(self._others(picture, near) if is_due else ())]
        if near is None or is_due:
            self._since_whole = 0
        face = self._primary.update(self._seen, width, height, n_frames, is_new_shot)
        if face is None or face is near:
            return face
        exact = self._search.near(picture, face) or face
        self._seen = [exact if found is face else found for found in self._seen]
        self._primary.face = exact
        return exact

    def find(self, picture: Picture, expected: FaceBox) -> list[FaceBox]:
        """Return the face that is about where it is expected, or else all faces of the frame."""
        near = self._search.near(picture, expected)
        return detect_faces(self._detector, picture) if near is None else [near]

    def _others(self, picture: Picture, followed: FaceBox) -> list[FaceBox]:
        """Return the other faces of the frame, searched on a small copy."""
        height, width = picture.shape[:2]
        scale = OVERVIEW_FACE_PX / max(followed.height, 1.0)
        usual = self._detector.network_size(width, height)
        size = [
            min(whole, math.ceil(side * scale / SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX)
            for side, whole in zip((width, height), usual, strict=True)
        ]
        view = resized_view(picture, None, (size[0], size[1]))
        faces = [scaled_to(face, view, picture) for face in self._detector.detect(view)]
        return [face for face in faces if iou(face, followed) < SAME_IOU]
