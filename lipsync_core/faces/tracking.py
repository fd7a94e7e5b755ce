"""Follow one speaking face through a stream of frames.

A chain of small generators, each of which holds a few frames: observe (detect on some frames, find cuts) →
choose (one face, boxes for every frame) → bridge (short gaps) → confirm (drop flickers) → smooth. Together
they look ahead by at most about `every` * 3 + gap + smoothing frames, whatever the length of the video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.centerface import BatchFaceDetector, FaceBox, FaceDetector, iou
from lipsync_core.faces.cuts import CutDetector
from lipsync_core.faces.primary import PrimaryFace
from lipsync_core.faces.views import detect_faces_in_all
from lipsync_core.pictures import Picture

MAX_GAP_S = 0.4  # longer absences are not bridged
SMOOTHING_S = 0.12  # standard deviation of the centred Gaussian
MIN_DETECTIONS = 3  # a face seen less often is a flicker on a slide
FAST_MOTION = 0.12  # of the box height between two detections: then every frame is detected

PictureT = TypeVar("PictureT", bound=Picture)
Vector = npt.NDArray[np.float64]  # x1, y1, x2, y2, score and, if known, ten landmark coordinates


@dataclass
class _Tracked:
    """A frame on its way through the chain."""

    picture: Picture
    starts_shot: bool
    faces: list[FaceBox] | None = None  # None: not detected on
    box: Vector | None = None
    track: int = -1


@dataclass(frozen=True)
class TrackingOptions:
    """How finely a face is followed.

    Attributes:
        every: detection interval in frames; between, boxes are interpolated.
        max_gap_s: absences up to this long are bridged.
        smooth: centred smoothing of the boxes (off: the raw, interpolated boxes).
    """

    every: int = 5
    max_gap_s: float = MAX_GAP_S
    smooth: bool = True


def track_faces(
    frames: Iterable[PictureT],
    detector: FaceDetector,
    *,
    fps: float = 25.0,
    options: TrackingOptions | None = None,
) -> Iterator[tuple[PictureT, FaceBox | None]]:
    """Yield every frame with the box of the one primary face, None where it is not there.

    The primary face is the most prominent (large, central, sure) and stays so until a cut, its absence,
    or another face that is clearly more prominent for a second. Detection runs on every
    `TrackingOptions.every`-th frame, at both sides of cuts, and on all frames while the face moves fast,
    appears or vanishes. Boxes are smoothed with a centred window that never reaches across a cut or gap.

    Args:
        frames: (H, W, 3) uint8 BGR or planar, all of one size; passed through unchanged.
        detector: see `FaceDetector`.
        fps: frames a second, which turns the time constants into frames.
        options: see `TrackingOptions`.

    Raises:
        InvalidInputError: ``every`` is under 1 or ``fps`` not positive.
    """
    settings = options or TrackingOptions()
    if settings.every < 1 or not fps > 0:
        raise InvalidInputError(f"every is {settings.every} and fps {fps}; needed are 1 or more and above 0")
    stream = _observe(frames, detector, settings.every)
    stream = _choose(stream, detector, fps)
    stream = _bridge(stream, round(settings.max_gap_s * fps))
    stream = _confirm(stream, (MIN_DETECTIONS - 1) * settings.every + 1)
    if settings.smooth:
        stream = _smooth(stream, SMOOTHING_S * fps)
    for item in stream:
        yield cast(PictureT, item.picture), None if item.box is None else _face(item.box)


def _observe(frames: Iterable[Picture], detector: FaceDetector, every: int) -> Iterator[_Tracked]:
    """Mark cuts, and detect on the first, the last and every ``every``-th frame of each shot."""
    batch_size = detector.batch_size if isinstance(detector, BatchFaceDetector) else 1
    waiting: list[_Tracked] = []
    wanted: list[_Tracked] = []
    for item, is_wanted in _marked(frames, every):
        waiting.append(item)
        if is_wanted:
            wanted.append(item)
        if not wanted or len(wanted) == batch_size:
            yield from _detected(waiting, wanted, detector)
            waiting, wanted = [], []
    yield from _detected(waiting, wanted, detector)


def _marked(frames: Iterable[Picture], every: int) -> Iterator[tuple[_Tracked, bool]]:
    """Yield every frame and whether it is to be detected on."""
    cuts = CutDetector()
    held: tuple[_Tracked, bool] | None = None  # one frame back, in case it proves to be the last of its shot
    since_detection = 0
    for frame in frames:
        item = _Tracked(frame, starts_shot=cuts.is_cut(frame))
        if held is not None:
            yield held[0], held[1] or item.starts_shot
        since_detection += 1
        is_wanted = item.starts_shot or since_detection >= every
        if is_wanted:
            since_detection = 0
        held = (item, is_wanted)
    if held is not None:
        yield held[0], True


def _detected(waiting: list[_Tracked], wanted: list[_Tracked], detector: FaceDetector) -> list[_Tracked]:
    """Return ``waiting`` after detection on those ``wanted`` of it."""
    found = detect_faces_in_all(detector, [item.picture for item in wanted])
    for item, faces in zip(wanted, found, strict=True):
        item.faces = faces
    return waiting


def _choose(stream: Iterator[_Tracked], detector: FaceDetector, fps: float) -> Iterator[_Tracked]:
    """Give each frame the primary face's box: detected, or interpolated between two detections."""
    primary = PrimaryFace(patience_s=MAX_GAP_S, fps=fps)
    before: _Tracked | None = None
    between: list[_Tracked] = []
    was_fast = False  # a fast head may turn around between two detections: look closely once more
    for item in stream:
        if item.faces is None:
            between.append(item)
            continue
        _assign(item, primary, item.faces, 1 + len(between))
        if before is not None:
            is_fast = _needs_refinement(before, item)
            if is_fast or was_fast:
                found = detect_faces_in_all(detector, [middle.picture for middle in between])
                for middle, faces in zip(between, found, strict=True):
                    _assign_nearest(middle, faces, before, item)
            else:
                _interpolate(before, between, item)
            was_fast = is_fast
        yield from between
        between = []
        yield item
        before = item
    yield from between


def _assign(item: _Tracked, primary: PrimaryFace, faces: list[FaceBox], n_frames: int) -> None:
    height, width = item.picture.shape[:2]
    face = primary.update(faces, width, height, n_frames, item.starts_shot)
    item.box, item.track = (None, -1) if face is None else (_vector(face), primary.track)


def _assign_nearest(item: _Tracked, faces: list[FaceBox], before: _Tracked, after: _Tracked) -> None:
    """Take the detection that overlaps the face before or after most, None if there is none."""
    for anchor in (before, after):
        if anchor.box is not None:
            known = _face(anchor.box)
            best = max(faces, key=lambda face: iou(face, known), default=None)
            if best is not None and iou(best, known) > 0.2:
                item.box, item.track = _vector(best), anchor.track
                return


def _needs_refinement(before: _Tracked, after: _Tracked) -> bool:
    """Return whether straight interpolation between two detections would be wrong."""
    if before.box is None or after.box is None:
        return (before.box is None) != (after.box is None)
    if before.track != after.track:
        return True
    motion = float(np.abs(after.box[:4] - before.box[:4]).max())
    return motion > FAST_MOTION * float(before.box[3] - before.box[1])


def _interpolate(before: _Tracked, between: list[_Tracked], after: _Tracked) -> None:
    if before.box is None or after.box is None:
        return
    for i, item in enumerate(between, 1):
        share = i / (len(between) + 1)
        item.box = _mix(before.box, after.box, share)
        item.track = before.track


def _bridge(stream: Iterator[_Tracked], max_gap: int) -> Iterator[_Tracked]:
    """Fill gaps of at most ``max_gap`` frames inside one shot and track by interpolation."""
    before: _Tracked | None = None
    gap: list[_Tracked] = []
    for item in stream:
        if item.starts_shot or len(gap) > max_gap:
            yield from gap
            gap, before = [], None
        if item.box is None:
            if before is None:
                yield item
            else:
                gap.append(item)
            continue
        if gap and before is not None and before.track == item.track:
            _interpolate(before, gap, item)
        yield from gap
        gap = []
        yield item
        before = item
    yield from gap


def _confirm(stream: Iterator[_Tracked], min_frames: int) -> Iterator[_Tracked]:
    """Drop the boxes of stretches shorter than ``min_frames``, unless they fill their whole shot."""
    held: list[_Tracked] = []
    confirmed = False
    for item in stream:
        ends_stretch = item.starts_shot or item.box is None or (held and item.track != held[-1].track)
        if held and ends_stretch:
            yield from _kept_or_cleared(held, fills_shot=held[0].starts_shot and item.starts_shot)
            held = []
        if item.box is None or ends_stretch:
            confirmed = False
        if item.box is None or confirmed:
            yield item
            continue
        held.append(item)
        if len(held) >= min_frames:
            yield from held
            held, confirmed = [], True
    yield from _kept_or_cleared(held, fills_shot=bool(held) and held[0].starts_shot)


def _kept_or_cleared(held: list[_Tracked], fills_shot: bool) -> Iterator[_Tracked]:
    for item in held:
        if not fills_shot:
            item.box, item.track = None, -1
        yield item


def _smooth(stream: Iterator[_Tracked], sigma: float) -> Iterator[_Tracked]:
    """Average boxes with a centred Gaussian whose window shrinks, still centred, at stretch borders."""
    radius = max(1, round(2 * sigma))
    stretch: deque[_Tracked] = deque()  # current stretch: up to `radius` emitted items, then waiting ones
    emitted = 0
    for item in stream:
        breaks = item.starts_shot or item.box is None or (stretch and stretch[-1].track != item.track)
        if stretch and breaks:
            yield from (_averaged(stretch, i, radius, sigma) for i in range(emitted, len(stretch)))
            stretch.clear()
            emitted = 0
        if item.box is None:
            yield item
            continue
        stretch.append(item)
        if len(stretch) - emitted > radius:
            yield _averaged(stretch, emitted, radius, sigma)
            emitted += 1
            if emitted > radius:
                stretch.popleft()
                emitted -= 1
    yield from (_averaged(stretch, i, radius, sigma) for i in range(emitted, len(stretch)))


def _averaged(stretch: deque[_Tracked], i: int, radius: int, sigma: float) -> _Tracked:
    reach = min(radius, i, len(stretch) - 1 - i)
    boxes = [stretch[k].box for k in range(i - reach, i + reach + 1)]
    known = [box for box in boxes if box is not None]
    size = min(len(box) for box in known)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    mean = np.average(np.stack([box[:size] for box in known]), axis=0, weights=weights)
    return replace(stretch[i], box=mean)


def _mix(a: Vector, b: Vector, share: float) -> Vector:
    size = min(len(a), len(b))
    return (1 - share) * a[:size] + share * b[:size]


def _vector(face: FaceBox) -> Vector:
    head = np.array([*face.box, face.score])
    return head if face.landmarks is None else np.concatenate([head, face.landmarks.ravel()])


def _face(vector: Vector) -> FaceBox:
    x1, y1, x2, y2, score = (float(v) for v in vector[:5])
    landmarks = vector[5:].reshape(5, 2).astype(np.float32) if len(vector) == 15 else None
    return FaceBox(x1, y1, x2, y2, score, landmarks)
