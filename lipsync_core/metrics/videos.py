"""Measures many videos, one row each; a bad file is a row that says why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipsync_core.errors import InvalidInputError, LipSyncError, MissingModelError
from lipsync_core.media import VIDEO_SUFFIXES
from lipsync_core.metrics.compare import Comparison, FindMouth, compare_videos, mean_of
from lipsync_core.metrics.face_sets import FaceSets, Frechet
from lipsync_core.metrics.full_reference import plain_number
from lipsync_core.scoring import MIN_TRACK_FRAMES, LoadedSyncNet, Mode, VideoScore, load_syncnet, score_video

logger = logging.getLogger(__name__)

IN_SYNC_FRAMES = 1  # offsets of up to one frame count as in sync

Progress = Callable[[int, "int | None"], None]


@dataclass(frozen=True)
class VideoOptions:
    """How videos are measured.

    Attributes:
        syncnet: weights of the SyncNet: auto, embedded, syncnet_v2, or a file.
        mode: ``"track"`` or ``"whole_frame"``, see `lipsync_core.scoring.score_video`.
        min_track_frames: shorter face tracks are left out.
        audio: other sound to judge the lips against.
        audio_stream: which audio stream of the videos.
        reference: the true video, or a folder with one of the same name for every video; None for no
            comparison.
        device: torch device.
    """

    syncnet: str = "auto"
    mode: Mode = "track"
    min_track_frames: int = MIN_TRACK_FRAMES
    audio: Path | None = None
    audio_stream: int = 0
    reference: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class VideoRow:
    """Everything measured of one video.

    Attributes:
        video: file.
        score: lip sync, or None.
        comparison: with the true video, or None.
        error: why something is missing, in words.
    """

    video: Path
    score: VideoScore | None = None
    comparison: Comparison | None = None
    error: str | None = None

    @property
    def figures(self) -> dict[str, float | None]:
        """The numbers of the row, by the names of the CSV."""
        whole = self.score.whole if self.score else None
        return {
            "lse_d": whole.distance if whole else None,
            "lse_c": whole.confidence if whole else None,
            "offset_frames": float(whole.offset) if whole else None,
            **(self.comparison.means() if self.comparison else {}),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts and lists for JSON; lip sync lies at the top."""
        plain: dict[str, Any] = {"video": str(self.video), "error": self.error}
        plain.update(
            self.score.to_dict() if self.score else {"whole": None, "tracks": [], "reason": self.error}
        )
        plain["comparison"] = self.comparison.to_dict() if self.comparison else None
        return plain


@dataclass(frozen=True)
class Summary:
    """Plain means over videos, as in the papers' tables.

    Attributes:
        n_videos: measured.
        n_failed: rows without a number.
        figures: mean of each number over the videos that have it.
        in_sync_share: share of videos whose offset is within one frame.
        frechet: over all faces of the set, or None.
        not_measured: metric to reason.
    """

    n_videos: int
    n_failed: int
    figures: dict[str, float | None]
    in_sync_share: float | None
    frechet: Frechet | None
    not_measured: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts for JSON."""
        return {
            "n_videos": self.n_videos,
            "n_failed": self.n_failed,
            "mean": {name: plain_number(value) for name, value in self.figures.items()},
            "in_sync_share": self.in_sync_share,
            "frechet": vars(self.frechet) if self.frechet else None,
            "not_measured": self.not_measured,
        }


def find_videos(inputs: Iterable[Path]) -> list[Path]:
    """Return the files named, and all videos below the folders named, in the order of their names.

    Raises:
        InvalidInputError: a folder without videos.
    """
    found: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(
            (p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".")),
            key=lambda p: p.relative_to(path).as_posix(),
        )
        if not below:
            raise InvalidInputError(f"{path} holds no videos ({', '.join(VIDEO_SUFFIXES)})")
        found += below
    return found


class VideoMeter:
    """Measures videos one after the other and keeps what a summary needs.

    Args:
        options: see `VideoOptions`.

    Raises:
        MissingModelError: the SyncNet, or scikit-image with a reference, is not here.
    """

    def __init__(self, options: VideoOptions) -> None:
        self.options = options
        self.rows: list[VideoRow] = []
        self.not_measured: dict[str, str] = {}
        self._net: LoadedSyncNet = load_syncnet(options.syncnet, options.device)
        self._faces: FaceSets | None = None
        self._find_mouth: FindMouth | None = None
        if options.reference is not None:
            self._prepare_comparison(options)

    def _prepare_comparison(self, options: VideoOptions) -> None:
        from lipsync_core.metrics.features import load_features
        from lipsync_core.metrics.landmarks import MouthLandmarks
        from lipsync_core.metrics.packages import import_optional

        import_optional("skimage.metrics", "scikit-image", "SSIM")
        self._faces = FaceSets(load_features(options.device))
        try:
            self._find_mouth = MouthLandmarks(options.device)
        except MissingModelError as error:
            self.not_measured["lmd_px"] = str(error)

    @property
    def syncnet_name(self) -> str:
        """Name of the SyncNet behind the numbers."""
        return self._net.name

    def measure(self, video: Path, progress: Progress | None = None) -> VideoRow:
        """Measure one video and keep its row; what goes wrong stands in the row."""
        import cv2

        score = comparison = None
        problems: list[str] = []
        try:
            score = self._score(video, progress)
            problems += [score.reason] if score.reason else []
        except (LipSyncError, OSError, RuntimeError, ValueError, cv2.error) as error:
            problems.append(_one_line(error))
        try:
            comparison = self._compare(video)
        except (LipSyncError, OSError, RuntimeError, ValueError, cv2.error) as error:
            problems.append(_one_line(error))
        row = VideoRow(video, score, comparison, "; ".join(dict.fromkeys(problems)) or None)
        self.rows.append(row)
        return row

    def measure_or_raise(self, video: Path, progress: Progress | None = None) -> VideoRow:
        """Measure one video and keep its row.

        Raises:
            MediaError: no decodable picture or sound.
            InvalidInputError: no true video of its name.
        """
        score = self._score(video, progress)
        row = VideoRow(video, score, self._compare(video), score.reason)
        self.rows.append(row)
        return row

    def _score(self, video: Path, progress: Progress | None) -> VideoScore:
        return score_video(
            video,
            syncnet=self._net,
            mode=self.options.mode,
            audio_stream=self.options.audio_stream,
            waveform=self.options.audio,
            min_track_frames=self.options.min_track_frames,
            progress=progress,
        )

    def _compare(self, video: Path) -> Comparison | None:
        if self.options.reference is None:
            return None
        true = reference_of(video, self.options.reference)
        return compare_videos(video, true, self._faces, self._find_mouth)

    def summary(self) -> Summary:
        """Return the means over all videos measured so far."""
        return summarise(self.rows, self._frechet(), self.not_measured)

    def _frechet(self) -> Frechet | None:
        faces = self._faces
        if faces is None:
            return None
        if faces.true.count < 2:
            self.not_measured["frechet"] = "too few faces in the reference videos"
            return None
        return faces.frechet()


def summarise(rows: Sequence[VideoRow], frechet: Frechet | None, not_measured: dict[str, str]) -> Summary:
    """Return plain means over rows."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    offsets = [row.score.whole.offset for row in rows if row.score and row.score.whole]
    failed = sum(all(value is None for value in row.figures.values()) for row in rows)
    return Summary(
        n_videos=len(rows) - failed,
        n_failed=failed,
        figures={name: mean_of([row.figures.get(name) for row in rows]) for name in names},
        in_sync_share=sum(abs(o) <= IN_SYNC_FRAMES for o in offsets) / len(offsets) if offsets else None,
        frechet=frechet,
        not_measured=dict(not_measured),
    )


def reference_of(video: Path, reference: Path) -> Path:
    """Return the true video of a video: the file itself, or the one of the same name in a folder.

    Raises:
        InvalidInputError: nothing or several of that name in the folder.
    """
    if not reference.is_dir():
        return reference
    same = list(_same_name(video, reference))
    if len(same) == 1:
        return same[0]
    found = f"{len(same)} videos" if same else "no video"
    raise InvalidInputError(f"{reference} holds {found} named {video.stem}.* to compare {video} with")


def _same_name(video: Path, folder: Path) -> Iterator[Path]:
    """Yield videos of that name: those in a folder named as the video's own, if any, else all below."""
    below = [p for p in find_videos([folder]) if p.stem == video.stem and p.resolve() != video.resolve()]
    nearest = [p for p in below if p.parent.name == video.parent.name]
    yield from nearest or below


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
