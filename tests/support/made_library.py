"""A library whose lectures have been through batches, without any work: what those leave behind."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from flow_samples import make_manifest

from f2f.library.lecture import Lecture, LibraryOptions, workspace_of
from f2f.library.metrics import append_metrics
from f2f.library.planning import hash_settings
from f2f.library.status import (
    LanguageStatus,
    LectureStatus,
    SourceFingerprint,
    State,
    read_status,
    write_status,
)
from f2f.manifest import StageRecord
from f2f.results import LipSyncScore, VideoScore

SHA = "ab" * 32


def add_lecture(options: LibraryOptions, name: str, video: Path | None = None) -> Lecture:
    """Put a lecture into the library."""
    path = options.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if video is None:
        path.write_bytes(b"video of " + name.encode())
    else:
        shutil.copyfile(video, path)
    return Lecture(path, name, options.targets)


def finish(
    options: LibraryOptions, lecture: Lecture, target: str, video: Path | None = None, **changes: Any
) -> Path:
    """Leave the outputs of one language as a batch does; return the manifest."""
    manifest = make_manifest(lecture.source, target)
    score = LipSyncScore(start_s=0, end_s=2, lse_d=7.25, lse_c=6.5, offset_frames=0, n_windows=40)
    stages = (
        StageRecord(
            stage="transcribe", seconds=0.8, reused=target != options.targets[0], peak_memory_mib=610.0
        ),
        StageRecord(stage="lipsync", seconds=9.0, reused=False, peak_memory_mib=812.5),
    )
    metrics = manifest.metrics.model_copy(update={"output": VideoScore(whole=score, stretches=(score,))})
    manifest = manifest.model_copy(update={"stages": stages, "metrics": metrics, **changes})
    workspace = workspace_of(lecture, options)
    workspace.mkdir(parents=True, exist_ok=True)
    base = workspace.parents[1] / f"{lecture.source.stem}.{target}"
    files = {suffix: base.with_name(base.name + suffix) for suffix in (".mp4", ".srt", ".json", ".html")}
    if video is None:
        files[".mp4"].write_bytes(b"no real video")
    else:
        shutil.copyfile(video, files[".mp4"])
    files[".srt"].write_text("1\n00:00:00,000 --> 00:00:01,000\nनमस्ते\n", encoding="utf-8")
    files[".html"].write_text("<p>report</p>", encoding="utf-8")
    files[".json"].write_text(manifest.model_dump_json(), encoding="utf-8")
    facts = files[".srt"].stat()
    made = (files[".srt"].name, facts.st_size, facts.st_mtime_ns)
    set_status(options, lecture, {target: {"subtitles": made}})
    append_metrics(options.output_dir, lecture.name, files[".json"])
    return files[".json"]


def fail(
    options: LibraryOptions, lecture: Lecture, target: str, state: State, error: str, attempts: int = 1
) -> None:
    """Leave a language as one that failed, to be tried again in ten minutes, or was given up."""
    due = datetime.now(timezone.utc) + timedelta(minutes=10)
    not_before = due.isoformat(timespec="seconds") if state == "failed" else None
    values = {"state": state, "error": error, "attempts": attempts, "not_before": not_before}
    set_status(options, lecture, {target: values})


def set_status(options: LibraryOptions, lecture: Lecture, languages: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``status.json``: done, but for what ``languages`` says."""
    root, facts = workspace_of(lecture, options), lecture.source.stat()
    known = read_status(root)
    base = {"state": "done", "source_sha256": SHA, "finished": "2026-03-01T10:00:00+00:00", "seconds": 12.5}
    made = {
        target: LanguageStatus.model_validate(
            {**base, "settings": hash_settings(lecture, options, target), **values}
        )
        for target, values in languages.items()
    }
    source = SourceFingerprint(size=facts.st_size, mtime_ns=facts.st_mtime_ns, sha256=SHA)
    before = known.languages if known else {}
    write_status(root, LectureStatus(name=lecture.name, source=source, languages={**before, **made}))
