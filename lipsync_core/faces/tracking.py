"""Follow one speaking face through a stream of frames.

A chain of small generators, each of which holds a few frames: observe (find cuts, decide on which frames to
look) → follow (one face, boxes for every frame; `lipsync_core.faces.nearby` tells where it is looked for) →
bridge (short gaps) → confirm (drop flickers) → smooth. Together they look ahead by at most about `every` *
3 + gap + smoothing frames, whatever the length of the video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np

from lipsync_core.errors import InvalidInputError
from lipsync_core.faces.centerface import FaceBox, FaceDetector
from lipsync_core.faces.observing import Tracked, follow, interpolate, observe, to_face
from lipsync_core.pictures import Picture

MAX_GAP_S = 0.4  # longer absences are not bridged
SMOOTHING_S = 0.12  # standard deviation of the centred Gaussian
MIN_DETECTIONS = 3  # a face seen less often is a flicker on a slide

PictureT = TypeVar("PictureT", bound=Picture)


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
    appears or vanishes. A detector that is as good on cut-outs (`nearby.CropFaceDetector`) is shown the
    surroundings of the followed face instead of whole frames, and every second, at cuts, and when the face is
    lost, the whole frame. Boxes are smoothed with a centred window that never reaches across a cut or gap.

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
    stream = observe(frames, detector, settings.every)
    stream = follow(stream, detector, fps, MAX_GAP_S)
    stream = _bridge(stream, round(settings.max_gap_s * fps))
    stream = _confirm(stream, (MIN_DETECTIONS - 1) * settings.every + 1)
    if settings.smooth:
        stream = _smooth(stream, SMOOTHING_S * fps)
    for item in stream:
        yield cast(PictureT, item.picture), None if item.box is None else to_face(item.box)


def _bridge(stream: Iterator[Tracked], max_gap: int) -> Iterator[Tracked]:
    """Fill gaps of at most ``max_gap`` frames inside one shot and track by interpolation."""
    before: Tracked | None = None
    gap: list[Tracked] = []
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
            interpolate(before, gap, item)
        yield from gap
        gap = []
        yield item
        before = item
    yield from gap


def _confirm(stream: Iterator[Tracked], min_frames: int) -> Iterator[Tracked]:
    """Drop the boxes of stretches shorter than ``min_frames``, unless they fill their whole shot."""
    held: list[Tracked] = []
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


def _kept_or_cleared(held: list[Tracked], fills_shot: bool) -> Iterator[Tracked]:
    for item in held:
        if not fills_shot:
            item.box, item.track = None, -1
        yield item


def _smooth(stream: Iterator[Tracked], sigma: float) -> Iterator[Tracked]:
    """Average boxes with a centred Gaussian whose window shrinks, still centred, at stretch borders."""
    radius = max(1, round(2 * sigma))
    stretch: deque[Tracked] = deque()  # current stretch: up to `radius` emitted items, then waiting ones
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


def _averaged(stretch: deque[Tracked], i: int, radius: int, sigma: float) -> Tracked:
    reach = min(radius, i, len(stretch) - 1 - i)
    boxes = [stretch[k].box for k in range(i - reach, i + reach + 1)]
    known = [box for box in boxes if box is not None]
    size = min(len(box) for box in known)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    mean = np.average(np.stack([box[:size] for box in known]), axis=0, weights=weights)
    return replace(stretch[i], box=mean)
