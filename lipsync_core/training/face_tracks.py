"""Follows every face of a video, shot by shot, and says where each is in every frame.

As inference does for its one face (`lipsync_core.faces.tracking`): detection on every fifth frame and at both
ends of a shot, interpolation between, detection on all frames while a face moves fast, boxes averaged with a
centred Gaussian, so that training sees faces framed as inference will frame them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lipsync_core.faces.centerface import FaceBox, FaceDetector, iou
from lipsync_core.faces.cuts import CutDetector
from lipsync_core.faces.geometry import Box, FrameArray

DETECT_EVERY_FRAMES = 5
MAX_GAP_FRAMES = 10  # longer absences end a track
MIN_IOU = 0.3  # of a face in two detections
FAST_MOTION = 0.12  # of the box height between two detections: then frames between are detected on too
SMOOTHING_FRAMES = 3.0  # standard deviation; 0.12 s
_RADIUS = 6  # frames to either side that smoothing looks at

Row = npt.NDArray[np.float64]  # x1, y1, x2, y2


@dataclass(frozen=True)
class TrackedFace:
    """Where one face is in one frame, or the news that its track has ended.

    Attributes:
        track: number of the track, from 0 in the order of their starts.
        frame_index: frame of the video; those of one track follow each other without gaps.
        frame_bgr: (H, W, 3), None when the track ended before ``frame_index``.
        box: x1, y1, x2, y2 in pixels, smoothed.
    """

    track: int
    frame_index: int
    frame_bgr: FrameArray | None = None
    box: Box = (0.0, 0.0, 0.0, 0.0)


def follow_faces(frames_bgr: Iterable[FrameArray], detector: FaceDetector) -> Iterator[TrackedFace]:
    """Yield every tracked face of every frame; the faces of one track in order.

    Tracks end at cuts and after 10 frames unseen. About a dozen frames are held, at most 21.

    Args:
        frames_bgr: (H, W, 3), all of one size.
        detector: finds the faces.
    """
    shot = _Shot(detector, first_track=0)
    cuts = CutDetector()
    index = -1
    for index, frame in enumerate(frames_bgr):
        if cuts.is_cut(frame) and index:
            yield from shot.finish()
            shot = _Shot(detector, shot.next_track)
        shot.push(index, frame)
        yield from shot.ready()
    if index >= 0:
        yield from shot.finish()


class _Track:
    """The boxes of one face from its first frame on; those no longer needed are dropped."""

    def __init__(self, number: int, index: int, box: Row) -> None:
        self.number = number
        self.first = index  # frame of rows[0]
        self.rows = [box]
        self.next_frame = index  # first frame not handed out
        self.has_ended = False

    @property
    def last_seen(self) -> int:
        return self.first + len(self.rows) - 1

    @property
    def ready_end(self) -> int:
        """Frame before which smoothed boxes are final."""
        return self.last_seen + 1 - (0 if self.has_ended else _RADIUS)

    def smoothed(self, index: int) -> Box:
        at = index - self.first
        reach = min(_RADIUS, at, len(self.rows) - 1 - at)  # stays centred at the ends
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING_FRAMES) ** 2)
        x1, y1, x2, y2 = np.average(self.rows[at - reach : at + reach + 1], axis=0, weights=weights)
        return float(x1), float(y1), float(x2), float(y2)

    def forget(self) -> None:
        surplus = self.next_frame - _RADIUS - self.first
        if surplus > 0:
            del self.rows[:surplus]
            self.first += surplus


class _Shot:
    """The tracks between two cuts, and the frames that are still needed."""

    def __init__(self, detector: FaceDetector, first_track: int) -> None:
        self._detector = detector
        self.next_track = first_track
        self._tracks: list[_Track] = []
        self._held: dict[int, FrameArray] = {}
        self._detected = -1  # last frame detected on

    def push(self, index: int, frame_bgr: FrameArray) -> None:
        """Take the next frame."""
        is_first = not self._held and self._detected < 0
        self._held[index] = frame_bgr
        if is_first or index - self._detected >= DETECT_EVERY_FRAMES:
            self._detect(index)

    def finish(self) -> Iterator[TrackedFace]:
        """End all tracks at the last frame pushed, on which faces are looked for too."""
        last = max(self._held, default=self._detected)
        if last != self._detected:
            self._detect(last)
        for track in self._tracks:
            track.has_ended = True
        yield from self.ready()

    def ready(self) -> Iterator[TrackedFace]:
        """Yield the boxes that have become final, and forget what is done."""
        for track in self._tracks:
            for index in range(track.next_frame, track.ready_end):
                yield TrackedFace(track.number, index, self._held[index], track.smoothed(index))
            track.next_frame = max(track.next_frame, track.ready_end)
            if track.has_ended:
                yield TrackedFace(track.number, track.next_frame)
            track.forget()
        self._tracks = [track for track in self._tracks if not track.has_ended]
        # Frames after the last detection may still be detected on or lie in a track that goes on.
        oldest = min((t.next_frame for t in self._tracks), default=self._detected + 1)
        for old in [i for i in self._held if i < oldest]:
            del self._held[old]

    def _detect(self, index: int) -> None:
        """Join the faces of a frame to tracks, best overlap first; the rest open new tracks."""
        faces = [np.array(face.box) for face in self._detector.detect(self._held[index])]
        pairs = [(_overlap(t.rows[-1], face), t, k) for t in self._tracks for k, face in enumerate(faces)]
        taken: set[int] = set()
        continued: list[tuple[_Track, Row]] = []
        for overlap, track, k in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= MIN_IOU and k not in taken and all(track is not t for t, _ in continued):
                taken.add(k)
                continued.append((track, faces[k]))
        self._extend(continued, index)
        for track in self._tracks:
            track.has_ended = index - track.last_seen > MAX_GAP_FRAMES
        for face in (f for k, f in enumerate(faces) if k not in taken):
            self._tracks.append(_Track(self.next_track, index, face))
            self.next_track += 1
        self._detected = index

    def _extend(self, continued: list[tuple[_Track, Row]], index: int) -> None:
        """Fill the frames between two detections, looking again where a face moved fast."""
        looked_at: dict[int, list[FaceBox]] = {}
        for track, end in continued:
            first, start = track.last_seen + 1, track.rows[-1]
            is_fast = np.abs(end - start).max() > FAST_MOTION * (start[3] - start[1])
            for between in range(first, index):
                share = (between - first + 1) / (index - first + 1)
                box = start + (end - start) * share
                if is_fast:
                    if between not in looked_at:
                        looked_at[between] = self._detector.detect(self._held[between])
                    box = _nearest(looked_at[between], box)
                track.rows.append(box)
            track.rows.append(end)


def _nearest(faces: list[FaceBox], expected: Row) -> Row:
    """Return the face that overlaps the expected box most, or that box where none does."""
    found = max((np.array(f.box) for f in faces), key=lambda box: _overlap(box, expected), default=expected)
    return found if _overlap(found, expected) >= MIN_IOU else expected


def _overlap(a: Row, b: Row) -> float:
    return iou(FaceBox(a[0], a[1], a[2], a[3], 1.0), FaceBox(b[0], b[1], b[2], b[3], 1.0))
