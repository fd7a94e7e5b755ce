"""Where somebody speaks: Silero VAD (https://github.com/snakers4/silero-vad, MIT), its model in its package.

Recognisers decode only what is found here, because they invent text for silence and music.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from f2f.engines.status import STANDARD_INSTALL, package_version
from f2f.errors import EngineUnavailableError

LICENCE = "MIT"
SAMPLE_RATE_HZ = 16_000
MIN_SPEECH_S = 0.25
MIN_PAUSE_S = 0.16
WINDOW_S = 28.0
"""Speech is decoded in windows of at most this length; Whisper hears 30 s at once."""

_CHUNK = 512  # samples, what the model was trained on at 16 kHz
_LANE_CHUNKS = 1875  # 60 s: longer sound is heard in lanes side by side, in one batch
_MAX_LANES = 8
_WARM_UP_CHUNKS = 63  # 2 s: what the network must have heard before its answers count
_THRESHOLD = 0.5  # the model's own default; speech ends 0.15 below it
_PAD_S = 0.1  # kept before and after: the network is late on breathy starts and soft ends
_JOINED_PAUSE_S = 2.0  # a window goes on over pauses up to this length

Waveform = npt.NDArray[np.float32]
Region = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """A stretch of sound that a recogniser hears at once, [start_s, end_s]."""

    start_s: float
    end_s: float

    def cut(self, waveform: Waveform) -> Waveform:
        """Return this stretch of a 16 kHz waveform, copied."""
        first, last = (round(time_s * SAMPLE_RATE_HZ) for time_s in (self.start_s, self.end_s))
        return np.array(waveform[first:last], np.float32)


def identity() -> str:
    """Return what tells this detector from any other, for the keys of results that depend on it."""
    return f"silero-vad {package_version('silero-vad')}"


def find_speech(waveform: Waveform) -> list[Region]:
    """Return the stretches with speech, (start_s, end_s), in order and apart.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz; may be mapped from a file, it is read in small pieces.

    Raises:
        EngineUnavailableError: the package cannot be used.
    """
    if waveform.size < _CHUNK or not _is_loud(waveform):
        return []
    import torch

    n_threads = torch.get_num_threads()
    try:
        import silero_vad

        # Importing it sets one thread for the whole process, which is right for chunks so small: where a
        # library has set more, they spend up to thirty times as long waiting for each other.
        torch.set_num_threads(1)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.load; there is nothing else
            chances = _speech_chances(silero_vad.load_silero_vad(), waveform)
    except ImportError as exc:
        raise EngineUnavailableError(f"silero-vad cannot be used ({exc}): {STANDARD_INSTALL}") from exc
    finally:
        torch.set_num_threads(n_threads)
    found = silero_vad.get_speech_timestamps_from_probs(
        chances,
        SAMPLE_RATE_HZ,
        threshold=_THRESHOLD,
        min_speech_duration_ms=round(1000 * MIN_SPEECH_S),
        min_silence_duration_ms=round(1000 * MIN_PAUSE_S),
        speech_pad_ms=round(1000 * _PAD_S),
        audio_length_samples=int(waveform.size),
    )
    return [(one["start"] / SAMPLE_RATE_HZ, one["end"] / SAMPLE_RATE_HZ) for one in found]


def plan_windows(waveform: Waveform, regions: Sequence[Region], window_s: float = WINDOW_S) -> list[Window]:
    """Join regions to windows of at most ``window_s``; speech without a pause for longer is cut where it is
    quietest.
    """
    windows: list[Window] = []
    for start_s, end_s in _cut_long(waveform, regions, window_s):
        last = windows[-1] if windows else None
        if last is not None and start_s - last.end_s <= _JOINED_PAUSE_S and end_s - last.start_s <= window_s:
            windows[-1] = Window(last.start_s, end_s)
        else:
            windows.append(Window(start_s, end_s))
    return windows


def speech_share(regions: Sequence[Region], start_s: float, end_s: float) -> float:
    """Return which part of [start_s, end_s] lies in ``regions``, 0…1."""
    spoken_s = sum(max(0.0, min(end_s, end) - max(start_s, start)) for start, end in regions)
    return spoken_s / (end_s - start_s) if end_s > start_s else 0.0


def _is_loud(waveform: Waveform) -> bool:
    """Whether anything was recorded at all: a muted track is not worth loading a network for."""
    block = 60 * SAMPLE_RATE_HZ
    return any(bool(np.any(waveform[first : first + block])) for first in range(0, waveform.size, block))


def _speech_chances(model: Any, waveform: Waveform) -> list[float]:
    """Return the chance of speech in each chunk of 512 samples.

    The network goes through the sound chunk by chunk, so long sound is cut into lanes that it hears as one
    batch; each lane begins 2 s early for the network's memory.
    """
    import torch

    n_chunks = -(-waveform.size // _CHUNK)
    n_lanes = min(_MAX_LANES, max(1, n_chunks // _LANE_CHUNKS))
    length = -(-n_chunks // n_lanes)
    starts = [lane * length for lane in range(n_lanes)]
    chances = np.zeros((n_lanes, length), np.float32)
    for step in range(-_WARM_UP_CHUNKS if n_lanes > 1 else 0, length):
        chunks = np.stack([_chunk(waveform, start + step) for start in starts])
        answer = model(torch.from_numpy(chunks), SAMPLE_RATE_HZ)
        if step >= 0:
            chances[:, step] = answer[:, 0].numpy()
    return [float(chance) for chance in chances.reshape(-1)[:n_chunks]]


def _chunk(waveform: Waveform, number: int) -> Waveform:
    """Return one chunk, silence before and behind the sound."""
    first = number * _CHUNK
    piece = np.array(waveform[max(0, first) : max(0, first + _CHUNK)], np.float32)
    return np.pad(piece, (0, _CHUNK - piece.size))


def _cut_long(waveform: Waveform, regions: Sequence[Region], window_s: float) -> Iterator[Region]:
    frame = SAMPLE_RATE_HZ // 20
    for start_s, end_s in regions:
        while end_s - start_s > window_s:
            first = round((start_s + window_s / 2) * SAMPLE_RATE_HZ)
            tail = np.array(waveform[first : round((start_s + window_s) * SAMPLE_RATE_HZ)], np.float32)
            energy = np.square(tail[: tail.size // frame * frame]).reshape(-1, frame).sum(axis=1)
            cut_s = (first + int(energy.argmin()) * frame + frame // 2) / SAMPLE_RATE_HZ
            yield start_s, cut_s
            start_s = cut_s
        yield start_s, end_s
