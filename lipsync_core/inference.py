"""Lip-sync inference as a stream: frames and speech in, frames with generated lower faces out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lipsync_core import weights
from lipsync_core.audio import mel_window_start
from lipsync_core.batches import Batch, PendingFrame, SyncedFrame, grey_levels, opacity_at, prepare_frame
from lipsync_core.checkpoints import Recognised, load_recognised
from lipsync_core.errors import CheckpointError, InvalidInputError
from lipsync_core.faces import FaceBox, FaceDetector, TrackingOptions, load_detector, track_faces
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.faces.pasting import FacePatch, paste
from lipsync_core.folding import fold_batch_norm
from lipsync_core.generators import generator_inputs, inputs_of
from lipsync_core.mel_stream import MelStream
from lipsync_core.models.registry import KINDS, kind_of
from lipsync_core.patches import PatchWriter, read_patches
from lipsync_core.pictures import Picture
from lipsync_core.runtime import (
    Engine,
    EngineChoice,
    EngineRequest,
    FaceSource,
    TorchOptions,
    build_engine,
    choose_engine,
    refuse_unknown_engine,
    sample_faces,
)
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

BATCH_SIZE = 8  # as fast as larger ones on a CPU
GPU_BATCH_SIZE = 32


class LipSyncer:
    """Makes the primary face of a video say what is in a waveform.

    Args:
        network: a generator, (N, 1, 80, k) mel and (N, c, 96, 96) faces to (N, 3, 96, 96). Its class decides
            what it sees and hears; one unknown to `lipsync_core.models.registry` is fed like Wav2Lip.
        device: torch device it runs on.
        detector: a detector, or the name of one.
        batch_size: faces generated at once; None for 8 on a CPU and 32 elsewhere.
        mel_offset_frames: frames by which the mel window is shifted: the alignment the weights were
            trained with (0: the published recipe's).
        name: of the weights, for reports.
        parity: for `lipsync_core.sync.sync_video`: follow the published recipe, number for number. The
            network is then used as it is; otherwise, and for other engines than PyTorch, its batch norms are
            folded.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str = "cpu",
        detector: FaceDetector | str = "auto",
        batch_size: int | None = None,
        mel_offset_frames: float = 0.0,
        name: str = "unnamed weights",
        parity: bool = False,
    ) -> None:
        if batch_size is None:
            batch_size = BATCH_SIZE if torch.device(device).type == "cpu" else GPU_BATCH_SIZE
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
        self._wanted = ("torch" if parity else "auto", TorchOptions())
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """What runs the network; while ``"auto"`` has not been decided by `choose_engine`, plain torch."""
        if self._engine is None:
            request = self._request()
            self._engine = build_engine(replace(request, name=request.name.replace("auto", "torch")), None)
        return self._engine

    def use_engine(self, name: str, options: TorchOptions | None = None) -> None:
        """Ask for an engine, one of `lipsync_core.runtime.ENGINES`; it is built when it is first needed.

        Raises:
            InvalidInputError: no such engine, or one for another device.
            MissingModelError: its package is not installed.
        """
        refuse_unknown_engine(name, self.device)
        if self.parity and name != "torch":
            self.network = fold_batch_norm(self.network)  # the numbers are then another engine's anyway
        self._wanted, self._engine = (name, options or TorchOptions()), None

    def choose_engine(self, source: FaceSource) -> EngineChoice:
        """Decide on the engine before a video is generated; see `lipsync_core.runtime.choose_engine`.

        Args:
            source: where faces are found on which engines are calibrated and measured.

        Raises:
            InvalidInputError: the engine that was asked for cannot run this network.
        """
        # S3FD takes seconds a frame, and any face will do.
        detector = load_detector("centerface") if self.detector.name == "s3fd" else self.detector
        hearing = (self.kind, self.mel_offset_frames)
        self._engine, choice = choose_engine(
            self._request(), lambda: sample_faces(source, detector, *hearing), len(source.frames)
        )
        return choice

    def _request(self) -> EngineRequest:
        name, options = self._wanted
        options = replace(options, batch_size=options.batch_size or self.batch_size)
        return EngineRequest(self.network, name, self.device, options, self.kind)

    def __call__(
        self,
        frames: Iterable[Picture],
        waveform: npt.NDArray[np.floating],
        fps: float,
        *,
        active: Sequence[bool] | None = None,
        tracking: TrackingOptions | None = None,
        first_frame: int = 0,
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
            first_frame: number of the first of ``frames`` in the video that speech and ``active`` belong to.
        """
        under_way: deque[Batch] = deque()
        tracked = track_faces(frames, self.detector, fps=fps, options=tracking)
        for pending in self._batches(enumerate(tracked, first_frame), MelStream(waveform), fps, active):
            under_way.append(self._begin(pending))
            while len(under_way) >= self.engine.depth:
                yield from under_way.popleft().finished()
        while under_way:
            yield from under_way.popleft().finished()

    def _batches(
        self,
        tracked: Iterable[tuple[int, tuple[Picture, FaceBox | None]]],
        mel: MelStream,
        fps: float,
        active: Sequence[bool] | None,
    ) -> Iterator[list[PendingFrame]]:
        """Group all frames, in order, so that a group holds at most `batch_size` faces to generate."""
        pending: list[PendingFrame] = []
        n_faces = 0
        for index, (frame, face) in tracked:
            item = prepare_frame(index, frame, face, opacity_at(active, index))
            if item.face_crop is not None:
                n_faces += 1
                start = mel_window_start(index, fps, self.mel_offset_frames, self.mel_columns)
                item.mel = mel.columns(start, self.mel_columns)
            pending.append(item)
            if n_faces == 0 or n_faces == self.batch_size or len(pending) >= 2 * self.batch_size:
                yield pending
                pending, n_faces = [], 0
        yield pending

    def _begin(self, pending: list[PendingFrame]) -> Batch:
        crops = [item.face_crop for item in pending if item.face_crop is not None]
        mels = [item.mel for item in pending if item.mel is not None]
        if not crops:
            return Batch(pending, None)
        stacked = np.stack(crops)
        return Batch(
            pending, self.engine.submit(*generator_inputs(self.kind, stacked, stacked, np.stack(mels)))
        )


def generate_faces(
    network: Callable[[Tensor, Tensor], Tensor],
    faces_bgr: FrameArray,
    mels: npt.NDArray[np.float32],
    device: str = "cpu",
    kind: str = "wav2lip",
) -> npt.NDArray[np.float32]:
    """Run the generator on a batch of crops, each of which is its own reference.

    Args:
        network: see `LipSyncer`, in evaluation mode, or `Engine.generate` (then ``device`` is the CPU).
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
    return grey_levels(out)


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
