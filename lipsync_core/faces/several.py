"""Look for all followed faces of a video where they were, and in the whole frame now and then.

As `lipsync_core.faces.nearby` does for one face, whose measurements hold here too: the whole frame is
searched, at full size, every second, after a cut, and whenever a followed face is not found in its
surroundings. A person who comes in is so seen within a second.
"""

from __future__ import annotations

from collections.abc import Mapping

from lipsync_core.faces.centerface import FaceBox, FaceDetector, iou
from lipsync_core.faces.nearby import SAME_IOU, WHOLE_EVERY_S, CropFaceDetector, FaceSearch, StillPicture
from lipsync_core.faces.views import detect_faces
from lipsync_core.pictures import Picture

MAX_NEARBY = 4  # more surroundings than this cost as much as the whole frame


class FacesFinder:
    """Finds the faces of one frame after another, knowing where they were.

    Args:
        detector: one that is no `CropFaceDetector` is shown every frame whole.
        fps: frames a second.
    """

    def __init__(self, detector: FaceDetector, fps: float) -> None:
        self._detector = detector
        self._whole_every_frames = WHOLE_EVERY_S * fps
        self._since_whole = 0
        self._searches: dict[int, FaceSearch] = {}
        self._still = StillPicture()
        self._seen: list[FaceBox] = []

    def find(
        self, picture: Picture, followed: Mapping[int, FaceBox], n_frames: int, *, is_new_shot: bool
    ) -> list[FaceBox]:
        """Return the faces of the next frame that is looked at.

        Args:
            picture: the frame.
            followed: faces by the number of their track, where they were last seen.
            n_frames: frames since the last one that was looked at.
            is_new_shot: a cut lies between.
        """
        detector = self._detector
        if not isinstance(detector, CropFaceDetector):
            return detect_faces(detector, picture)
        self._since_whole += n_frames
        is_still = self._still.is_still(picture)
        if is_new_shot or self._since_whole >= self._whole_every_frames:
            self._seen = self._find_in_whole(detector, picture, followed)
        elif not is_still:
            self._seen = self._find_nearby(detector, picture, followed) or self._find_in_whole(
                detector, picture, followed
            )
        return self._seen

    def _find_nearby(
        self, detector: CropFaceDetector, picture: Picture, followed: Mapping[int, FaceBox]
    ) -> list[FaceBox]:
        """Return all followed faces, or none if one of them is missing."""
        if len(followed) > MAX_NEARBY:
            return []
        found: list[FaceBox] = []
        for track, known in followed.items():
            face = self._searches.setdefault(track, FaceSearch(detector)).near(picture, known)
            if face is None or any(iou(face, other) >= SAME_IOU for other in found):
                return []
            found.append(face)
        return found

    def _find_in_whole(
        self, detector: CropFaceDetector, picture: Picture, followed: Mapping[int, FaceBox]
    ) -> list[FaceBox]:
        """Return the faces of the whole frame; boxes of followed ones come from their surroundings."""
        self._since_whole = 0
        self._searches = {track: search for track, search in self._searches.items() if track in followed}
        faces = detect_faces(detector, picture)
        if len(followed) > MAX_NEARBY:
            return faces
        exact: list[FaceBox] = []
        for face in faces:
            track = max(followed, key=lambda number: iou(followed[number], face), default=None)
            near = None
            if track is not None and iou(followed[track], face) >= SAME_IOU:
                near = self._searches.setdefault(track, FaceSearch(detector)).near(picture, face)
            exact.append(face if near is None else near)
        return exact
