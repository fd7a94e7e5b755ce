"""Where a picture stands still and shows no face: slides, mostly.

The picture is looked at a few times a second. Two looks agree when hardly any cell of a coarse grey copy
changed: a pointer may move, a face (looked for every other second) may not be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lipsync_core.faces import FaceDetector

LOOKS_PER_S = 5
MAX_LINES = 480
"""Height of the copies that are looked at; the face detector needs no more."""
_FACE_EVERY_S = 2.0
_CHANGED_LEVELS = 3.0  # grey levels of a cell's mean: over the noise of codecs
_MAX_CHANGED_SHARE = 0.005  # of the cells: a pointer, not a speaker in a corner
_MIN_STILL_S = 0.5

Frame = npt.NDArray[np.uint8]  # (H, W, 3), BGR
Span = tuple[float, float]  # start_s, end_s


def find_still(
    frames: Iterable[Frame], detector: FaceDetector, progress: Callable[[float], None]
) -> Iterator[Span]:
    """Yield the still stretches without a face.

    Args:
        frames: `LOOKS_PER_S` a second from the start on.
        detector: finds faces.
        progress: told up to which second was looked.
    """
    watcher = _Watcher(detector)
    for number, frame in enumerate(frames):
        yield from watcher.see(number / LOOKS_PER_S, frame)
        progress(number / LOOKS_PER_S)
    yield from watcher.end()


class _Watcher:
    """Follows a run of looks that agree."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._grey: npt.NDArray[np.float32] | None = None
        self._last_s = 0.0
        self._face_looked_s: float | None = None  # None outside a run
        self._free_from_s: float | None = None  # since when no look for a face has found one

    def see(self, time_s: float, frame: Frame) -> Iterator[Span]:
        """Take the next look; yield the stretch that ended before it."""
        from lipsync_core.faces.cuts import small_grey

        grey, before = small_grey(frame), self._grey
        self._grey = grey
        is_same = before is not None and _changed_share(before, grey) <= _MAX_CHANGED_SHARE
        looked_s = self._face_looked_s
        if not is_same:
            yield from self.end()
            self._face_looked_s = None
        elif looked_s is None or time_s - looked_s >= _FACE_EVERY_S:
            if self._detector.detect(frame):
                # It may have come, faded in, at any time since it was looked for.
                yield from self._end_at(looked_s)
            elif self._free_from_s is None:
                self._free_from_s = self._last_s if looked_s is None else time_s
            self._face_looked_s = time_s
        self._last_s = time_s

    def end(self) -> Iterator[Span]:
        """Yield the stretch that ends with the last look, if there is one."""
        yield from self._end_at(self._last_s)

    def _end_at(self, time_s: float | None) -> Iterator[Span]:
        start_s, self._free_from_s = self._free_from_s, None
        if start_s is not None and time_s is not None and time_s - start_s >= _MIN_STILL_S:
            yield start_s, time_s


def _changed_share(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> float:
    """Return the share of cells that changed, 0…1."""
    return float((np.abs(after - before) > _CHANGED_LEVELS).mean())
