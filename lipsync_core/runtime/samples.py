"""Real faces of the very video, on which engines are calibrated and measured before the work begins."""

from __future__ import annotations

from collections.abc import Sequence
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

N_PLACES = 8  # where the video is looked at
PAIR_DISTANCE = 12  # frames between the two faces of a place: another position of mouth and head
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
class SampleSource:
    """Where samples are taken.

    Attributes:
        video: file.
        fps: rate at which it is processed.
        frames: indices of frames that will be generated.
        waveform: (N,) mono at 16 kHz that they will speak.
        detector: finds the faces.
        kind: of generator.
        mel_offset_frames: see `lipsync_core.inference.LipSyncer`.
        box: fixed place of the face, x1, y1, x2, y2; then nothing is detected.
    """

    video: Path
    fps: Fraction
    frames: Sequence[int]
    waveform: npt.NDArray[np.floating]
    detector: FaceDetector
    kind: str = "wav2lip"
    mel_offset_frames: float = 0.0
    box: Region | None = None


def sample_faces(source: SampleSource) -> FaceSamples | None:
    """Return faces from places spread over the video with what they will speak; None if there are too few."""
    mel = MelStream(source.waveform)
    columns = inputs_of(source.kind).mel_columns
    halves: tuple[list[_Sample], list[_Sample]] = ([], [])
    for first in _places(source.frames):
        for half, (index, frame) in zip(halves, _pair(source, first), strict=False):
            crop = _face_of(frame, source)
            if crop is not None:
                start = mel_window_start(index, float(source.fps), source.mel_offset_frames, columns)
                half.append((crop, mel.columns(start, columns)))
    if min(map(len, halves)) < MIN_FACES:
        return None
    return FaceSamples(*(_joined(half, source.kind) for half in halves))


_Sample = tuple[FrameArray, npt.NDArray[np.float32]]


def _places(frames: Sequence[int]) -> list[int]:
    """Return frame indices in the middle of `N_PLACES` equal parts."""
    n_places = min(N_PLACES, len(frames))
    return [frames[(2 * i + 1) * len(frames) // (2 * n_places)] for i in range(n_places)]


def _pair(source: SampleSource, first: int) -> list[tuple[int, FrameArray]]:
    """Return two frames of one place with their indices; fewer where the video ends or cannot be read."""
    from lipsync_core.media import read_frames

    reader = read_frames(source.video, fps=source.fps, first_frame=first)
    wanted = (first, first + PAIR_DISTANCE)
    found = []
    try:
        for index, frame in enumerate(reader, first):
            if index in wanted:
                found.append((index, frame))
            if index == wanted[-1]:
                break
    except MediaError:  # a damaged place; the run itself will tell
        return found
    finally:
        reader.close()
    return found


def _face_of(frame: FrameArray, source: SampleSource) -> FrameArray | None:
    height, width = frame.shape[:2]
    if source.box is not None:
        return crop_resized(frame, source.box, GENERATOR_FACE_SIZE_PX)
    faces = source.detector.detect(frame)
    if not faces:
        return None
    face = max(faces, key=lambda found: prominence(found, width, height))
    x1, y1, x2, y2 = generator_box(face.box, width, height)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return None
    return crop_resized(frame, (x1, y1, x2, y2), GENERATOR_FACE_SIZE_PX)


def _joined(half: list[_Sample], kind: str) -> tuple[Tensor, Tensor]:
    crops, mels = np.stack([crop for crop, _ in half]), np.stack([mel for _, mel in half])
    return generator_inputs(kind, crops, crops, mels)
