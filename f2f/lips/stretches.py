"""Runs of frames with one and the same face, counted frame by frame and joined across parts."""

from __future__ import annotations

from collections.abc import Iterable

from f2f.results import FaceStretch, Result

Box = tuple[float, float, float, float]  # x1, y1, x2, y2, pixels


class OpenStretch(Result):
    """A stretch that may go on before or behind the frames that were looked at."""

    first_frame: int
    n_frames: int
    n_synced: int
    heights_px: float
    """Of all boxes together."""
    first_box: Box
    last_box: Box

    def closed(self) -> FaceStretch:
        """Return the stretch as it is told of."""
        return FaceStretch(
            first_frame=self.first_frame,
            last_frame=self.first_frame + self.n_frames - 1,
            n_synced=self.n_synced,
            mean_box_height_px=round(self.heights_px / self.n_frames, 1),
        )

    def goes_on_in(self, other: OpenStretch) -> bool:
        """Whether ``other`` begins with the next frame and the same face."""
        is_next = other.first_frame == self.first_frame + self.n_frames
        return is_next and _overlap(self.last_box, other.first_box)

    def joined(self, other: OpenStretch) -> OpenStretch:
        """Return this and the one that it goes on in as one."""
        return OpenStretch(
            first_frame=self.first_frame,
            n_frames=self.n_frames + other.n_frames,
            n_synced=self.n_synced + other.n_synced,
            heights_px=self.heights_px + other.heights_px,
            first_box=self.first_box,
            last_box=other.last_box,
        )


class StretchCounter:
    """Joins consecutive frames with the same tracked face."""

    def __init__(self) -> None:
        self._found: list[OpenStretch] = []

    def push(self, index: int, box: Box | None, *, is_synced: bool) -> None:
        """Add frame ``index`` with its face, None where it has none; frames come in order."""
        if box is None:
            return
        frame = OpenStretch(
            first_frame=index, n_frames=1, n_synced=is_synced, heights_px=box[3] - box[1],
            first_box=box, last_box=box,
        )  # fmt: skip
        if self._found and self._found[-1].goes_on_in(frame):
            self._found[-1] = self._found[-1].joined(frame)
        else:
            self._found.append(frame)

    def found(self) -> tuple[OpenStretch, ...]:
        """Return all stretches so far."""
        return tuple(self._found)


def join_stretches(found: Iterable[OpenStretch]) -> tuple[FaceStretch, ...]:
    """Return the stretches of one video from those of its parts, in order."""
    joined: list[OpenStretch] = []
    for stretch in found:
        if joined and joined[-1].goes_on_in(stretch):
            joined[-1] = joined[-1].joined(stretch)
        else:
            joined.append(stretch)
    return tuple(stretch.closed() for stretch in joined)


def _overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a fifth of the smaller one; after a cut they do not."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width > 0 and height > 0 and width * height > smaller / 5
