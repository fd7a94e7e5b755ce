"""Turn a folder tree of talking-face clips into memory-mapped training data.

``python -m lipsync_core.training.prepare SRC DST``. The identity of a clip is its parent folder's name.
Written are raw arrays that grow clip by clip (memory stays flat) and ``clips.json``, which says where each
clip lies in them; see `lipsync_core.training.dataset`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ, mel_spectrogram, mfcc
from lipsync_core.errors import InvalidInputError, LipSyncError, MediaError, NoFaceError
from lipsync_core.faces.centerface import CenterFace, FaceDetector
from lipsync_core.faces.geometry import (
    SYNCNET_BORDER_VALUE,
    Box,
    FrameArray,
    crop_resized,
    expanded_box,
    generator_box,
    syncnet_box,
)
from lipsync_core.media import read_audio, read_frames
from lipsync_core.training.shards import (
    ARRAY_FILES,
    CLIP_SUFFIXES,
    FACE_STORE_PX,
    FACE_STORE_SCALE,
    FORMAT_VERSION,
    FPS,
    HEAD_STORE_PX,
    ClipRecord,
)

logger = logging.getLogger(__name__)

DETECT_EVERY_FRAMES = 25
MAX_PIECE_FRAMES = 250  # ten seconds: what is held in memory at once
MIN_FRAMES = 15  # the published trainers skip shorter clips


def prepare(source: Path, target: Path) -> int:
    """Prepare every clip below ``source`` into the new folder ``target`` and return how many were kept.

    Clips without a face or without sound are skipped with a warning.

    Raises:
        InvalidInputError: no clips below ``source``, or ``target`` exists.
    """
    clips = sorted(p for p in source.rglob("*") if p.suffix.lower() in CLIP_SUFFIXES)
    if not clips:
        raise InvalidInputError(
            f"no clips below {source}; expected files ending in {', '.join(CLIP_SUFFIXES)}"
        )
    if target.exists():
        raise InvalidInputError(f"{target} exists; give a new folder or delete it first")
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    records: list[ClipRecord] = []
    detector = CenterFace()
    with _ArrayWriter(part) as writer:
        for number, clip in enumerate(clips, 1):
            try:
                records.extend(_prepare_clip(clip, detector, writer))
            except (MediaError, NoFaceError) as error:
                logger.warning("skipped %s: %s", clip, error)
            if number % 50 == 0:
                logger.info("prepared %d of %d clips", number, len(clips))
    if not records:
        raise InvalidInputError(f"none of the {len(clips)} clips below {source} holds a face and sound")
    index = {"format_version": FORMAT_VERSION, "fps": FPS, "clips": [asdict(r) for r in records]}
    (part / "clips.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
    part.replace(target)
    return len(records)


class _ArrayWriter:
    """Appends rows to the raw array files of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._files = {n: self._stack.enter_context((folder / n).open("wb")) for n in ARRAY_FILES}
        self.rows = dict.fromkeys(ARRAY_FILES, 0)

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


def _prepare_clip(clip: Path, detector: FaceDetector, writer: _ArrayWriter) -> Iterator[ClipRecord]:
    """Prepare one file, a long one in pieces of ten seconds, each with a face box of its own."""
    pcm = np.clip(np.round(read_audio(clip, SAMPLE_RATE_HZ) * 32768.0), -32768, 32767).astype(np.int16)
    frames = read_frames(clip, fps=Fraction(FPS))
    for number in itertools.count():
        piece = list(itertools.islice(frames, MAX_PIECE_FRAMES))
        start = number * MAX_PIECE_FRAMES * SAMPLE_RATE_HZ // FPS
        sound = pcm[start : start + MAX_PIECE_FRAMES * SAMPLE_RATE_HZ // FPS]
        n_frames = min(len(piece), sound.size * FPS // SAMPLE_RATE_HZ)
        if n_frames < MIN_FRAMES:
            if number == 0:
                raise MediaError(f"only {n_frames} frames with sound; at least {MIN_FRAMES} are needed")
            return
        name = clip.stem if number == 0 else f"{clip.stem}-{number}"
        yield _write_piece(name, clip.parent.name, piece[:n_frames], sound, detector, writer)


def _write_piece(
    name: str,
    identity: str,
    frames: list[FrameArray],
    pcm: npt.NDArray[np.int16],
    detector: FaceDetector,
    writer: _ArrayWriter,
) -> ClipRecord:
    height, width = frames[0].shape[:2]
    box = _median_box(frames, detector)
    wide = expanded_box(generator_box(box, width, height), FACE_STORE_SCALE)
    head = syncnet_box(box)
    faces = np.stack([crop_resized(f, wide, FACE_STORE_PX) for f in frames])
    heads = np.stack([crop_resized(f, head, HEAD_STORE_PX, SYNCNET_BORDER_VALUE) for f in frames])
    mel = mel_spectrogram(pcm / 32768.0).T
    cepstra = mfcc(pcm).T
    writer.append("heads.u8", heads)
    return ClipRecord(
        name=name,
        identity=identity,
        first_frame=writer.append("faces.u8", faces),
        n_frames=len(frames),
        first_mel=writer.append("mel.f32", mel),
        n_mel=len(mel),
        first_mfcc=writer.append("mfcc.f32", cepstra),
        n_mfcc=len(cepstra),
        box=box,
    )


def _median_box(frames: Sequence[FrameArray], detector: FaceDetector) -> Box:
    """Return the median box of the largest face in every 25th frame."""
    found = [
        max(faces, key=lambda f: f.area).box
        for f in frames[::DETECT_EVERY_FRAMES]
        if (faces := detector.detect(f))
    ]
    if not found:
        raise NoFaceError("no face found; use clips that show one")
    x1, y1, x2, y2 = (float(v) for v in np.median(np.array(found), axis=0))
    return x1, y1, x2, y2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lipsync_core.training.prepare", description=__doc__)
    parser.add_argument("source", type=Path, help="folder tree of clips; parent folder = identity")
    parser.add_argument("target", type=Path, help="new folder for the training data")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        logger.info("prepared %d clips in %s", prepare(args.source, args.target), args.target)
    except LipSyncError as error:
        logger.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
