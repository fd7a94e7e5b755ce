"""Where the one face that is followed is in each frame: detected on some frames, interpolated between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lipsync_core.faces.centerface import BatchFaceDetector, FaceBox, FaceDetector, iou
from lipsync_core.faces.cuts import CutDetector
from lipsync_core.faces.nearby import CropFaceDetector, FaceFollower
from lipsync_core.faces.primary import PrimaryFace
from lipsync_core.faces.views import detect_faces_in_all
from lipsync_core.pictures import Picture

FAST_MOTION = 0.12  # of the box height between two detections: then every frame is detected

Vector = npt.NDArray[np.float64]  # x1, y1, x2, y2, score and, if known, ten landmark coordinates


@dataclass
class Tracked:
    """A frame on its way through the chain.

    Attributes:
        picture: the frame.
        starts_shot: whether a cut lies before it.
        is_wanted: whether faces are to be looked for.
        faces: all that were found by a detector that works in batches; None: not looked for, or not yet.
        box: the followed face.
        track: its number, -1 for none.
    """

    picture: Picture
    starts_shot: bool
    is_wanted: bool = False
    faces: list[FaceBox] | None = None
    box: Vector | None = None
    track: int = -1


def observe(frames: Iterable[Picture], detector: FaceDetector, every: int) -> Iterator[Tracked]:
    """Mark cuts, and the first, the last and every ``every``-th frame of each shot as wanted.

    Detectors that must see whole frames, or that work in batches, look for all faces on these here; others
    wait for `follow`, which knows where to look.
    """
    if isinstance(detector, CropFaceDetector):
        yield from _marked(frames, every)
        return
    batch_size = detector.batch_size if isinstance(detector, BatchFaceDetector) else 1
    waiting: list[Tracked] = []
    wanted: list[Tracked] = []
    for item in _marked(frames, every):
        waiting.append(item)
        if item.is_wanted:
            wanted.append(item)
        if not wanted or len(wanted) == batch_size:
            yield from _detected(waiting, wanted, detector)
            waiting, wanted = [], []
    yield from _detected(waiting, wanted, detector)


def _marked(frames: Iterable[Picture], every: int) -> Iterator[Tracked]:
    cuts = CutDetector()
    held: Tracked | None = None  # one frame back, in case it proves to be the last of its shot
    since_detection = 0
    for frame in frames:
        item = Tracked(frame, starts_shot=cuts.is_cut(frame))
        if held is not None:
            held.is_wanted = held.is_wanted or item.starts_shot
            yield held
        since_detection += 1
        item.is_wanted = item.starts_shot or since_detection >= every
        if item.is_wanted:
            since_detection = 0
        held = item
    if held is not None:
        held.is_wanted = True
        yield held


def _detected(waiting: list[Tracked], wanted: list[Tracked], detector: FaceDetector) -> list[Tracked]:
    """Return ``waiting`` after detection on those ``wanted`` of it."""
    found = detect_faces_in_all(detector, [item.picture for item in wanted])
    for item, faces in zip(wanted, found, strict=True):
        item.faces = faces
    return waiting


def follow(
    stream: Iterator[Tracked], detector: FaceDetector, fps: float, patience_s: float
) -> Iterator[Tracked]:
    """Give each frame the primary face's box: detected, or interpolated between two detections.

    Args:
        stream: from `observe`.
        detector: the same one.
        fps: frames a second.
        patience_s: how long the face may be missing before another one is taken.
    """
    primary = PrimaryFace(patience_s=patience_s, fps=fps)
    follower = FaceFollower(detector, primary, fps) if isinstance(detector, CropFaceDetector) else None
    before: Tracked | None = None
    between: list[Tracked] = []
    was_fast = False  # a fast head may turn around between two detections: look closely once more
    for item in stream:
        if not item.is_wanted:
            between.append(item)
            continue
        n_frames = 1 + len(between)
        if follower is not None:
            face = follower.update(item.picture, n_frames, item.starts_shot)
        else:
            height, width = item.picture.shape[:2]
            face = primary.update(item.faces or [], width, height, n_frames, item.starts_shot)
        item.box, item.track = (None, -1) if face is None else (to_vector(face), primary.track)
        if before is not None:
            is_fast = _needs_refinement(before, item)
            if is_fast or was_fast:
                _refine(before, between, item, detector if follower is None else follower)
            else:
                interpolate(before, between, item)
            was_fast = is_fast
        yield from between
        between = []
        yield item
        before = item
    yield from between


def _refine(
    before: Tracked, between: list[Tracked], after: Tracked, finder: FaceDetector | FaceFollower
) -> None:
    """Detect on the frames between two detections too."""
    if isinstance(finder, FaceFollower):
        found = []
        for number, item in enumerate(between, 1):
            expected = _expected(before, after, number / (len(between) + 1))
            found.append([] if expected is None else finder.find(item.picture, to_face(expected)))
    else:
        found = detect_faces_in_all(finder, [item.picture for item in between])
    for item, faces in zip(between, found, strict=True):
        _assign_nearest(item, faces, before, after)


def _expected(before: Tracked, after: Tracked, share: float) -> Vector | None:
    if before.box is None or after.box is None or before.track != after.track:
        return after.box if before.box is None or (after.box is not None and share > 0.5) else before.box
    return mix(before.box, after.box, share)


def _assign_nearest(item: Tracked, faces: list[FaceBox], before: Tracked, after: Tracked) -> None:
    """Take the detection that overlaps the face before or after most, None if there is none."""
    for anchor in (before, after):
        if anchor.box is not None:
            known = to_face(anchor.box)
            best = max(faces, key=lambda face: iou(face, known), default=None)
            if best is not None and iou(best, known) > 0.2:
                item.box, item.track = to_vector(best), anchor.track
                return


def _needs_refinement(before: Tracked, after: Tracked) -> bool:
    """Return whether straight interpolation between two detections would be wrong."""
    if before.box is None or after.box is None:
        return (before.box is None) != (after.box is None)
    if before.track != after.track:
        return True
    motion = float(np.abs(after.box[:4] - before.box[:4]).max())
    return motion > FAST_MOTION * float(before.box[3] - before.box[1])


def interpolate(before: Tracked, between: list[Tracked], after: Tracked) -> None:
    """Give the frames between two boxes, where both are known, what lies between these."""
    if before.box is None or after.box is None:
        return
    for i, item in enumerate(between, 1):
        item.box = mix(before.box, after.box, i / (len(between) + 1))
        item.track = before.track


def mix(a: Vector, b: Vector, share: float) -> Vector:
    """Return (1 - share) a + share b of what both hold."""
    size = min(len(a), len(b))
    return (1 - share) * a[:size] + share * b[:size]


def to_vector(face: FaceBox) -> Vector:
    """Return a face as a `Vector`."""
    head = np.array([*face.box, face.score])
    return head if face.landmarks is None else np.concatenate([head, face.landmarks.ravel()])


def to_face(vector: Vector) -> FaceBox:
    """Return the face that a `Vector` stands for."""
    x1, y1, x2, y2, score = (float(v) for v in vector[:5])
    landmarks = vector[5:].reshape(5, 2).astype(np.float32) if len(vector) == 15 else None
    return FaceBox(x1, y1, x2, y2, score, landmarks)
