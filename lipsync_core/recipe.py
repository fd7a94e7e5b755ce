"""The published Wav2Lip inference recipe, number for number (``parity=True``).

Source: Rudrabha/Wav2Lip ``inference.py`` and ``audio.py``, commit 5c90fa9. What it does and this package
otherwise does not: end 120-150 ms before the speech, smooth boxes forwards in place with integers, stop at
the first frame without a face, truncate instead of round, and paste the whole rectangle. Unlike the
original, frames are streamed (decoded twice: once for detection) and encoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lipsync_core.audio import MEL_COLUMNS_PER_SECOND, MEL_WINDOW_COLUMNS
from lipsync_core.errors import InvalidInputError, NoFaceError
from lipsync_core.faces.centerface import FaceDetector
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray
from lipsync_core.inference import generate_faces
from lipsync_core.mel_stream import MelStream

SMOOTHING_FRAMES = 5
MIN_SAMPLES = 3_000  # one window of 16 columns; the original fails on less
IntArray = npt.NDArray[np.int64]
OpenFrames = Callable[[], Iterable[FrameArray]]
Network = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class RecipeOptions:
    """Options of the published script with its defaults.

    Attributes:
        pads: pixels added to the detected box: top, bottom, left, right.
        box: top, bottom, left, right of a fixed face box; then nothing is detected. None: detect.
        static: use the first frame only.
        smooth: smooth boxes (the script's ``--nosmooth`` turns it off).
        resize_factor: frames are shrunk by this whole number first.
        rotate: turn frames by 90 degrees clockwise.
        crop: top, bottom, left, right of the frame part used; -1 is the edge.
        batch_size: faces generated at once (the script's 128 only costs memory).
    """

    pads: tuple[int, int, int, int] = (0, 10, 0, 0)
    box: tuple[int, int, int, int] | None = None
    static: bool = False
    smooth: bool = True
    resize_factor: int = 1
    rotate: bool = False
    crop: tuple[int, int, int, int] = (0, -1, 0, -1)
    batch_size: int = 8


def published_recipe(
    network: Network,
    open_frames: OpenFrames,
    waveform: npt.NDArray[np.floating],
    fps: float,
    detector: FaceDetector,
    *,
    options: RecipeOptions | None = None,
    device: str = "cpu",
) -> Iterator[FrameArray]:
    """Yield the frames that the published script hands to its encoder.

    Args:
        network: Wav2Lip generator in evaluation mode, or what maps mel and faces as it does.
        open_frames: begins the video anew at each call and returns its (H, W, 3) uint8 BGR frames; it is
            called for detection, for generation, and again whenever speech outlasts the video (which then
            jumps to its start).
        waveform: (N,) mono at 16 kHz, at least 3000 samples.
        fps: frames a second.
        detector: the script's own is S3FD on BGR frames (`lipsync_core.faces.s3fd.S3FD` with
            ``swap_channels=False``); the best scored face counts.
        options: see `RecipeOptions`.
        device: torch device.

    Raises:
        InvalidInputError: too little sound, or no frames.
        NoFaceError: a frame without a face.
    """
    settings = options or RecipeOptions()
    if waveform.size < MIN_SAMPLES:
        raise InvalidInputError(
            f"speech has {waveform.size} samples; the published recipe needs {MIN_SAMPLES} (187.5 ms)"
        )
    mel = MelStream(waveform)
    starts = chunk_starts(mel.n_columns, fps)

    def prepared() -> Iterator[FrameArray]:
        frames = (prepare_frame(frame, settings) for frame in open_frames())
        for number, frame in enumerate(frames):
            if number == (1 if settings.static else len(starts)):
                return
            yield frame

    boxes = _all_boxes(prepared(), detector, settings)
    batch: list[tuple[FrameArray, IntArray, int]] = []
    looped = _looped(prepared)
    for number, start in enumerate(starts):
        batch.append((next(looped).copy(), boxes[number % len(boxes)], start))
        if len(batch) == settings.batch_size or number == len(starts) - 1:
            yield from _generated(network, batch, mel, device)
            batch = []


def chunk_starts(n_columns: int, fps: float) -> list[int]:
    """Return the first mel column of every frame that the script makes.

    ``int(i * 80 / fps)`` while 16 columns are left there, then once the last 16 columns.
    """
    if not fps > 0:
        raise InvalidInputError(f"fps is {fps}; it must be above 0")
    per_frame = MEL_COLUMNS_PER_SECOND / fps
    starts: list[int] = []
    while True:
        start = int(len(starts) * per_frame)
        if start + MEL_WINDOW_COLUMNS > n_columns:
            return [*starts, n_columns - MEL_WINDOW_COLUMNS]
        starts.append(start)


def prepare_frame(frame_bgr: FrameArray, options: RecipeOptions) -> FrameArray:
    """Shrink, turn and crop one frame, in the script's order."""
    import cv2

    if options.resize_factor > 1:
        height, width = frame_bgr.shape[:2]
        small = cv2.resize(frame_bgr, (width // options.resize_factor, height // options.resize_factor))
        frame_bgr = np.asarray(small, np.uint8)
    if options.rotate:
        frame_bgr = np.asarray(cv2.rotate(frame_bgr, cv2.ROTATE_90_CLOCKWISE), np.uint8)
    top, bottom, left, right = options.crop
    height, width = frame_bgr.shape[:2]
    return frame_bgr[top : height if bottom == -1 else bottom, left : width if right == -1 else right]


def smooth_boxes(boxes: IntArray, n_frames: int = SMOOTHING_FRAMES) -> IntArray:
    """Return boxes (n, 4) smoothed as published: forwards, in place, truncated.

    Row ``i`` becomes the mean of rows i...i+4, some of them smoothed already, or of the last five rows (with
    fewer rows in all the negative index wraps around) near the end.
    """
    out = boxes.copy()
    for i in range(len(out)):
        window = out[len(out) - n_frames :] if i + n_frames > len(out) else out[i : i + n_frames]
        out[i] = np.mean(window, axis=0)  # assignment to integers truncates
    return out


def _all_boxes(frames: Iterator[FrameArray], detector: FaceDetector, options: RecipeOptions) -> IntArray:
    """Return (n, 4) integer boxes x1, y1, x2, y2 of all frames."""
    rows: list[tuple[int, int, int, int]] = []
    for number, frame in enumerate(frames):
        if options.box is not None:
            top, bottom, left, right = options.box
            rows.append((left, top, right, bottom))
        else:
            rows.append(_padded_box(frame, number, detector, options))
    if not rows:
        raise InvalidInputError("the video has no frames")
    boxes = np.array(rows, np.int64)
    return smooth_boxes(boxes) if options.smooth and options.box is None else boxes


def _padded_box(
    frame: FrameArray, number: int, detector: FaceDetector, options: RecipeOptions
) -> tuple[int, int, int, int]:
    faces = detector.detect(frame)
    if not faces:
        raise NoFaceError(
            f"no face in frame {number}; the published recipe needs one in every frame: trim the video or "
            "run without parity"
        )
    height, width = frame.shape[:2]
    best = max(faces, key=lambda face: face.score)
    x1, y1, x2, y2 = (int(max(0.0, v)) for v in best.box)  # the script clips at 0 and truncates
    top, bottom, left, right = options.pads
    return max(0, x1 - left), max(0, y1 - top), min(width, x2 + right), min(height, y2 + bottom)


def _looped(open_prepared: Callable[[], Iterator[FrameArray]]) -> Iterator[FrameArray]:
    """Yield a video's frames again and again from its start."""
    while True:
        yield from open_prepared()


def _generated(
    network: Network, batch: Sequence[tuple[FrameArray, IntArray, int]], mel: MelStream, device: str
) -> Iterator[FrameArray]:
    import cv2

    size = (GENERATOR_FACE_SIZE_PX, GENERATOR_FACE_SIZE_PX)
    crops = [cv2.resize(frame[y1:y2, x1:x2], size) for frame, (x1, y1, x2, y2), _ in batch]
    mels = [mel.columns(start) for _, _, start in batch]
    faces = generate_faces(network, np.stack(crops).astype(np.uint8), np.stack(mels), device)
    for (frame, (x1, y1, x2, y2), _), face in zip(batch, faces, strict=True):
        truncated = face.astype(np.uint8)
        frame[y1:y2, x1:x2] = cv2.resize(truncated, (int(x2 - x1), int(y2 - y1)))
        yield frame
