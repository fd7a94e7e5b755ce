"""Turns one video into clips: every tracked face of every shot, cropped, with its sound, 25 frames a second.

Memory does not grow with the length of a video: held are a dozen frames, and for each face the crops of at
most twelve seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ
from lipsync_core.errors import MediaError
from lipsync_core.faces.centerface import FaceDetector
from lipsync_core.faces.geometry import (
    SYNCNET_BORDER_VALUE,
    SYNCNET_FACE_SIZE_PX,
    Box,
    FrameArray,
    crop_resized,
    expanded_box,
    generator_box,
    syncnet_box,
)
from lipsync_core.training.clip_sound import read_sound, speech_features
from lipsync_core.training.face_tracks import TrackedFace, follow_faces
from lipsync_core.training.people import Span
from lipsync_core.training.shard_writer import ClipArrays
from lipsync_core.training.shards import (
    FACE_STORE_PX,
    FACE_STORE_SCALE,
    FPS,
    HEAD_STORE_PX,
    ClipRecord,
)
from lipsync_core.training.sources import Source
from lipsync_core.training.sync_filter import Verdict, judge_sync

if TYPE_CHECKING:
    from lipsync_core.syncnet_meter import LoadedSyncNet

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS  # 640
MAX_LINES = 1_080  # taller videos are scaled down while decoding
PIECE_FRAMES = 250  # longer tracks are cut into clips of ten seconds ...
LONGEST_PIECE_FRAMES = 300  # ... or up to twelve, lest a snippet remains
MIN_FRAMES = 25
MIN_FACE_PX = 48

TOO_SHORT = "too short"
TOO_SMALL = "face too small"
NO_SOUND_THERE = "no sound there"


@dataclass(frozen=True)
class ClipOptions:
    """What makes a clip.

    Attributes:
        min_frames: shorter tracks are dropped.
        min_face_px: tracks whose face is lower than this are dropped.
        min_confidence: of the sync filter.
    """

    min_frames: int = MIN_FRAMES
    min_face_px: int = MIN_FACE_PX
    min_confidence: float = 0.0


@dataclass(frozen=True)
class Dropped:
    """A stretch of a track that was left out."""

    reason: str
    track: int
    start_s: float
    n_frames: int
    sync_confidence: float | None = None
    sync_offset: int | None = None


class ClipMaker:
    """Makes clips of videos; one per process.

    Args:
        detector: finds the faces.
        syncnet: judges lips and sound; None keeps every clip as it is.
        options: what makes a clip.

    Attributes:
        track_spans: first frame of each track of the video that `clips` has last gone through, and the frame
            behind its last.
    """

    def __init__(self, detector: FaceDetector, syncnet: LoadedSyncNet | None, options: ClipOptions) -> None:
        self._detector, self._syncnet, self.options = detector, syncnet, options
        self.track_spans: dict[int, Span] = {}

    def clips(self, source: Source) -> Iterator[ClipArrays | Dropped]:
        """Yield the clips of one video, and what was left out of it, in the order in which they end.

        Raises:
            MediaError: picture or sound cannot be decoded.
        """
        from lipsync_core.media import probe_media, read_frames

        wave = read_sound(source.path)
        video = probe_media(source.path).video
        if video is None:
            raise MediaError(f"{source.path} holds no picture")
        size = None
        if video.height > MAX_LINES:
            size = (round(video.width * MAX_LINES / video.height), MAX_LINES)
        pieces: dict[int, _Piece] = {}
        self.track_spans = {}
        n_clips = Counter[str]()
        for face in follow_faces(read_frames(source.path, fps=Fraction(FPS), size=size), self._detector):
            piece = pieces.get(face.track)
            if face.frame_bgr is not None:
                first, _ = self.track_spans.get(face.track, (face.frame_index, 0))
                self.track_spans[face.track] = first, face.frame_index + 1
                if piece is None:
                    piece = pieces[face.track] = _Piece(face.track, face.frame_index)
                piece.push(face, for_syncnet=self._syncnet is not None)
                if len(piece.faces) < LONGEST_PIECE_FRAMES:
                    continue
                full, pieces[face.track] = piece.split(PIECE_FRAMES)
            elif piece is None:
                continue
            else:
                full = pieces.pop(face.track)
            made = self._finished(source, full, wave, n_clips["clips"])
            n_clips["clips"] += isinstance(made, ClipArrays)
            yield made

    def _finished(
        self, source: Source, piece: _Piece, wave: npt.NDArray[Any], number: int
    ) -> ClipArrays | Dropped:
        """Return the clip of a piece with its sound, or why there is none."""
        options, start_s = self.options, piece.first_frame / FPS

        def dropped(reason: str, verdict: Verdict | None = None) -> Dropped:
            score = verdict.score if verdict else None
            return Dropped(
                reason, piece.track, start_s, len(piece.faces),
                round(score.confidence, 3) if score else None, score.offset if score else None,
            )  # fmt: skip

        if len(piece.faces) < options.min_frames:
            return dropped(TOO_SHORT)
        if np.median([box[3] - box[1] for box in piece.boxes]) < options.min_face_px:
            return dropped(TOO_SMALL)
        if wave.size < (piece.first_frame + options.min_frames) * SAMPLES_PER_FRAME:
            return dropped(NO_SOUND_THERE)
        verdict = self._judge(piece, wave)
        if verdict is not None and verdict.dropped:
            return dropped(verdict.dropped, verdict)
        shift = verdict.shift_frames if verdict else 0
        first, n_frames = _frames_with_sound(piece, shift, wave.size)
        if n_frames < options.min_frames:
            return dropped(NO_SOUND_THERE, verdict)
        return _clip(source, piece, slice(first, first + n_frames), wave, (shift, verdict, number))

    def _judge(self, piece: _Piece, wave: npt.NDArray[Any]) -> Verdict | None:
        if self._syncnet is None:
            return None
        from lipsync_core.syncnet_meter import TrackMeter

        meter = TrackMeter(self._syncnet, wave, piece.first_frame, self.options.min_frames)
        for picture in piece.syncnet_pictures:
            meter.push(picture)
        measured = meter.finish()
        if measured is None:
            return None
        return judge_sync(measured.distances, self.options.min_confidence)


@dataclass
class _Piece:
    """The crops of one face, for as long as a clip may be."""

    track: int
    first_frame: int
    boxes: list[Box] = field(default_factory=list)
    faces: list[FrameArray] = field(default_factory=list)
    heads: list[FrameArray] = field(default_factory=list)
    syncnet_pictures: list[FrameArray] = field(default_factory=list)

    def push(self, face: TrackedFace, for_syncnet: bool) -> None:
        """Cut one frame."""
        frame = face.frame_bgr
        assert frame is not None
        height, width = frame.shape[:2]
        wide = expanded_box(generator_box(face.box, width, height), FACE_STORE_SCALE)
        head = syncnet_box(face.box)
        self.boxes.append(face.box)
        self.faces.append(crop_resized(frame, wide, FACE_STORE_PX))
        self.heads.append(crop_resized(frame, head, HEAD_STORE_PX, SYNCNET_BORDER_VALUE))
        if for_syncnet:
            picture = crop_resized(frame, head, SYNCNET_FACE_SIZE_PX, SYNCNET_BORDER_VALUE)
            self.syncnet_pictures.append(picture)

    def split(self, count: int) -> tuple[_Piece, _Piece]:
        """Return the first ``count`` frames and the rest."""
        lists = (self.boxes, self.faces, self.heads, self.syncnet_pictures)
        first = _Piece(self.track, self.first_frame, *(values[:count] for values in lists))  # type: ignore[arg-type]
        rest = (values[count:] for values in lists)
        return first, _Piece(self.track, self.first_frame + count, *rest)  # type: ignore[arg-type]


def _frames_with_sound(piece: _Piece, shift_frames: int, n_samples: int) -> tuple[int, int]:
    """Return the first frame of a piece, and how many, for which the shifted sound exists."""
    heard = piece.first_frame - shift_frames  # frame whose sound belongs to the piece's first picture
    first = max(0, -heard)
    last = min(len(piece.faces), n_samples // SAMPLES_PER_FRAME - heard)
    return first, last - first


def _clip(
    source: Source,
    piece: _Piece,
    frames: slice,
    wave: npt.NDArray[Any],
    sync: tuple[int, Verdict | None, int],
) -> ClipArrays:
    shift, verdict, number = sync
    begin = piece.first_frame + frames.start
    mel, cepstra = speech_features(
        wave, (begin - shift) * SAMPLES_PER_FRAME, (frames.stop - frames.start) * SAMPLES_PER_FRAME
    )
    stem = Path(source.name).stem
    x1, y1, x2, y2 = (round(v, 2) for v in piece.boxes[frames.start])
    record = ClipRecord(
        name=f"{stem}-{number}" if number else stem,
        identity=source.identity,
        first_frame=0, n_frames=0, first_mel=0, n_mel=0, first_mfcc=0, n_mfcc=0,  # the writer knows
        box=(x1, y1, x2, y2),
        source=source.name,
        split=source.split,
        track=piece.track,
        start_s=begin / FPS,
        sound_shift_frames=shift,
        sync_distance=round(verdict.score.distance, 3) if verdict else None,
        sync_confidence=round(verdict.score.confidence, 3) if verdict else None,
        sync_offset=verdict.score.offset if verdict else None,
    )  # fmt: skip
    return ClipArrays(record, np.stack(piece.faces[frames]), np.stack(piece.heads[frames]), mel, cepstra)
