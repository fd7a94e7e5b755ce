"""Figures of every finished output: one JSON line each in ``library.jsonl``, appended and never rewritten.

The newest figures of a lecture lie in its workspace too (``metrics.json``), for readers of one lecture.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from f2f.errors import UsageError
from f2f.library.iso_time import IsoTime
from f2f.manifest import Manifest, StageRecord
from f2f.results import LipSyncScore
from f2f.workspace import write_atomically

METRICS_NAME = "library.jsonl"
LATEST_NAME = "metrics.json"
_TAIL_BYTES = 2**20  # where an output is looked for whose writer died before it could note it elsewhere
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class _Record(BaseModel):
    # Later versions may write more than this one knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class SyncMetrics(_Record):
    """Lip-sync error of a whole video."""

    lse_d: float
    lse_c: float
    offset_frames: int
    n_windows: int


class StageMetrics(_Record):
    """What one stage took, when its work was done; ``reused`` if that was in an earlier run."""

    seconds: float
    real_time_factor: float
    peak_memory_mib: float | None
    reused: bool
    engine: str | None
    model: str = ""
    """What its engine worked with."""


class OutputMetrics(_Record):
    """One line: an output as it was when it was finished."""

    time: IsoTime
    """When, in UTC."""
    lecture: str
    """Path of the source relative to the library."""
    language: str
    source_language: str
    duration_s: float
    """Of the source."""
    syncnet: str
    """What measured; numbers of different SyncNets must not be compared."""
    source: SyncMetrics | None
    output: SyncMetrics | None
    stages: dict[str, StageMetrics]
    peak_memory_mib: float | None
    """Of the stage that took most."""
    n_segments: int
    n_spoken: int
    n_warnings: int
    manifest: str
    """SHA-256 of the manifest that this was read from."""

    @property
    def real_time_factor(self) -> float:
        """All stages together, reused ones with what they once took."""
        return sum(stage.real_time_factor for stage in self.stages.values())


class _Latest(_Record):
    """Newest figures of one language, and size and time stamp of the manifest they came from."""

    size: int
    mtime_ns: int
    figures: OutputMetrics


_LatestByLanguage = TypeAdapter(dict[str, _Latest])


def append_metrics(output_dir: Path, lecture_name: str, outputs_manifest: Path) -> bool:
    """Append the figures of a finished output to the library's, unless this very output is there already.

    Several processes may do so at once. A line that a dying process left half-written is cut off first.

    Args:
        output_dir: of the library.
        lecture_name: as in the library.
        outputs_manifest: of the finished output, ``lecture.hi.json``.

    Returns:
        Whether a line was added.

    Raises:
        UsageError: the manifest cannot be read, or the line not be written.
    """
    try:
        data = outputs_manifest.read_bytes()
        manifest = Manifest.model_validate_json(data)
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{outputs_manifest} is no manifest that this f2f can read ({type(error).__name__}): "
            "run the lecture again"
        ) from error
    metrics = metrics_of(manifest, lecture_name, hashlib.sha256(data).hexdigest())
    workspace = _workspace_of(outputs_manifest, metrics.language)
    known = _read_latest(workspace)
    if metrics.language in known and known[metrics.language].figures.manifest == metrics.manifest:
        return False
    line = metrics.model_dump_json() + "\n"
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        added = _append(output_dir / METRICS_NAME, line.encode(), metrics.manifest.encode())
        if workspace.is_dir():
            status = outputs_manifest.stat()
            newest = _Latest(size=status.st_size, mtime_ns=status.st_mtime_ns, figures=metrics)
            latest = _LatestByLanguage.dump_json({**known, metrics.language: newest}, indent=1)
            write_atomically(workspace / LATEST_NAME, latest.decode())
    except OSError as error:
        raise UsageError(
            f"the figures of {lecture_name} cannot be added to {output_dir / METRICS_NAME} "
            f"({error.strerror}): make room or permit writing there"
        ) from error
    return added


def read_metrics(path: Path) -> Iterator[OutputMetrics]:
    """Give the lines of ``library.jsonl`` in order; nothing where there is no file, no line that is torn."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            with contextlib.suppress(ValidationError):
                yield OutputMetrics.model_validate_json(line)


def current_metrics(lecture_name: str, language: str, outputs_manifest: Path) -> OutputMetrics | None:
    """Return the figures of an output as it lies there now; None if there is none.

    They come from the workspace, or from the manifest itself where that was made anew since.
    """
    latest = _read_latest(_workspace_of(outputs_manifest, language)).get(language)
    try:
        status = outputs_manifest.stat()
        if latest and (latest.size, latest.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return latest.figures
        data = outputs_manifest.read_bytes()
        return metrics_of(Manifest.model_validate_json(data), lecture_name, hashlib.sha256(data).hexdigest())
    except (OSError, ValidationError):
        return None


def _read_latest(workspace_root: Path) -> Mapping[str, _Latest]:
    try:
        return _LatestByLanguage.validate_json((workspace_root / LATEST_NAME).read_bytes())
    except (OSError, ValidationError):
        return {}


def metrics_of(manifest: Manifest, lecture_name: str, manifest_sha256: str) -> OutputMetrics:
    """Return the figures that stand in a manifest, with the time now."""
    stages = {record.stage: _stage_metrics(record, manifest) for record in manifest.stages}
    peaks = [stage.peak_memory_mib for stage in stages.values() if stage.peak_memory_mib is not None]
    return OutputMetrics(
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        lecture=lecture_name,
        language=manifest.output.language,
        source_language=manifest.source.language,
        duration_s=manifest.source.duration_s,
        syncnet=f"{manifest.metrics.engine.name} {manifest.metrics.engine.detail}".strip(),
        source=_sync_metrics(manifest.metrics.source.whole),
        output=_sync_metrics(manifest.metrics.output.whole),
        stages=stages,
        peak_memory_mib=max(peaks, default=None),
        n_segments=len(manifest.segments),
        n_spoken=sum(entry.fit is not None for entry in manifest.segments),
        n_warnings=len(manifest.warnings),
        manifest=manifest_sha256,
    )


def _stage_metrics(record: StageRecord, manifest: Manifest) -> StageMetrics:
    timed = record.beside(manifest.source.duration_s)
    return StageMetrics(
        seconds=timed.seconds,
        real_time_factor=timed.real_time_factor or 0.0,
        peak_memory_mib=timed.peak_memory_mib,
        reused=timed.reused,
        engine=timed.engine.name if timed.engine else None,
        model=timed.engine.detail if timed.engine else "",
    )


def _sync_metrics(score: LipSyncScore | None) -> SyncMetrics | None:
    return None if score is None else SyncMetrics.model_validate(score.model_dump())


def _workspace_of(outputs_manifest: Path, language: str) -> Path:
    return outputs_manifest.parent / ".f2f" / outputs_manifest.name.removesuffix(f".{language}.json")


def _append(path: Path, line: bytes, mark: bytes) -> bool:
    """Add ``line`` unless one with ``mark`` is among the last; whole or not at all."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        is_alone = _lock(file)
        size = os.fstat(file).st_size
        tail = os.pread(file, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        if mark in tail:
            return False
        torn = tail[tail.rfind(b"\n") + 1 :]
        if torn and is_alone and not _is_json(torn):
            size -= len(torn)
            os.ftruncate(file, size)
        elif torn:  # whole but for its end, or perhaps of someone who still writes
            line = b"\n" + line
        try:
            if os.write(file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file)
        except OSError:
            if is_alone:
                os.ftruncate(file, size)
            raise
        return True
    finally:
        os.close(file)  # which gives the lock back


def _lock(file: int) -> bool:
    """Wait until nobody else appends; False on a file system without locks, where one write must do."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
