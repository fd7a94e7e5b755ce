"""Runs SyncNet over the crops of face tracks and keeps the distances between lips and sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lipsync_core.audio import MFCC_HOP_SAMPLES, SAMPLE_RATE_HZ, mfcc
from lipsync_core.checkpoints import load_network
from lipsync_core.evaluate import MAX_SHIFT, ShiftDistances
from lipsync_core.faces.geometry import FrameArray
from lipsync_core.models.syncnet import SYNCNET_WINDOW_FRAMES, SYNCNET_WINDOW_MFCC, SyncNet
from lipsync_core.syncnet_crops import FPS, Crop

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS  # 640
MFCC_PER_FRAME = SAMPLES_PER_FRAME // MFCC_HOP_SAMPLES  # 4
_BATCH_WINDOWS = 10
_PCM_SCALE = 32_768.0


@dataclass(frozen=True)
class LoadedSyncNet:
    """A SyncNet ready to measure, and the name under which its numbers are reported."""

    name: str
    network: SyncNet

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network.parameters()).device


def load_syncnet(
    choice: str = "auto", device: str | torch.device = "cpu", *, allow_download: bool = False
) -> LoadedSyncNet:
    """Load a SyncNet.

    Args:
        choice: ``auto``, ``embedded``, ``syncnet_v2``, or the path of a file; see
            `lipsync_core.weights.resolve`.
        device: where it shall run.
        allow_download: whether published weights may be fetched.

    Raises:
        MissingModelError: the weights are not here and cannot be fetched.
        CheckpointError: the file is damaged or of another network.
    """
    from lipsync_core.weights import fetch, resolve

    weights = resolve("syncnet", choice, allow_download=allow_download)
    network = load_network(fetch(weights), "syncnet", device)
    assert isinstance(network, SyncNet)
    return LoadedSyncNet(weights.name, network)


@dataclass(frozen=True)
class TrackDistances:
    """What SyncNet says about one track.

    Attributes:
        first_frame: its first frame in the video.
        n_frames: frames with sound.
        distances: (windows, 31) distance of each window at each shift; column 15 is shift 0.
    """

    first_frame: int
    n_frames: int
    distances: npt.NDArray[np.float32]  # (windows, shifts)


class TrackMeter:
    """Takes the crops of one track and keeps the distances of its windows at all shifts."""

    def __init__(self, net: LoadedSyncNet, wave: npt.NDArray[Any], first_frame: int, min_frames: int) -> None:
        self._net = net
        self._wave = wave[first_frame * SAMPLES_PER_FRAME :]  # as if the sound were cut with the track
        self._min_frames = min_frames
        self._first_frame = first_frame
        self._n_frames = 0
        self._n_windows = 0
        self._pending: list[FrameArray] = []
        self._shifts = ShiftDistances(MAX_SHIFT)
        self._rows: list[npt.NDArray[np.float32]] = []

    def push(self, image_bgr: FrameArray) -> None:
        """Take the next frame; frames beyond the end of the sound cannot be judged and are left out."""
        if self._n_frames >= self._wave.size // SAMPLES_PER_FRAME:
            return
        self._n_frames += 1
        self._pending.append(image_bgr)
        if self._n_frames >= self._min_frames:
            while self._n_ready >= _BATCH_WINDOWS:
                self._measure(_BATCH_WINDOWS)

    def finish(self) -> TrackDistances | None:
        """Return the distances, or None when the track is too short."""
        if self._n_frames < max(self._min_frames, SYNCNET_WINDOW_FRAMES + 1):
            return None
        while self._n_ready > 0:
            self._measure(min(self._n_ready, _BATCH_WINDOWS))
        self._rows.append(self._shifts.finish().astype(np.float32))
        return TrackDistances(self._first_frame, self._n_frames, np.concatenate(self._rows))

    @property
    def _n_ready(self) -> int:
        """Whole windows at hand, less the last one, which the published script leaves out as well."""
        return len(self._pending) - SYNCNET_WINDOW_FRAMES

    def _measure(self, count: int) -> None:
        device = self._net.device
        frames = np.stack(self._pending[: count + SYNCNET_WINDOW_FRAMES - 1])
        del self._pending[:count]
        lips = torch.from_numpy(frames).to(device, torch.float32).permute(0, 3, 1, 2)
        lips = lips.unfold(0, SYNCNET_WINDOW_FRAMES, 1).permute(0, 1, 4, 2, 3)
        first = self._n_windows * MFCC_PER_FRAME
        n_columns = (count - 1) * MFCC_PER_FRAME + SYNCNET_WINDOW_MFCC
        columns = torch.from_numpy(mfcc_columns(self._wave, first, n_columns)).to(device)
        sounds = columns.unfold(1, SYNCNET_WINDOW_MFCC, MFCC_PER_FRAME).permute(1, 0, 2)[:, None]
        with torch.inference_mode():
            self._shifts.push_audio(self._net.network.forward_audio(sounds.contiguous()).cpu().numpy())
            lip_features = self._net.network.forward_lip(lips.contiguous()).cpu().numpy()
        self._rows.append(self._shifts.push_video(lip_features).astype(np.float32))
        self._n_windows += count


def mfcc_columns(wave: npt.NDArray[Any], first: int, count: int) -> npt.NDArray[np.float32]:
    """Return (13, count) MFCC columns from column ``first``, equal to those of the whole sound."""
    lead = 1 if first else 0  # one column earlier, for the sample before that pre-emphasis wants
    start = (first - lead) * MFCC_HOP_SAMPLES
    piece = wave[start : start + (count + lead + 2) * MFCC_HOP_SAMPLES]  # a column spans 2.5 hops
    pcm = np.clip(np.round(piece * _PCM_SCALE), -_PCM_SCALE, _PCM_SCALE - 1).astype(np.int16)
    return mfcc(pcm)[:, lead : lead + count]


def measure_tracks(
    crops: Iterable[Crop], net: LoadedSyncNet, wave: npt.NDArray[Any], min_frames: int
) -> Iterator[TrackDistances]:
    """Yield the distances of every track that is long enough, when it ends.

    Args:
        crops: pictures of all tracks, 25 a second.
        net: the SyncNet.
        wave: (N,) samples in -1...1 at 16 kHz, from the start of the video.
        min_frames: shorter tracks are dropped before anything is computed for them.
    """
    meters: dict[int, TrackMeter] = {}
    for crop in crops:
        if crop.image_bgr is None:
            meter = meters.pop(crop.track, None)
            if meter is not None and (done := meter.finish()) is not None:
                yield done
            continue
        if crop.track not in meters:
            meters[crop.track] = TrackMeter(net, wave, crop.frame_index, min_frames)
        meters[crop.track].push(crop.image_bgr)
    for meter in meters.values():
        if (done := meter.finish()) is not None:
            yield done
