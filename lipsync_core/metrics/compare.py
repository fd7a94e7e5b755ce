"""Compares a video with the true one, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lipsync_core.errors import MediaError
from lipsync_core.faces import CenterFace, FaceBox, generator_box, track_faces
from lipsync_core.faces.geometry import Box, FrameArray
from lipsync_core.media import VideoStream, probe_media, read_frames
from lipsync_core.metrics.face_sets import FEATURES_EVERY_FRAMES, FaceSets, face_crops
from lipsync_core.metrics.full_reference import (
    SSIM_LEAST_PX,
    Series,
    plain_number,
    plain_series,
    psnr_db,
    ssim,
)
from lipsync_core.metrics.landmarks import Points, landmark_distance

FindMouth = Callable[[FrameArray, Box], "Points | None"]


@dataclass(frozen=True)
class Comparison:
    """A video against the true one.

    Attributes:
        reference: file of the true video.
        n_frames: frames compared.
        psnr_db: of whole frames.
        ssim: of whole frames.
        face_psnr_db: of the rectangle that generators redraw, in frames where the true video shows a face.
        face_ssim: of that rectangle.
        lmd_px: landmark distance of the mouth in pixels of the true video; None when not measured.
        notices: what a person should know, one sentence each.
    """

    reference: str
    n_frames: int
    psnr_db: Series
    ssim: Series
    face_psnr_db: Series
    face_ssim: Series
    lmd_px: Series | None
    notices: tuple[str, ...] = ()

    def means(self) -> dict[str, float | None]:
        """Return the mean of each metric."""
        return {
            "psnr_db": self.psnr_db.mean,
            "ssim": self.ssim.mean,
            "face_psnr_db": self.face_psnr_db.mean,
            "face_ssim": self.face_ssim.mean,
            "lmd_px": self.lmd_px.mean if self.lmd_px else None,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts and lists for JSON."""
        series = {
            "psnr_db": self.psnr_db,
            "ssim": self.ssim,
            "face_psnr_db": self.face_psnr_db,
            "face_ssim": self.face_ssim,
            "lmd_px": self.lmd_px,
        }
        return {
            "reference": self.reference,
            "n_frames": self.n_frames,
            "n_identical_frames": self.psnr_db.n_infinite,
            "mean": {name: plain_number(value) for name, value in self.means().items()},
            "frames": {name: plain_series(s.values) for name, s in series.items() if s is not None},
            "notices": list(self.notices),
        }


@dataclass
class _Values:
    psnr_db: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    face_psnr_db: list[float] = field(default_factory=list)
    face_ssim: list[float] = field(default_factory=list)
    lmd_px: list[float] = field(default_factory=list)


def compare_videos(
    video: Path,
    reference: Path,
    faces: FaceSets | None = None,
    find_mouth: FindMouth | None = None,
) -> Comparison:
    """Compare a video with the true one at the true one's size and frame rate, as far as both last.

    One pass over both; memory does not grow with their length. Faces are looked for in the true video only,
    and the same rectangle is compared in both.

    Args:
        video: what is judged.
        reference: what it should look like.
        faces: takes the features of every fifth frame's faces.
        find_mouth: finds the landmarks of a mouth, see `lipsync_core.metrics.landmarks`.

    Raises:
        MediaError: a file without decodable picture.
        MissingModelError: scikit-image is not installed.
    """
    judged, true = _video_of(video), _video_of(reference)
    size = (true.width, true.height)
    pictures = read_frames(video, fps=true.fps, size=size)
    tracked = track_faces(read_frames(reference, fps=true.fps), CenterFace(), fps=float(true.fps))
    values = _Values()
    for index, (true_frame, face) in enumerate(tracked):
        frame = next(pictures, None)
        if frame is None:
            break
        _measure(frame, true_frame, face, values, find_mouth)
        if faces is not None and face is not None and index % FEATURES_EVERY_FRAMES == 0:
            faces.push(*face_crops(true_frame, frame, face.box, faces.features.face_size_px))
    pictures.close()
    n_frames = len(values.psnr_db)
    notices = list(_size_notices(judged, true)) + list(_length_notices(video, reference, n_frames, true.fps))
    return Comparison(
        str(reference),
        n_frames,
        Series(tuple(values.psnr_db)),
        Series(tuple(values.ssim)),
        Series(tuple(values.face_psnr_db)),
        Series(tuple(values.face_ssim)),
        None if find_mouth is None else Series(tuple(values.lmd_px)),
        tuple(notices),
    )


def _measure(
    frame: FrameArray,
    true_frame: FrameArray,
    face: FaceBox | None,
    values: _Values,
    find_mouth: FindMouth | None,
) -> None:
    values.psnr_db.append(psnr_db(frame, true_frame))
    values.ssim.append(ssim(frame, true_frame))
    if face is None:
        return
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in generator_box(face.box, width, height))
    if min(x2 - x1, y2 - y1) >= SSIM_LEAST_PX:
        values.face_psnr_db.append(psnr_db(frame[y1:y2, x1:x2], true_frame[y1:y2, x1:x2]))
        values.face_ssim.append(ssim(frame[y1:y2, x1:x2], true_frame[y1:y2, x1:x2]))
    if find_mouth is not None:
        found, true = find_mouth(frame, face.box), find_mouth(true_frame, face.box)
        if found is not None and true is not None:
            values.lmd_px.append(landmark_distance(found, true))


def _video_of(path: Path) -> VideoStream:
    video = probe_media(path).video
    if video is None:
        raise MediaError(f"{path} holds no picture to compare: give a video")
    return video


def _size_notices(judged: VideoStream, true: VideoStream) -> Iterator[str]:
    if (judged.width, judged.height) != (true.width, true.height):
        yield (
            f"scaled from {judged.width}x{judged.height} to the reference's {true.width}x{true.height}: "
            "PSNR and SSIM include the loss of scaling"
        )
    if judged.fps != true.fps:
        yield (
            f"frames taken at the reference's {float(true.fps):.3g} a second, "
            f"not at the {float(judged.fps):.3g} of the video"
        )


def _length_notices(video: Path, reference: Path, n_frames: int, fps: Fraction) -> Iterator[str]:
    shortest_s = n_frames / float(fps)
    for path in (video, reference):
        surplus_s = probe_media(path).duration_s - shortest_s
        if surplus_s > 0.5:
            yield f"the last {surplus_s:.1f} s of {path.name} have nothing to be compared with"


def mean_of(values: list[float | None]) -> float | None:
    """Return the mean of the finite values; infinite when all are, None when there are none."""
    known = [v for v in values if v is not None]
    finite = [v for v in known if np.isfinite(v)]
    if finite:
        return float(np.mean(finite))
    return known[0] if known else None
