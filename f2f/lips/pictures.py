"""The frames of a video, part by part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np

from f2f.lips.job import LipJob, Part

if TYPE_CHECKING:
    from lipsync_core.pictures import Picture


class Pictures:
    """The frames of a video from any part on; what comes in order is decoded once.

    Args:
        job: what is made of the video.
        progress: told how many frames are behind while frames are passed over.
    """

    def __init__(self, job: LipJob, progress: Callable[[int], None]) -> None:
        self._job, self._progress = job, progress
        self._reader: Generator[Picture, None, None] | None = None
        self._at = 0
        self._last: Picture | None = None

    def reach(self, part: Part) -> str | None:
        """Go to the first frame of a part; return the fingerprint of the frame before it."""
        if self._reader is None or self._at > part.first or part.seek > self._at:
            self._open(part.seek)
        while self._at < part.first and self._next() is not None:
            self._progress(self._at)
        return self.fingerprint()

    def take(self, part: Part) -> Iterator[Picture]:
        """Yield the frames of a part; fewer where the video ends before."""
        while self._at < part.stop and (picture := self._next()) is not None:
            yield picture

    def fingerprint(self) -> str | None:
        """Return a hash of the frame that was decoded last."""
        if self._last is None:
            return None
        last = self._last
        digest = hashlib.sha256()
        for plane in [last] if isinstance(last, np.ndarray) else [last.y, last.u, last.v]:
            digest.update(plane.tobytes())
        return digest.hexdigest()[:32]

    def close(self) -> None:
        """End the decoder; the next part begins it anew."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._last = None, None

    def _open(self, first: int) -> None:
        from lipsync_core.media import queue_length, read_ahead, read_pictures

        self.close()
        job = self._job
        pictures = read_pictures(job.source, fps=job.rate, first_frame=first)
        self._reader, self._at = read_ahead(pictures, queue_length(job.width, job.height)), first

    def _next(self) -> Picture | None:
        assert self._reader is not None
        picture = next(self._reader, None)
        if picture is not None:
            self._last = picture
            self._at += 1
        return picture
