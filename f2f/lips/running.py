"""One job of lips from beginning to end: begun or gone on with, made part by part, joined."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from f2f.errors import StageError
from f2f.lips.job import LipJob, PartResult, begin_job, is_whole, patches_path, read_part, write_job
from f2f.lips.making import PartMaker, face_source, use_chosen_engine
from f2f.lips.parts import MIN_SILENCE_S
from f2f.lips.stretches import join_stretches
from f2f.results import EngineInfo, LipRuntime, LipSyncResult
from f2f.stage import StageContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lipsync_core.inference import LipSyncer
    from lipsync_core.runtime import EngineChoice

PATCHES_NAME = "patches.mkv"


def begin(
    folder: Path,
    draft: LipJob,
    syncer: LipSyncer,
    waveform: npt.NDArray[np.float32],
    context: StageContext,
) -> LipJob:
    """Return the job with the engine that was chosen for it, before or now, and let the network run so."""
    kept = begin_job(folder, draft)
    if kept is not None:
        if any(read_part(folder, number) for number in range(len(kept.parts))):
            context.notice("goes on with the parts of the lips that were finished before")
        use_chosen_engine(syncer, kept, waveform)
        _tell_of_runtime(kept.runtime, context)
        return kept
    runtime = None
    if draft.spoken:
        runtime = _runtime_of(syncer.choose_engine(face_source(draft, waveform)))
        _tell_of_runtime(runtime, context)
    job = draft.model_copy(update={"runtime": runtime})
    write_job(folder, job)
    return job


def make_parts(
    folder: Path,
    job: LipJob,
    syncer: LipSyncer,
    waveform: npt.NDArray[np.float32],
    context: StageContext,
) -> None:
    """Make the parts that are missing: here, one after the other, or wherever the context has them made."""
    missing = [number for number in range(len(job.parts)) if not is_whole(folder, number)]
    if context.map_parts is None:

        def behind(n_frames: int) -> None:
            context.progress(n_frames, job.n_frames, "frames")

        with closing(PartMaker(folder, job, syncer, waveform, behind)) as maker:
            for number in missing:
                maker.make(number)
    else:
        n_done = job.n_frames - sum(job.parts[number].n_frames for number in missing)

        def made(number: int) -> None:
            nonlocal n_done
            n_done += job.parts[number].n_frames
            context.progress(n_done, job.n_frames, "frames")

        context.progress(n_done, job.n_frames, "frames")
        if missing:
            context.map_parts(folder, missing, len(job.parts), made)
    context.progress(job.n_frames, job.n_frames, "frames")


def join_parts(folder: Path, job: LipJob, engine: EngineInfo, context: StageContext) -> LipSyncResult:
    """Put the parts together as the stage's result."""
    from lipsync_core.patches import join_patches

    parts = [_whole_part(folder, number) for number in range(len(job.parts))]
    _refuse_gaps(folder, parts)
    files = [patches_path(folder, number) for number, part in enumerate(parts) if part.n_synced]
    if files:
        join_patches(files, context.folder / PATCHES_NAME, job.rate)
    warnings: tuple[str, ...] = ()
    if not files and job.spoken:
        warnings = (
            "no face was found while someone speaks: the picture stays as it is, only the voice is new",
        )
        context.notice(warnings[0])
    return LipSyncResult(
        patches=PATCHES_NAME if files else None,
        n_frames=job.n_frames,
        n_synced=sum(part.n_synced for part in parts),
        stretches=join_stretches(stretch for part in parts for stretch in part.found),
        engine=engine,
        warnings=warnings,
        runtime=job.runtime,
    )


def _whole_part(folder: Path, number: int) -> PartResult:
    part = read_part(folder, number)
    if part is None:
        raise StageError(
            "lipsync",
            f"part {number + 1} of the lips is said to be done, but {folder} does not hold it: workers need "
            "this folder under the same name, on a shared file system",
        )
    return part


def _refuse_gaps(folder: Path, parts: Sequence[PartResult]) -> None:
    """See that each part was decoded from where the one before it ended; else none of them is kept."""
    for number, (one, other) in enumerate(pairwise(parts), 2):
        if one.last != other.before:
            shutil.rmtree(folder)
            raise StageError(
                "lipsync",
                f"part {number} of the lips does not begin where the one before it ends: the video decodes "
                "differently from there; run again, without --dask",
            )


def tell_of_split(job: LipJob, why_not_sought: str, context: StageContext) -> None:
    """Say where splitting the work brings nothing, or costs something."""
    if len(job.parts) == 1:
        context.notice(
            f"the lips cannot be split: in {float(job.n_frames / job.rate):.0f} s there is no silence of "
            f"{MIN_SILENCE_S:g} s that leaves {job.config.min_part_s:g} s to both sides (lipsync.min_part_s)"
        )
    elif why_not_sought:
        context.notice(
            "each part of the lips is decoded from the beginning of the video, which takes longer: "
            f"{why_not_sought}"
        )


def _tell_of_runtime(runtime: LipRuntime | None, context: StageContext) -> None:
    """Say what runs the network unless it is plain torch."""
    if runtime is None or runtime.name == "torch":
        return
    measured = ""
    if runtime.psnr_db is not None:
        measured += f"; {runtime.psnr_db:.1f} dB PSNR to fp32"
    if runtime.faces_per_s is not None:
        measured += f"; {runtime.faces_per_s:.0f} faces/s alone"
    context.notice(f"lips are generated with {runtime.name} ({runtime.reason}{measured})")


def _runtime_of(choice: EngineChoice) -> LipRuntime:
    difference = choice.difference
    differs = difference is not None and difference.max_abs > 0
    return LipRuntime(
        name=choice.name,
        reason=choice.reason,
        psnr_db=round(difference.psnr_db, 1) if difference is not None and differs else None,
        max_difference=None if difference is None else difference.max_abs,
        faces_per_s=None if choice.faces_per_s is None else round(choice.faces_per_s, 1),
    )
