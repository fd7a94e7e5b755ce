"""Makes parts of the lips of a video, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.config import LipsyncConfig
from f2f.engines.status import downloads_allowed
from f2f.engines.weights import bring_weights, resolve_weights
from f2f.lips.job import LipJob, PartResult, hash_patches, patches_path, write_part
from f2f.lips.pictures import Pictures
from f2f.lips.stretches import StretchCounter

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from lipsync_core.inference import LipSyncer, SyncedFrame
    from lipsync_core.runtime import FaceSource
    from lipsync_core.weights import Weights


def load_lips(
    config: LipsyncConfig, device: str, progress: Callable[[int, int | None], None]
) -> tuple[LipSyncer, Weights]:
    """Return the network and its weights.

    Args:
        config: of the stage, its engine chosen.
        device: resolved.
        progress: told of bytes that are done, where weights must be fetched.

    Raises:
        EngineUnavailableError: the weights are missing.
        LipSyncError: they are unusable.
    """
    from lipsync_core.inference import load_syncer

    choice = str(config.weights) if config.weights else config.engine
    weights = resolve_weights("wav2lip", choice, allow_download=downloads_allowed("auto"))
    weights = bring_weights(weights, progress)
    name = str(weights.path) if config.weights else "embedded" if weights.is_embedded else weights.name
    syncer = load_syncer(name, device, detector=config.detector, allow_download=False)
    syncer.batch_size = config.batch_size or syncer.batch_size
    syncer.use_engine(config.runtime)
    return syncer, weights


def hash_weights(weights: Weights) -> str:
    """Return the SHA-256 of weights that `load_lips` brought."""
    from lipsync_core.containers import sha256_of

    assert weights.path is not None  # they were brought
    return weights.sha256 or sha256_of(weights.path)


def face_source(job: LipJob, waveform: npt.NDArray[np.float32]) -> FaceSource:
    """Return where faces of the video are found, for the choice of the engine."""
    from lipsync_core.runtime import FaceSource

    spoken = [index for first, stop in job.spoken for index in range(first, stop)]
    return FaceSource(job.source, job.rate, spoken, waveform)


def use_chosen_engine(syncer: LipSyncer, job: LipJob, waveform: npt.NDArray[np.float32]) -> None:
    """Let a network run as the job says, which was chosen before."""
    if job.runtime is None:
        return
    syncer.use_engine(job.runtime.name)
    if job.runtime.name == "openvino-int8":  # calibrated on the same faces, so to the same numbers
        syncer.choose_engine(face_source(job, waveform))


class PartMaker:
    """Makes parts of a job. Those that follow each other share one pass of the decoder.

    Args:
        folder: of the parts.
        job: what is made.
        syncer: with the engine that the job names.
        waveform: what is spoken, (N,) mono at 16 kHz.
        progress: told how many frames are behind, decoded or made.
    """

    def __init__(
        self,
        folder: Path,
        job: LipJob,
        syncer: LipSyncer,
        waveform: npt.NDArray[np.float32],
        progress: Callable[[int], None] = lambda n_frames: None,
    ) -> None:
        self._folder, self._job, self._syncer, self._waveform = folder, job, syncer, waveform
        self._active = job.active()
        self._progress = progress
        self._pictures = Pictures(job, progress)

    def make(self, number: int) -> None:
        """Make part ``number``, from 0; its tracking and its batches begin anew, whatever was made before."""
        part = self._job.parts[number]
        before = self._pictures.reach(part)
        counter = StretchCounter()
        synced = self._syncer(
            self._pictures.take(part),
            self._waveform,
            float(self._job.rate),
            active=self._active,
            first_frame=part.first,
        )
        n_synced = self._store(synced, patches_path(self._folder, number), counter)
        result = PartResult(
            n_synced=n_synced,
            found=counter.found(),
            before=before,
            last=self._pictures.fingerprint(),
            files=hash_patches(self._folder, number) if n_synced else {},
        )
        write_part(self._folder, number, result)

    def _store(self, synced: Iterable[SyncedFrame], path: Path, counter: StretchCounter) -> int:
        """Write the patches of all frames as they come and return how many there are; no patch, no file."""
        from lipsync_core.inference import PatchWriter

        n_synced = 0
        writer: PatchWriter | None = None
        with ExitStack() as stack:
            for frame in synced:
                if frame.patch is not None:
                    writer = writer or stack.enter_context(PatchWriter(path, self._job.rate))
                    writer.write(frame.index, frame.patch)
                    n_synced += 1
                box = frame.face.box if frame.face else None
                counter.push(frame.index, box, is_synced=frame.patch is not None)
                self._progress(frame.index + 1)
        return n_synced

    def close(self) -> None:
        """End the decoder."""
        self._pictures.close()
