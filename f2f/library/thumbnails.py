"""A small picture of each finished lecture, for the index."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Container
from pathlib import Path

from pydantic import ValidationError

from f2f.manifest import Manifest
from f2f.report.moments import picture_time_s
from f2f.workspace import write_bytes_atomically
from lipsync_core.errors import LipSyncError
from lipsync_core.media.ffmpeg import input_argument, run_ffmpeg

FOLDER_NAME = "thumbnails"
SIZE_PX = (320, 180)
_OWN_NAME = re.compile(r"[0-9a-f]{16}")
_STAMP_TOLERANCE_NS = 2 * 10**9  # some shared folders keep time stamps in steps of two seconds


def thumbnail_path(library_folder: Path, lecture_name: str) -> Path:
    """Return where the picture of a lecture lies, whatever its name."""
    digest = _digest(lecture_name)
    return library_folder / FOLDER_NAME / digest[:2] / f"{digest}.jpg"


def has_picture(path: Path) -> bool:
    """Whether there is one; an empty file says that none could be taken."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def refresh_thumbnail(path: Path, video: Path, manifest: Path) -> bool:
    """Take the picture of an output, unless it is there and of this very output.

    It bears the time stamp of the manifest, by which the next call knows it.

    Returns:
        Whether there is such an output.
    """
    try:
        stamp_ns = manifest.stat().st_mtime_ns
    except OSError:
        return False
    with contextlib.suppress(OSError):
        if abs(path.stat().st_mtime_ns - stamp_ns) <= _STAMP_TOLERANCE_NS:
            return True
    write_bytes_atomically(path, _take(video, manifest))
    os.utime(path, ns=(stamp_ns, stamp_ns))
    return True


def tidy_thumbnails(library_folder: Path, lecture_keys: Container[int]) -> None:
    """Remove the pictures of all lectures but those with these ``thumbnail_key``."""
    for path in (library_folder / FOLDER_NAME).glob("*/*.jpg"):
        if _OWN_NAME.fullmatch(path.stem) and int(path.stem, 16) not in lecture_keys:
            path.unlink(missing_ok=True)


def thumbnail_key(lecture_name: str) -> int:
    """Return what tells lectures apart, of a size that 100,000 of them may have in memory."""
    return int(_digest(lecture_name), 16)


def _digest(lecture_name: str) -> str:
    return hashlib.sha256(lecture_name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _take(video: Path, manifest: Path) -> bytes:
    width, height = SIZE_PX
    try:
        time_s = picture_time_s(Manifest.model_validate_json(manifest.read_bytes()))
        return run_ffmpeg(
            [
                "-ss", f"{max(time_s, 0.0):.3f}", "-i", input_argument(video),
                "-map", "0:v:0", "-frames:v", "1", "-vf",
                f"scale=iw*sar:ih,setsar=1,scale={width}:{height}:force_original_aspect_ratio=increase,"
                f"crop={width}:{height}",
                "-q:v", "5", "-f", "image2pipe", "-c:v", "mjpeg", "pipe:1",
            ],
            what=f"taking a picture of {video.name}",
        )  # fmt: skip
    except (LipSyncError, OSError, ValidationError):
        return b""
