"""Lip-sync inference as a stream: frames and speech in, frames with generated lower faces out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lipsync_core import weights
from lipsync_core.audio import mel_window_start
from lipsync_core.checkpoints import Recognised, load_recognised
from lipsync_core.errors import CheckpointError, InvalidInputError
from lipsync_core.faces import FaceBox, FaceDetector, TrackingOptions, load_detector, track_faces
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray, crop_resized, generator_box
from lipsync_core.faces.pasting import FacePatch, paste
from lipsync_core.folding import fold_batch_norm
from lipsync_core.generators import generator_inputs, inputs_of
from lipsync_core.mel_stream import MelStream
from lipsync_core.models.registry import KINDS, kind_of
from lipsync_core.patches import PatchWriter, read_patches
from lipsync_core.pictures import Picture, region_bgr, to_bgr
from lipsync_core.weights.fetch import Progress

__all__ = [
    "FacePatch",
    "LipSyncer",
    "PatchWriter",
    "SyncedFrame",
    "generate_faces",
    "load_syncer",
    "paste",
    "read_patches",
]

RAMP_FRAMES = 3  # over which a generated face fades in and out at the borders of an active run
BATCH_SIZE = 8  # as fast as larger ones on a CPU


@dataclass(frozen=True)
class SyncedFrame:
    """One frame of the stream.

    Attributes:
        index: from 0.
        picture: the frame as it came in, BGR or planar.
        patch: generated face to `paste`, None where the frame passes untouched.
        face: tracked box of the primary face, None where there is none.
    """

    index: int
    picture: Picture
    patch: FacePatch | None
    face: FaceBox | None = None

    @property
    def frame_bgr(self) -> FrameArray:
        """The frame as it came in, (H, W, 3) uint8 BGR; converted if it is planar."""
        return to_bgr(self.picture)

    def pasted(self) -> FrameArray:
        """Return the finished frame in BGR: the patch pasted, or ``frame_bgr`` itself."""
        return to_bgr(self.finished())

    def finished(self) -> Picture:
        """Return the finished frame in the layout in which it came."""
        return self.picture if self.patch is None else paste(self.picture, self.patch)


class LipSyncer:
    """Makes the primary face of a video say what is in a waveform.

    Args:
        network: a generator, (N, 1, 80, k) mel and (N, c, 96, 96) faces to (N, 3, 96, 96). Its class decides
            what it sees and hears; one unknown to `lipsync_core.models.registry` is fed like Wav2Lip.
        device: torch device it runs on.
        detector: a detector, or the name of one.
        batch_size: faces generated at once.
        mel_offset_frames: frames by which the mel window is shifted: the alignment the weights were
            trained with (0: the published recipe's).
        name: of the weights, for reports.
        parity: for `lipsync_core.sync.sync_video`: follow the published recipe, number for number. The
            network is then used as it is; otherwise its batch norms are folded.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str = "cpu",
        detector: FaceDetector | str = "auto",
        batch_size: int = BATCH_SIZE,
        mel_offset_frames: float = 0.0,
        name: str = "unnamed weights",
        parity: bool = False,
    ) -> None:
        if batch_size < 1:
            raise InvalidInputError(f"batch_size is {batch_size}; needed is 1 or more")
        self.kind = kind_of(network) or "wav2lip"
        self.mel_columns = inputs_of(self.kind).mel_columns
        if parity and self.kind != "wav2lip":
            raise InvalidInputError(
                f"{name} is a {self.kind} generator; parity is the recipe of Wav2Lip: run without it"
            )
        self.network = (network.eval() if parity else fold_batch_norm(network)).to(device)
        self.device = device
        self.detector = load_detector(detector, device) if isinstance(detector, str) else detector
        self.batch_size = batch_size
        self.mel_offset_frames = mel_offset_frames
        self.name = name
        self.parity = parity

    def __call__(
        self,
        frames: Iterable[Picture],
        waveform: npt.NDArray[np.floating],
        fps: float,
        *,
        active: Sequence[bool] | None = None,
        tracking: TrackingOptions | None = None,
    ) -> Iterator[SyncedFrame]:
        """Yield one `SyncedFrame` for every frame, in order; the video decides the length.

        Speech that ends early is silence, speech beyond the last frame is not used.

        Args:
            frames: (H, W, 3) uint8 BGR or `Yuv420Frame`, at a constant rate, all of one size.
            waveform: (N,) mono at 16 kHz in -1...1; sample 0 belongs to frame 0.
            fps: frames a second.
            active: per frame, whether someone speaks; other frames, and frames beyond its end, pass
                untouched. The generated face fades over three frames at the borders of an active run.
                None: all frames.
            tracking: see `TrackingOptions`.
        """
        mel = MelStream(waveform)
        tracked = track_faces(frames, self.detector, fps=fps, options=tracking)
        pending: list[_Pending] = []
        n_faces = 0
        for index, (frame, face) in enumerate(tracked):
            item = _prepare(index, frame, face, opacity_at(active, index))
            if item.face_crop is not None:
                n_faces += 1
                start = mel_window_start(index, fps, self.mel_offset_frames, self.mel_columns)
                item.mel = mel.columns(start, self.mel_columns)
            pending.append(item)
            if n_faces == 0 or n_faces == self.batch_size or len(pending) >= 2 * self.batch_size:
                yield from self._finished(pending)
                pending, n_faces = [], 0
        yield from self._finished(pending)

    def _finished(self, pending: list[_Pending]) -> Iterator[SyncedFrame]:
        crops = [item.face_crop for item in pending if item.face_crop is not None]
        mels = [item.mel for item in pending if item.mel is not None]
        generated: Iterator[npt.NDArray[np.float32]] = iter(())
        if crops:
            faces = generate_faces(self.network, np.stack(crops), np.stack(mels), self.device, self.kind)
            generated = iter(faces)
        for item in pending:
            patch = None
            if item.face_crop is not None:
                patch = FacePatch(item.box, round_to_uint8(next(generated)), item.opacity)
            yield SyncedFrame(item.index, item.picture, patch, item.face)


@dataclass
class _Pending:
    """A frame that waits for its batch."""

    index: int
    picture: Picture
    face: FaceBox | None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    opacity: float = 0.0
    face_crop: FrameArray | None = None
    mel: npt.NDArray[np.float32] | None = None


def _prepare(index: int, frame: Picture, face: FaceBox | None, opacity: float) -> _Pending:
    item = _Pending(index, frame, face, opacity=opacity)
    if face is None or opacity <= 0:
        return item
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in generator_box(face.box, width, height))
    if x2 - x1 >= 2 and y2 - y1 >= 2:
        item.box = (x1, y1, x2, y2)
        region = region_bgr(frame, item.box)
        item.face_crop = crop_resized(region, (0, 0, x2 - x1, y2 - y1), GENERATOR_FACE_SIZE_PX)
    return item


def opacity_at(active: Sequence[bool] | None, index: int) -> float:
    """Return the fade of frame ``index``: 0 outside active runs, rising over `RAMP_FRAMES` inside them.

    The beginning and end of the video are no borders.
    """
    if active is None:
        return 1.0
    if index >= len(active) or not active[index]:
        return 0.0
    for distance in range(1, RAMP_FRAMES + 1):
        before, after = index - distance, index + distance
        if (before >= 0 and not active[before]) or (after < len(active) and not active[after]):
            return distance / (RAMP_FRAMES + 1)
    return 1.0


def generate_faces(
    network: nn.Module,
    faces_bgr: FrameArray,
    mels: npt.NDArray[np.float32],
    device: str = "cpu",
    kind: str = "wav2lip",
) -> npt.NDArray[np.float32]:
    """Run the generator on a batch of crops, each of which is its own reference.

    Args:
        network: see `LipSyncer`, in evaluation mode.
        faces_bgr: (N, 96, 96, 3) uint8 BGR.
        mels: (N, 80, k), k as the kind needs.
        device: torch device.
        kind: of generator; see `lipsync_core.generators.generator_inputs`.

    Returns:
        (N, 96, 96, 3) float32 BGR in 0...255.
    """
    speech, faces = generator_inputs(kind, faces_bgr, faces_bgr, mels, device)
    with torch.inference_mode():
        out = network(speech, faces)
    scaled: npt.NDArray[np.float32] = (out.float() * 255.0).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return scaled


def round_to_uint8(face: npt.NDArray[np.float32]) -> FrameArray:
    """Return 0...255 floats as uint8, rounded (the published script truncates: half a level too dark)."""
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)


def load_syncer(
    name_or_path: str = "auto",
    device: str = "cpu",
    *,
    detector: FaceDetector | str = "auto",
    parity: bool = False,
    allow_download: bool = True,
    progress: Progress | None = None,
) -> LipSyncer:
    """Return a ready `LipSyncer`.

    Args:
        name_or_path: weights by name (see `lipsync_core.weights`), a file with a generator of any kind, or
            ``"auto"``: the published Wav2Lip weights if they are here or can be fetched, else the embedded
            ones.
        device: torch device.
        detector: a detector, or the name of one.
        parity: see `LipSyncer`; ``"auto"`` then means S3FD on BGR frames where its weights are.
        allow_download: whether weights may be fetched.
        progress: told how many bytes are done while they are.

    Raises:
        InvalidInputError: no such device here, or no weights of that name.
        MissingModelError: weights or detector are not here.
        CheckpointError: the file is damaged, or of a network that makes no faces.
    """
    refuse_absent_device(device)
    found = load_detector(detector, device, parity=parity) if isinstance(detector, str) else detector
    chosen = weights.resolve("wav2lip", name_or_path, allow_download=allow_download)
    loaded = load_recognised(chosen.path or weights.fetch(chosen, progress), device)
    return syncer_of(loaded, chosen.name, device, detector=found, parity=parity)


def syncer_of(
    loaded: Recognised, name: str, device: str, *, detector: FaceDetector | str, parity: bool
) -> LipSyncer:
    """Return a `LipSyncer` for a generator that was read from a file; raises as `load_syncer`."""
    if KINDS[loaded.kind].generator is None:
        makers = [kind.name for kind in KINDS.values() if kind.generator]
        raise CheckpointError(
            f"weights {name} are of a {loaded.kind} network, which makes no faces; needed is one of "
            f"{', '.join(makers)}"
        )
    return LipSyncer(
        loaded.network,
        device=device,
        detector=load_detector(detector, device, parity=parity) if isinstance(detector, str) else detector,
        mel_offset_frames=float(loaded.metadata.get("mel_offset_frames", 0.0)),
        name=name,
        parity=parity,
    )


def refuse_absent_device(device: str) -> None:
    """Raise `InvalidInputError` unless torch can compute on ``device`` here."""
    try:
        kind = torch.device(device).type
    except RuntimeError as exc:
        raise InvalidInputError(f"unknown device {device!r}; use cpu, cuda, cuda:1 or mps") from exc
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(kind, False):
        raise InvalidInputError(f"device {device!r} is not on this machine; --device cpu works everywhere")
