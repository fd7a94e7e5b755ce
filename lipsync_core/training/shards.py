"""Format of the training data: what lies where on disk (needs neither torch nor OpenCV).

Format 1 is one folder: ``clips.json`` and four raw arrays that hold the rows of all clips one after another.
Format 2 is a folder of such folders, ``shard-00000`` and so on, beside ``shards.json``.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from lipsync_core.errors import InvalidInputError

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1  # of one folder of arrays
SHARDS_FORMAT_VERSION = 2  # of a folder of such folders
FPS = 25
FACE_STORE_PX = 120  # the 96-px generator crop plus a quarter, so that training can shift and scale it
FACE_STORE_SCALE = FACE_STORE_PX / 96  # 1.25
HEAD_STORE_PX = 112  # half of SyncNet's 224 px: GRID faces hold no more detail
CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")

ARRAY_FILES = ("faces.u8", "heads.u8", "mel.f32", "mfcc.f32")
INDEX_FILE = "clips.json"
SHARDS_FILE = "shards.json"
SHARD_PATTERN = "shard-[0-9]*[0-9]"


@dataclass(frozen=True)
class ClipRecord:
    """Where one clip lies in the arrays (offsets and counts along the first axis), and where it comes from.

    Attributes:
        box: x1, y1, x2, y2 of the face in the clip's first frame, in pixels of the video.
        shard: number of the shard, in the order in which they are read.
        source: file below the source folder, with forward slashes.
        split: ``train``, ``val``, ``test``, ... where the source's file lists or folders tell, else empty.
        track: number of the face track within its source, from 0.
        person: number of the person within its source, from 1, where others are seen at the same time; the
            identity then tells this person apart. Else 0.
        start_s: when the clip begins in its source.
        sound_shift_frames: frames by which the sound was delayed to meet the lips; negative: brought forward.
        sync_distance: LSE-D as measured, None where nothing was measured.
        sync_confidence: LSE-C.
        sync_offset: in frames, before the sound was shifted.
    """

    name: str
    identity: str
    first_frame: int
    n_frames: int
    first_mel: int
    n_mel: int
    first_mfcc: int
    n_mfcc: int
    box: tuple[float, float, float, float]
    shard: int = 0
    source: str = ""
    split: str = ""
    track: int = 0
    start_s: float = 0.0
    sound_shift_frames: int = 0
    sync_distance: float | None = None
    sync_confidence: float | None = None
    sync_offset: int | None = None
    person: int = 0


def shard_folders(folder: Path) -> list[Path]:
    """Return the folders of arrays of training data, ``folder`` itself or the shards in it.

    Raises:
        InvalidInputError: another format.
    """
    shards = sorted(path for path in folder.glob(SHARD_PATTERN) if path.is_dir())
    if not shards:
        return [folder]
    index = folder / SHARDS_FILE
    if index.exists():
        about = json.loads(index.read_text(encoding="utf-8"))
        version = about.get("format_version")
        if version != SHARDS_FORMAT_VERSION:
            raise InvalidInputError(
                f"{folder} has data format {version!r}, this program reads {SHARDS_FORMAT_VERSION}: "
                "preprocess it again"
            )
        if not about.get("is_finished"):
            logger.warning("preprocessing of %s is not finished; what is there so far is read", folder)
    return shards
