"""What whoever makes a part must know, in a file beside the parts: any process that sees the folder will do.

A parts folder holds ``job.json`` and, for each part that is done, ``part-0001.json`` and, if lips were made,
its patches. Parts are put in place whole, so that a run that was killed goes on with the next one.
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from f2f.config import LipsyncConfig
from f2f.engines.status import package_version
from f2f.errors import StageError
from f2f.lips.parts import runs_of
from f2f.lips.stretches import OpenStretch
from f2f.results import LipRuntime, Result
from f2f.workspace import hash_file, write_atomically

JOB_NAME = "job.json"


class Part(Result):
    """Frames ``first`` ... ``stop - 1``; decoded from ``seek`` on they are as from the beginning."""

    first: int
    stop: int
    seek: int = 0

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.stop - self.first


class LipJob(Result):
    """The lips of one video.

    Anything that could make a difference to a single bit of a part is in here or in the name of the folder,
    which is the key of the stage.
    """

    source: Path
    source_bytes: int
    fps: str
    n_frames: int
    width: int
    height: int
    wav: Path
    spoken: tuple[tuple[int, int], ...]
    """Runs of frames whose lips are made, [first, stop)."""
    parts: tuple[Part, ...]
    config: LipsyncConfig
    device: str
    environment: dict[str, str]
    """Packages, weights and processor: where they are others, floating-point sums may be."""
    runtime: LipRuntime | None = None
    """What runs the network, chosen once for all parts."""

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(self.fps)

    def active(self) -> list[bool]:
        """Return for each frame whether its lips are made."""
        active = [False] * self.n_frames
        for first, stop in self.spoken:
            active[first:stop] = [True] * (stop - first)
        return active


class PartResult(Result):
    """What became of one part."""

    n_synced: int
    found: tuple[OpenStretch, ...]
    before: str | None
    """Fingerprint of the frame before its first, as its maker decoded it; None where there is none."""
    last: str | None
    """Fingerprint of its last frame."""
    files: dict[str, str]
    """SHA-256 of each of its files, by which one that a power cut spoilt is known."""


def spoken_runs(active: Sequence[bool]) -> tuple[tuple[int, int], ...]:
    """Return the runs of active frames as [first, stop)."""
    return tuple((first, stop) for is_active, first, stop in runs_of(active) if is_active)


def plan_seeks(source: Path, fps: Fraction, spans: Iterable[tuple[int, int]]) -> tuple[tuple[Part, ...], str]:
    """Return parts with the frames from which they can be decoded, and why that is the beginning, if it is.

    Where frames come at a constant rate, all from the beginning of a closed group of pictures on are decoded
    as they would be from the beginning of the video: nothing before it counts. Other videos are decoded
    from their beginning for each part.
    """
    from lipsync_core.media.gops import NotCopyableError, read_gops

    spans = list(spans)
    starts: tuple[int, ...] = (0,)
    reason = ""
    if len(spans) > 1:
        try:
            starts = read_gops(source, fps).starts
        except NotCopyableError as error:
            reason = str(error)
    # The frame before a part is decoded with it: its fingerprint shows that nothing was missed.
    parts = (
        Part(first=first, stop=stop, seek=max((at for at in starts if at < first), default=0))
        for first, stop in spans
    )
    return tuple(parts), reason


def environment_of(device: str, weights_sha256: str) -> dict[str, str]:
    """Return what must be the same wherever parts of one job are made."""
    import torch

    found = {
        "f2f": package_version("f2f"),
        "weights": weights_sha256[:16],
        "processor": f"{_processor()} with {torch.backends.cpu.get_cpu_capability()}",
        **{name: package_version(name) for name in ("torch", "numpy", "opencv-python", "imageio-ffmpeg")},
    }
    if device.startswith("cuda"):
        found["graphics processor"] = torch.cuda.get_device_name(device)
    if device == "cpu":
        found["openvino"] = package_version("openvino")
    return found


def _processor() -> str:
    """Return what libraries choose their code by: the design of the processor, not its clock or cores."""
    try:
        listing = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine()
    found = (re.search(rf"^{key}\s*: (.+)$", listing, re.M) for key in ("vendor_id", "cpu family", "model"))
    return " ".join([platform.machine(), *(match[1].strip() for match in found if match)])


def begin_job(folder: Path, draft: LipJob) -> LipJob | None:
    """Return the job that was begun in a folder before, if it is the same; else empty the folder.

    Folders of other jobs beside it are removed: nobody will go on with them.
    """
    for other in folder.parent.iterdir() if folder.parent.is_dir() else ():
        if other != folder and (other / JOB_NAME).is_file():
            shutil.rmtree(other, ignore_errors=True)
    try:
        kept = LipJob.model_validate_json((folder / JOB_NAME).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        kept = None
    if kept is not None and kept.model_copy(update={"runtime": None}) == draft:
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    return None


def write_job(folder: Path, job: LipJob) -> None:
    """Put a job into its folder."""
    write_atomically(folder / JOB_NAME, job.model_dump_json())


def read_job(folder: Path, where: str) -> LipJob:
    """Return the job of a folder.

    Args:
        folder: holds it.
        where: the machine that reads, for the message.

    Raises:
        StageError: it is not there, or of another version of f2f.
    """
    path = folder / JOB_NAME
    try:
        return LipJob.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StageError(
            "lipsync",
            f"{where} does not see {path} ({error.strerror}): workers need the folders of source and outputs "
            "under the same names, on a shared file system",
        ) from error
    except ValidationError as error:
        raise StageError("lipsync", f"{where} cannot use {path}: install the same f2f everywhere") from error


def patches_path(folder: Path, number: int) -> Path:
    """Return where the patches of part ``number`` (from 0) lie."""
    return folder / f"part-{number + 1:04d}.mkv"


def hash_patches(folder: Path, number: int) -> dict[str, str]:
    """Return name and SHA-256 of the files that a part has for its patches."""
    from lipsync_core.patches import table_path

    path = patches_path(folder, number)
    return {one.name: hash_file(one) for one in (path, table_path(path))}


def is_whole(folder: Path, number: int) -> bool:
    """Whether a part is done, and its files are as they were then."""
    part = read_part(folder, number)
    try:
        return part is not None and part.files == (hash_patches(folder, number) if part.n_synced else {})
    except FileNotFoundError:
        return False


def read_part(folder: Path, number: int) -> PartResult | None:
    """Return what is said of a part that is done, None if it is not."""
    try:
        text = patches_path(folder, number).with_suffix(".json").read_text(encoding="utf-8")
        return PartResult.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def write_part(folder: Path, number: int, result: PartResult) -> None:
    """Declare a part done; its patches must be in place.

    Raises:
        StageError: the work ended meanwhile, and its folder went.
    """
    if not (folder / JOB_NAME).is_file():
        raise StageError("lipsync", f"{folder} is gone: the work on these lips has ended")
    write_atomically(patches_path(folder, number).with_suffix(".json"), result.model_dump_json())
