"""Real faces of the very video, on which engines are calibrated and measured before the work begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lipsync_core.audio import mel_window_start
from lipsync_core.errors import MediaError
from lipsync_core.faces.centerface import FaceDetector
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray, crop_resized, generator_box
from lipsync_core.faces.primary import prominence
from lipsync_core.generators import generator_inputs, inputs_of
from lipsync_core.mel_stream import MelStream

N_PLACES = 4  # where the video is looked at: each costs a seek, and decoding from the last key frame
FACES_PER_PLACE = 4
DISTANCE = 12  # frames between the faces of a place where there is room: another position of mouth and head
MIN_FACES = 4  # of each half; a range seen on fewer says little

Region = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels


@dataclass(frozen=True)
class FaceSamples:
    """Inputs of a generator in two halves: what is measured on was not calibrated on.

    Attributes:
        calibration: mel (N, 1, 80, k) and faces (N, c, 96, 96).
        held_out: others.
    """

    calibration: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class FaceSource:
    """A video whose faces will speak.

    Attributes:
        video: file.
        fps: rate at which it is processed.
        frames: indices of the frames that will be generated.
        waveform: (N,) mono at 16 kHz that they will speak.
        box: fixed place of the face, x1, y1, x2, y2; then nothing is detected.
        prepare: applied to each frame first.
        n_source_frames: different frames that the video has; later ones play it back and forth. None: as
            many as are needed.
    """

    video: Path | str
    fps: Fraction
    frames: Sequence[int]
    waveform: npt.NDArray[np.floating]
    box: Region | None = None
    prepare: Callable[[FrameArray], FrameArray] | None = None
    n_source_frames: int | None = None


def sample_faces(
    source: FaceSource, detector: FaceDetector, kind: str = "wav2lip", mel_offset_frames: float = 0.0
) -> FaceSamples | None:
    """Return faces from places spread over the video with what they will speak; None if there are too few.

    Args:
        source: the video.
        detector: finds the faces.
        kind: of generator.
        mel_offset_frames: see `lipsync_core.inference.LipSyncer`.
    """
    mel = MelStream(source.waveform)
    columns = inputs_of(kind).mel_columns
    halves: tuple[list[_Sample], list[_Sample]] = ([], [])
    for first in _places(source.frames):
        for index, crop in _crops(source, first, detector):
            start = mel_window_start(index, float(source.fps), mel_offset_frames, columns)
            shorter = halves[len(halves[1]) < len(halves[0])]
            shorter.append((crop, mel.columns(start, columns)))
    if min(map(len, halves)) < MIN_FACES:
        return None
    return FaceSamples(*(_joined(half, kind) for half in halves))


_Sample = tuple[FrameArray, npt.NDArray[np.float32]]


def _places(frames: Sequence[int]) -> list[int]:
    """Return frame indices in the middle of `N_PLACES` equal parts."""
    n_places = min(N_PLACES, len(frames))
    return [frames[(2 * i + 1) * len(frames) // (2 * n_places)] for i in range(n_places)]


def _crops(source: FaceSource, first: int, detector: FaceDetector) -> list[tuple[int, FrameArray]]:
    """Return the faces of one place with their frame indices; fewer where there are none."""
    crops: list[tuple[int, FrameArray]] = []
    for index, frame in _frames(source, first):
        if source.prepare is not None:
            frame = source.prepare(frame)
        box = source.box or _found_box(frame, detector)
        if box is not None:
            crops.append((index, crop_resized(frame, box, GENERATOR_FACE_SIZE_PX)))
    return crops


def _frames(source: FaceSource, first: int) -> list[tuple[int, FrameArray]]:
    """Return the frames of one place with their indices; fewer where the video cannot be read."""
    from lipsync_core.media import read_frames

    distance = min(DISTANCE, max(1, len(source.frames) // (N_PLACES * FACES_PER_PLACE)))
    n_source_frames = source.n_source_frames or first + FACES_PER_PLACE * distance
    start = _folded(first, n_source_frames)
    reader = read_frames(source.video, fps=source.fps, first_frame=start)
    found: list[tuple[int, FrameArray]] = []
    try:
        for number, frame in enumerate(reader):
            if number == len(found) * distance:
                found.append((first + number, frame))
            if len(found) == FACES_PER_PLACE:
                break
    except MediaError:  # a damaged place; the run itself will tell
        return found
    finally:
        reader.close()
    while found and n_source_frames == 1 and len(found) < FACES_PER_PLACE:
        found.append((found[-1][0] + distance, found[-1][1]))  # a picture shows the same face at all times
    return found


def _folded(index: int, n_frames: int) -> int:
    """Return which of ``n_frames`` frames, played back and forth, is frame ``index``."""
    if n_frames == 1:
        return 0
    place = index % (2 * (n_frames - 1))
    return min(place, 2 * (n_frames - 1) - place)


def _found_box(frame: FrameArray, detector: FaceDetector) -> Region | None:
    height, width = frame.shape[:2]
    faces = detector.detect(frame)
    if not faces:
        return None
    face = max(faces, key=lambda found: prominence(found, width, height))
    x1, y1, x2, y2 = (round(v) for v in generator_box(face.box, width, height))
    return (x1, y1, x2, y2) if x2 - x1 >= 2 and y2 - y1 >= 2 else None


def _joined(half: list[_Sample], kind: str) -> tuple[Tensor, Tensor]:
    crops, mels = np.stack([crop for crop, _ in half]), np.stack([mel for _, mel in half])
    return generator_inputs(kind, crops, crops, mels)
