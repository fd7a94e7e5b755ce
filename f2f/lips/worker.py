"""One part of a job, made by whatever process sees the job's folder."""

from __future__ import annotations

import socket
import threading
from functools import lru_cache
from pathlib import Path

from f2f.errors import StageError
from f2f.lips.job import LipJob, environment_of, read_job
from f2f.lips.making import PartMaker, hash_weights, load_lips, use_chosen_engine

_one_at_a_time = threading.Lock()
"""A network takes all threads that torch was given, so parts of one process do not overlap."""


def make_part_at(folder: str, number: int) -> int:
    """Make one part of the job in a folder, wherever this is called; return its frames.

    Raises:
        StageError: this machine does not see the files, or would make other numbers.
        F2FError: it lacks what is needed.
        LipSyncError: the video is unusable.
    """
    host = f"worker {socket.gethostname()}"
    job = read_job(Path(folder), host)
    for path in (job.source, job.wav):
        if not path.is_file():
            raise StageError("lipsync", f"{host} does not see {path}: it must lie on a shared file system")
    if (found := job.source.stat().st_size) != job.source_bytes:
        raise StageError(
            "lipsync",
            f"{host} sees {found} bytes of {job.source}, not {job.source_bytes}: give it the same file",
        )
    with _one_at_a_time:
        maker = _maker(folder, job.model_dump_json())
        try:
            maker.make(number)
        finally:
            maker.close()
    return job.parts[number].n_frames


@lru_cache(maxsize=1)
def _maker(folder: str, text: str) -> PartMaker:
    """Return what makes parts of a job here; the next part finds it loaded."""
    from lipsync_core.media import read_audio

    job = LipJob.model_validate_json(text)
    syncer, weights = load_lips(job.config, job.device, lambda done, total: None)
    refuse_other_environment(job, environment_of(job.device, hash_weights(weights)))
    waveform = read_audio(job.wav)
    use_chosen_engine(syncer, job, waveform)
    return PartMaker(Path(folder), job, syncer, waveform)


def refuse_other_environment(job: LipJob, here: dict[str, str]) -> None:
    """Raise where this machine might make other numbers than the one that planned the job.

    Raises:
        StageError: something differs.
    """
    others = [
        f"{name} {here.get(name, 'missing')} instead of {wanted}"
        for name, wanted in job.environment.items()
        if here.get(name) != wanted
    ]
    if others:
        raise StageError(
            "lipsync",
            f"worker {socket.gethostname()} would not make the same lips, bit for bit: it has "
            f"{', '.join(others)}; workers must be alike",
        )
