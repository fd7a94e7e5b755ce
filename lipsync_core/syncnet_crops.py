"""Cuts what SyncNet sees out of a stream of frames: the whole picture, or every tracked face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lipsync_core.faces.centerface import FaceBox, FaceDetector, iou
from lipsync_core.faces.cuts import CutDetector
from lipsync_core.faces.geometry import (
    SYNCNET_BORDER_VALUE,
    SYNCNET_FACE_SIZE_PX,
    FrameArray,
    crop_resized,
    syncnet_box,
)
from lipsync_core.faces.several import FacesFinder

FPS = 25  # SyncNet's frame rate
DETECT_EVERY_FRAMES = 3  # boxes in between are interpolated
MAX_GAP_FRAMES = 25  # a face may be unseen for a second (syncnet_python's num_failed_det)
MIN_IOU = 0.4  # syncnet_python asks 0.5, but of neighbouring frames
MEDIAN_FRAMES = 13  # length of the median filter over a box's centre and size
_HALF_MEDIAN = MEDIAN_FRAMES // 2


@dataclass(frozen=True)
class Crop:
    """One picture for SyncNet, or the news that a track has ended.

    Attributes:
        track: number of the face track, from 0.
        frame_index: frame of the video; those of one track follow each other without gaps.
        image_bgr: (224, 224, 3) uint8, or None when the track ended before ``frame_index``.
    """

    track: int
    frame_index: int
    image_bgr: FrameArray | None


def whole_frame_crops(frames_bgr: Iterable[FrameArray]) -> Iterator[Crop]:
    """Yield every frame squeezed to 224x224 as one track (``calculate_scores_LRS``)."""
    import cv2

    side = (SYNCNET_FACE_SIZE_PX, SYNCNET_FACE_SIZE_PX)
    for index, frame in enumerate(frames_bgr):
        yield Crop(0, index, np.asarray(cv2.resize(frame, side, interpolation=cv2.INTER_LINEAR), np.uint8))


def tracked_crops(
    frames_bgr: Iterable[FrameArray], detector: FaceDetector, *, detect_every: int = DETECT_EVERY_FRAMES
) -> Iterator[Crop]:
    """Follow every face through a stream and yield its crops (``run_pipeline`` of syncnet_python).

    Tracks end at cuts and after 25 frames unseen; boxes between detections are interpolated, then centre
    and size pass a median of 13. Held are only frames for which some box is not final yet: about ten, at
    most 35. Differences from the original: CenterFace on every third frame, not S3FD on every frame, and
    mostly where the faces were (`lipsync_core.faces.several`); own cut detection; the median shortens at a
    track's ends where the original pads with zeros.

    Args:
        frames_bgr: (H, W, 3) BGR at 25 frames a second, all of one size.
        detector: finds the faces.
        detect_every: detect on every n-th frame of a shot.
    """
    follower = _Follower(detect_every)
    finder = FacesFinder(detector, FPS)
    cuts = CutDetector()
    held: dict[int, FrameArray] = {}
    next_detection = 0
    index = -1
    for index, frame in enumerate(frames_bgr):
        is_new_shot = cuts.is_cut(frame)
        if is_new_shot:
            follower.end_all(index)
            yield from follower.emit(held)
            next_detection = index
        held[index] = frame
        if index == next_detection:
            faces = finder.find(frame, follower.faces, detect_every, is_new_shot=is_new_shot)
            follower.observe(index, faces)
            next_detection = index + detect_every
        yield from follower.emit(held)
        for old in [i for i in held if i < follower.oldest_needed(index + 1)]:
            del held[old]
    follower.end_all(index + 1)
    yield from follower.emit(held)


class _Track:
    """Boxes of one face, frame by frame, as rows of half size, centre x, centre y."""

    def __init__(self, number: int, index: int, face: FaceBox) -> None:
        self.number = number
        self.face = face
        self.first = index  # frame of rows[0]; rows no longer needed are dropped
        self.rows = [_row(face)]
        self.next_emitted = index
        self.has_ended = False

    @property
    def last_seen(self) -> int:
        return self.first + len(self.rows) - 1

    def extend(self, index: int, face: FaceBox) -> None:
        """Add a detection and interpolate the frames before it."""
        start, end, steps = self.rows[-1], _row(face), index - self.last_seen
        self.rows += [start + (end - start) * (k / steps) for k in range(1, steps + 1)]
        self.face = face

    def end(self, index: int, hold_frames: int) -> None:
        """End before frame ``index``; the last box holds for frames between detections."""
        missing = index - 1 - self.last_seen
        if 0 < missing <= hold_frames:
            self.rows += [self.rows[-1]] * missing
        self.has_ended = True

    @property
    def ready_end(self) -> int:
        """Frame before which smoothed boxes are final."""
        return self.last_seen + 1 - (0 if self.has_ended else _HALF_MEDIAN)

    def smoothed_box(self, index: int) -> tuple[float, float, float, float]:
        at = index - self.first
        half, mid_x, mid_y = np.median(self.rows[max(0, at - _HALF_MEDIAN) : at + _HALF_MEDIAN + 1], axis=0)
        return float(mid_x - half), float(mid_y - half), float(mid_x + half), float(mid_y + half)

    def forget(self) -> None:
        surplus = self.next_emitted - _HALF_MEDIAN - self.first
        if surplus > MEDIAN_FRAMES:
            del self.rows[:surplus]
            self.first += surplus


class _Follower:
    """The open tracks of a video."""

    def __init__(self, detect_every: int) -> None:
        self._hold_frames = detect_every - 1
        self._tracks: list[_Track] = []
        self._n_tracks = 0

    @property
    def faces(self) -> dict[int, FaceBox]:
        """The face of every open track, as it was last seen."""
        return {track.number: track.face for track in self._tracks}

    def observe(self, index: int, faces: list[FaceBox]) -> None:
        """Join detections to tracks, best overlap first; the rest open new tracks."""
        pairs = [(iou(t.face, f), t, f) for t in self._tracks for f in faces]
        free = list(faces)
        matched: set[int] = set()
        for overlap, track, face in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= MIN_IOU and track.number not in matched and any(face is f for f in free):
                track.extend(index, face)
                matched.add(track.number)
                free = [f for f in free if f is not face]
        for track in self._tracks:
            if index - track.last_seen > MAX_GAP_FRAMES:
                track.end(index, 0)
        for face in free:
            self._tracks.append(_Track(self._n_tracks, index, face))
            self._n_tracks += 1

    def end_all(self, index: int) -> None:
        """End every track before frame ``index``."""
        for track in self._tracks:
            track.end(index, self._hold_frames)

    def emit(self, held: dict[int, FrameArray]) -> Iterator[Crop]:
        """Yield the crops that have become final, and forget tracks that are done."""
        for track in self._tracks:
            for index in range(track.next_emitted, track.ready_end):
                yield Crop(track.number, index, _crop(held[index], track.smoothed_box(index)))
            track.next_emitted = max(track.next_emitted, track.ready_end)
            track.forget()
            if track.has_ended:
                yield Crop(track.number, track.next_emitted, None)
        self._tracks = [track for track in self._tracks if not track.has_ended]

    def oldest_needed(self, otherwise: int) -> int:
        """Return the first frame that some track has not been cut out of yet."""
        return min((track.next_emitted for track in self._tracks), default=otherwise)


def _row(face: FaceBox) -> npt.NDArray[np.float64]:
    half = max(face.x2 - face.x1, face.y2 - face.y1) / 2
    return np.array([half, (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2])


def _crop(frame: FrameArray, box: tuple[float, float, float, float]) -> FrameArray:
    return crop_resized(frame, syncnet_box(box), SYNCNET_FACE_SIZE_PX, SYNCNET_BORDER_VALUE)
