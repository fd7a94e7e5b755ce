"""Lip-sync inference as a stream: frames and speech in, frames with generated lower faces out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lipsync_core import weights
from lipsync_core.audio import mel_window_start
from lipsync_core.checkpoints import load_network
from lipsync_core.errors import InvalidInputError
from lipsync_core.faces import FaceBox, FaceDetector, TrackingOptions, load_detector, track_faces
from lipsync_core.faces.geometry import GENERATOR_FACE_SIZE_PX, FrameArray, crop_resized, generator_box
from lipsync_core.faces.pasting import FacePatch, paste
from lipsync_core.folding import fold_batch_norm
from lipsync_core.mel_stream import MelStream
from lipsync_core.patches import PatchWriter, read_patches
from lipsync_core.weights.fetch import Progress

__all__ = [
    "FacePatch",
    "LipSyncer",
    "PatchWriter",
    "SyncedFrame",
    "generate_faces",
    "load",
    "paste",
    "read_patches",
]

MASK_ROW = GENERATOR_FACE_SIZE_PX // 2  # 48: from here down the network's input is blank
RAMP_FRAMES = 3  # over which a generated face fades in and out at the borders of an active run
BATCH_SIZE = 8  # as fast as larger ones on a CPU


@dataclass(frozen=True)
class SyncedFrame:
    """One frame of the stream.

    Attributes:
        index: from 0.
        frame_bgr: (H, W, 3) uint8 BGR as it came in.
        patch: generated face to `paste`, None where the frame passes untouched.
        face: tracked box of the primary face, None where there is none.
    """

    index: int
    frame_bgr: FrameArray
    patch: FacePatch | None
    face: FaceBox | None = None

    def pasted(self) -> FrameArray:
        """Return the finished frame: the patch pasted, or ``frame_bgr`` itself."""
        return self.frame_bgr if self.patch is None else paste(self.frame_bgr, self.patch)


class LipSyncer:
    """Makes the primary face of a video say what is in a waveform.

    Args:
        network: a Wav2Lip generator, (N,1,80,16) mel and (N,6,96,96) faces to (N,3,96,96).
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
        self.network = (network.eval() if parity else fold_batch_norm(network)).to(device)
        self.device = device
        self.detector = load_detector(detector, device) if isinstance(detector, str) else detector
        self.batch_size = batch_size
        self.mel_offset_frames = mel_offset_frames
        self.name = name
        self.parity = parity

    def __call__(
        self,
        frames: Iterable[FrameArray],
        waveform: npt.NDArray[np.floating],
        fps: float,
        *,
        active: Sequence[bool] | None = None,
        tracking: TrackingOptions | None = None,
    ) -> Iterator[SyncedFrame]:
        """Yield one `SyncedFrame` for every frame, in order; the video decides the length.

        Speech that ends early is silence, speech beyond the last frame is not used.

        Args:
            frames: (H, W, 3) uint8 BGR at a constant rate, all of one size.
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
                item.mel = mel.columns(mel_window_start(index, fps, self.mel_offset_frames))
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
            generated = iter(generate_faces(self.network, np.stack(crops), np.stack(mels), self.device))
        for item in pending:
            patch = None
            if item.face_crop is not None:
                patch = FacePatch(item.box, round_to_uint8(next(generated)), item.opacity)
            yield SyncedFrame(item.index, item.frame_bgr, patch, item.face)


@dataclass
class _Pending:
    """A frame that waits for its batch."""

    index: int
    frame_bgr: FrameArray
    face: FaceBox | None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    opacity: float = 0.0
    face_crop: FrameArray | None = None
    mel: npt.NDArray[np.float32] | None = None


def _prepare(index: int, frame: FrameArray, face: FaceBox | None, opacity: float) -> _Pending:
    item = _Pending(index, frame, face, opacity=opacity)
    if face is None or opacity <= 0:
        return item
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = (round(v) for v in generator_box(face.box, width, height))
    if x2 - x1 >= 2 and y2 - y1 >= 2:
        item.box = (x1, y1, x2, y2)
        item.face_crop = crop_resized(frame, item.box, GENERATOR_FACE_SIZE_PX)
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
    network: nn.Module, faces_bgr: FrameArray, mels: npt.NDArray[np.float32], device: str = "cpu"
) -> npt.NDArray[np.float32]:
    """Run the generator on a batch of crops.

    The network sees six channels, BGR / 255: first the crop with its lower half blank, then the whole crop
    as reference.

    Args:
        network: see `LipSyncer`, in evaluation mode.
        faces_bgr: (N, 96, 96, 3) uint8 BGR.
        mels: (N, 80, 16).
        device: torch device.

    Returns:
        (N, 96, 96, 3) float32 BGR in 0...255.
    """
    reference = (
        torch.from_numpy(np.ascontiguousarray(faces_bgr)).to(device).permute(0, 3, 1, 2).float() / 255.0
    )
    masked = reference.clone()
    masked[:, :, MASK_ROW:] = 0.0
    speech = torch.from_numpy(np.ascontiguousarray(mels, np.float32)).to(device)[:, None]
    with torch.inference_mode():
        faces = torch.cat((masked, reference), dim=1).contiguous(memory_format=torch.channels_last)
        out = network(speech, faces)
    scaled: npt.NDArray[np.float32] = (out.float() * 255.0).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return scaled


def round_to_uint8(face: npt.NDArray[np.float32]) -> FrameArray:
    """Return 0...255 floats as uint8, rounded (the published script truncates: half a level too dark)."""
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)


def load(
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
        name_or_path: weights by name (see `lipsync_core.weights`), a file, or ``"auto"``: the published
            Wav2Lip weights if they are here or can be fetched, else the embedded ones.
        device: torch device.
        detector: a detector, or the name of one.
        parity: see `LipSyncer`; ``"auto"`` then means S3FD on BGR frames where its weights are.
        allow_download: whether weights may be fetched.
        progress: told how many bytes are done while they are.

    Raises:
        InvalidInputError: no such device here, or no weights of that name.
        MissingModelError: weights or detector are not here.
        CheckpointError: the file is damaged or of another network.
    """
    refuse_absent_device(device)
    found = load_detector(detector, device, parity=parity) if isinstance(detector, str) else detector
    chosen = weights.resolve("wav2lip", name_or_path, allow_download=allow_download)
    path = chosen.path or weights.fetch(chosen, progress)
    here = replace(chosen, path=path)
    return LipSyncer(
        load_network(path, "wav2lip", device),
        device=device,
        detector=found,
        mel_offset_frames=float(here.metadata().get("mel_offset_frames", 0.0)),
        name=chosen.name,
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
