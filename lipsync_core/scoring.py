"""Scores the lip sync of whole videos: LSE per face track, over all of them, and over time.

Frames pass by once and only distances are kept, so memory does not grow with the length beyond about
130 bytes a frame. Frames go from the decoder to SyncNet without the JPEG files of the published scripts,
whose losses blur the metric: not bit-exact to them, and closer to the video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import SAMPLE_RATE_HZ
from lipsync_core.errors import InvalidInputError
from lipsync_core.evaluate import MAX_SHIFT, lse_of_distances
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.models.syncnet import SYNCNET_WINDOW_FRAMES
from lipsync_core.syncnet_crops import FPS, tracked_crops, whole_frame_crops
from lipsync_core.syncnet_meter import LoadedSyncNet, TrackDistances, load_syncnet, measure_tracks

__all__ = [
    "Curve",
    "LoadedSyncNet",
    "SyncScore",
    "VideoScore",
    "load_syncnet",
    "score_frames",
    "score_video",
]

Mode = Literal["track", "whole_frame"]
Progress = Callable[[int, "int | None"], None]
"""Called with frames done and frames in total (None while unknown)."""

MIN_TRACK_FRAMES = 25  # syncnet_python drops tracks of up to 100 frames, and with them short videos
CURVE_WINDOWS = 25  # smoothing of the curve over time: 1 s
MAX_LINES = 1_080  # taller videos are scaled down while decoding


@dataclass(frozen=True)
class SyncScore:
    """LSE of one face track, or of all together.

    Attributes:
        start_s: start of the first frame, from the start of the video.
        end_s: end of the last frame.
        distance: LSE-D, lower is better.
        confidence: LSE-C, higher is better.
        offset: in frames of 40 ms; see `lipsync_core.evaluate.LSE`.
        n_windows: five-frame windows that were measured.
    """

    start_s: float
    end_s: float
    distance: float
    confidence: float
    offset: int
    n_windows: int


@dataclass(frozen=True)
class Curve:
    """Sync over time, one value per window, as means over one second.

    Attributes:
        time_s: centre of each window; gaps where no face was tracked.
        distance: mean distance at shift 0, so that sound that is off shows as a rise.
        confidence: median over the shifts of the mean distances, minus ``distance``; below 0 where some
            shifts fit better than 0 does.
    """

    time_s: tuple[float, ...] = ()
    distance: tuple[float, ...] = ()
    confidence: tuple[float, ...] = ()


@dataclass(frozen=True)
class VideoScore:
    """All sync measurements of one video.

    Attributes:
        whole: mean distance per shift over the windows of all tracks together, then minimum and median as
            for one track; None when nothing could be measured.
        tracks: one per face track, in order of their start.
        curve: over time; where several faces are seen, of the one that fits best.
        syncnet_name: weights behind the numbers; those of different SyncNets must not be compared.
        mode: ``"track"`` or ``"whole_frame"``.
        reason: why ``whole`` is None, in words.
    """

    whole: SyncScore | None
    tracks: tuple[SyncScore, ...]
    curve: Curve
    syncnet_name: str
    mode: str
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts and lists for JSON."""
        plain = asdict(self)
        plain["tracks"] = list(plain["tracks"])
        plain["curve"] = {name: list(values) for name, values in plain["curve"].items()}
        return plain


def score_video(
    path: Path | str,
    *,
    syncnet: LoadedSyncNet | str | None = None,
    mode: Mode = "track",
    audio_stream: int = 0,
    waveform: npt.NDArray[np.floating[Any]] | Path | str | None = None,
    min_track_frames: int = MIN_TRACK_FRAMES,
    progress: Progress | None = None,
) -> VideoScore:
    """Measure how well lips and sound of a video agree.

    The picture is taken at 25 frames a second and the sound at 16 kHz mono, 16 bit. ``track`` is the
    published way for videos in the wild (``calculate_scores_real_videos``): every face is followed and
    cropped, here with CenterFace, for faces of any size and tracks from one second. ``whole_frame`` is the
    published way for face-crop videos such as LRS2 (``calculate_scores_LRS``).

    Args:
        path: video file.
        syncnet: a loaded network, a choice for `load_syncnet`, or None for ``auto`` without download.
        mode: ``"track"`` or ``"whole_frame"``.
        audio_stream: which of the file's audio streams is judged.
        waveform: other sound to judge the lips against: (N,) samples in -1...1 at 16 kHz mono, or a media
            file.
        min_track_frames: shorter face tracks are left out; the published script drops those of up to 100
            frames, that is 101 here.
        progress: told how many frames are done.

    Raises:
        MediaError: no decodable picture or sound.
        MissingModelError: the SyncNet or face detector is not installed.
        InvalidInputError: unknown ``mode`` or a waveform that is not mono.
    """
    from lipsync_core.media import probe_media, read_frames

    if mode not in ("track", "whole_frame"):
        raise InvalidInputError(f"unknown mode {mode!r}; allowed are 'track' and 'whole_frame'")
    net = syncnet if isinstance(syncnet, LoadedSyncNet) else load_syncnet(syncnet or "auto")
    wave = _sound(path, waveform, audio_stream)
    info = probe_media(path)
    size = None
    if info.video is not None and info.video.height > MAX_LINES:
        size = (round(info.video.width * MAX_LINES / info.video.height), MAX_LINES)
    frames = _counted(read_frames(path, fps=Fraction(FPS), size=size), round(info.duration_s * FPS), progress)
    return score_frames(frames, wave, net, mode=mode, min_track_frames=min_track_frames)


def score_frames(
    frames_bgr: Iterable[FrameArray],
    waveform: npt.NDArray[np.floating[Any]],
    syncnet: LoadedSyncNet,
    *,
    mode: Mode = "track",
    min_track_frames: int = MIN_TRACK_FRAMES,
) -> VideoScore:
    """Measure how well lips and sound agree in frames that are no file (yet).

    Args:
        frames_bgr: (H, W, 3) uint8 at 25 frames a second; frames beyond the sound are not judged.
        waveform: (N,) samples in -1...1 at 16 kHz, from the first frame on.
        syncnet: a loaded network.
        mode: see `score_video`.
        min_track_frames: see `score_video`.
    """
    if mode == "track":
        from lipsync_core.faces.centerface import CenterFace

        crops = tracked_crops(frames_bgr, CenterFace())
    else:
        crops = whole_frame_crops(frames_bgr)
        min_track_frames = 0
    tracks = list(measure_tracks(crops, syncnet, waveform, min_track_frames))
    return _video_score(tracks, syncnet.name, mode, min_track_frames)


def _video_score(
    tracks: Sequence[TrackDistances], syncnet_name: str, mode: str, min_track_frames: int
) -> VideoScore:
    if not tracks:
        least = max(min_track_frames, SYNCNET_WINDOW_FRAMES + 1) / FPS
        what = "no face was followed, with sound," if mode == "track" else "there is no picture with sound"
        return VideoScore(None, (), Curve(), syncnet_name, mode, f"{what} for {least:.2g} s or longer")
    tracks = sorted(tracks, key=lambda track: track.first_frame)
    start = tracks[0].first_frame
    end = max(track.first_frame + track.n_frames for track in tracks)
    together = np.concatenate([track.distances for track in tracks])
    return VideoScore(
        whole=_score(together, start, end),
        tracks=tuple(_score(t.distances, t.first_frame, t.first_frame + t.n_frames) for t in tracks),
        curve=_curve(tracks),
        syncnet_name=syncnet_name,
        mode=mode,
    )


def _score(distances: npt.NDArray[np.float32], first_frame: int, end_frame: int) -> SyncScore:
    result = lse_of_distances(distances)
    return SyncScore(
        first_frame / FPS,
        end_frame / FPS,
        result.distance,
        result.confidence,
        result.offset,
        result.n_windows,
    )


def _curve(tracks: Sequence[TrackDistances]) -> Curve:
    best: dict[int, tuple[float, float]] = {}
    for track in tracks:
        means = _sliding_mean(track.distances, CURVE_WINDOWS)
        distance = means[:, MAX_SHIFT]
        confidence = np.median(means, axis=1) - distance
        for v in range(len(means)):
            point = float(distance[v]), float(confidence[v])
            at = track.first_frame + v
            best[at] = min(best.get(at, point), point)
    frames = sorted(best)
    return Curve(
        tuple(round((at + SYNCNET_WINDOW_FRAMES / 2) / FPS, 3) for at in frames),
        tuple(best[at][0] for at in frames),
        tuple(best[at][1] for at in frames),
    )


def _sliding_mean(values: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float64]:
    """Return the centred mean over up to ``length`` rows; fewer at the ends."""
    sums = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)))
    at = np.arange(len(values))
    first = np.maximum(at - length // 2, 0)
    last = np.minimum(at + length // 2 + 1, len(values))
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def _sound(
    path: Path | str, waveform: npt.NDArray[np.floating[Any]] | Path | str | None, audio_stream: int
) -> npt.NDArray[Any]:
    from lipsync_core.media import read_audio

    if waveform is None:
        return read_audio(path, SAMPLE_RATE_HZ, audio_stream)
    if isinstance(waveform, (str, Path)):
        return read_audio(waveform, SAMPLE_RATE_HZ)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise InvalidInputError(
            f"waveform has shape {waveform.shape} and type {waveform.dtype}; needed is mono float at 16 kHz"
        )
    return waveform


def _counted(
    frames: Iterator[FrameArray], total: int | None, progress: Progress | None
) -> Iterator[FrameArray]:
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(done, total or None)
