"""The sound of the room without anybody speaking: what fills the ducked stretches, so that none goes dead.

The room's noise spectrum is estimated from the quiet moments of the source and noise of that spectrum is
made, instead of repeating a recorded pause: nothing of the old voice can be in it, and no loop is heard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from f2f.background import Span

Powers = npt.NDArray[np.float32]

_FRAME = 2048
_MAX_FRAMES = 1500
_LOOP_SAMPLES = 1 << 20  # 22 s at 48 kHz: noise is not heard to repeat after so long
_MARGIN_S = 0.15  # around segments: their ends are not exact
_MIN_PAUSE_FRAMES = 30
# Of steady noise each power is exponentially distributed: its quantile q lies at −ln(1 − q) of the mean.
_PAUSE_QUANTILE, _PAUSE_OF_MEAN = 0.25, -math.log(0.75)
_ANY_QUANTILE = 0.1
_ANY_OF_MEAN = -math.log(0.8)  # about half of all moments are noise: their quantile 0.1 is the noise's 0.2
_NOISE_OF_MEAN = -math.log(0.9)  # all of them are
_SMOOTHING_BINS = 9
_SEED = 20


class RoomListener:
    """Hears the source go by, block after block, and keeps spectra of evenly spread moments."""

    def __init__(self, speech: Sequence[Span], sample_rate_hz: int) -> None:
        self._speech = [(start_s - _MARGIN_S, end_s + _MARGIN_S) for start_s, end_s in speech]
        self._rate_hz = sample_rate_hz
        self._stride = round(0.1 * sample_rate_hz)
        self._window = np.hanning(_FRAME).astype(np.float32)[:, None]
        self._frames: list[tuple[int, Powers]] = []
        self._position = 0

    def hear(self, block: npt.NDArray[np.float32]) -> None:
        """Take in the next (N, 2) samples."""
        first = -self._position % self._stride
        for start in range(first, len(block) - _FRAME + 1, self._stride):
            left, right = (block[start : start + _FRAME] * self._window).T
            both = np.stack([(left + right) / 2, (left - right) / 2])
            power = np.square(np.abs(np.fft.rfft(both))).astype(np.float32)
            self._frames.append((self._position + start, power))
        self._position += len(block)
        while len(self._frames) > _MAX_FRAMES:  # hours of sound: every other moment will do
            self._frames = self._frames[::2]
            self._stride *= 2

    def room(self) -> RoomTone | None:
        """Return the room's tone, None where nothing was heard."""
        if not self._frames:
            return None
        pauses = [power for position, power in self._frames if self._is_pause(position)]
        lowest = _quantile([power for _, power in self._frames], _ANY_QUANTILE)
        if len(pauses) < _MIN_PAUSE_FRAMES:
            return RoomTone.of(lowest / _ANY_OF_MEAN)
        # Never more than all moments allow: a jingle between two sentences is no room.
        spectrum = np.minimum(_quantile(pauses, _PAUSE_QUANTILE) / _PAUSE_OF_MEAN, lowest / _NOISE_OF_MEAN)
        return RoomTone.of(spectrum)

    def _is_pause(self, position: int) -> bool:
        start_s, end_s = position / self._rate_hz, (position + _FRAME) / self._rate_hz
        return not any(first_s < end_s and last_s > start_s for first_s, last_s in self._speech)


@dataclass(frozen=True)
class RoomTone:
    """Endless steady noise with the spectrum of a room.

    Attributes:
        loop: (N, 2) float32 whose end joins its beginning.
    """

    loop: npt.NDArray[np.float32]

    @staticmethod
    def of(spectrum: npt.NDArray[np.floating]) -> RoomTone:
        """Make the noise whose mean and difference of channels have these powers.

        Args:
            spectrum: (2, 1025) mean power of frames of 2048 samples under a Hann window.
        """
        random = np.random.default_rng(_SEED)
        n_bins = _LOOP_SAMPLES // 2 + 1
        place = np.linspace(0, spectrum.shape[1] - 1, n_bins)
        # A frame's power is that of its samples times the sum of the window's squares.
        scale = _LOOP_SAMPLES / np.square(np.hanning(_FRAME)).sum()
        sides = []
        for powers in spectrum:
            kernel = np.ones(_SMOOTHING_BINS) / _SMOOTHING_BINS
            smooth = np.convolve(np.pad(powers, _SMOOTHING_BINS // 2, mode="edge"), kernel, mode="valid")
            size = np.sqrt(np.interp(place, np.arange(len(smooth)), smooth) * scale / 2)
            size[0] = 0.0  # no offset
            noise = size * (random.standard_normal(n_bins) + 1j * random.standard_normal(n_bins))
            sides.append(np.fft.irfft(noise, _LOOP_SAMPLES).astype(np.float32))
        middle, side = sides
        return RoomTone(np.stack([middle + side, middle - side], axis=1))

    def block(self, position: int, n_samples: int) -> npt.NDArray[np.float32]:
        """Return (N, 2) samples from ``position`` on."""
        return self.loop[np.arange(position, position + n_samples) % len(self.loop)]


def listen(blocks: Iterable[npt.NDArray[np.float32]], listener: RoomListener) -> RoomTone | None:
    """Let the listener hear all blocks and return the room's tone."""
    for block in blocks:
        listener.hear(block)
    return listener.room()


def _quantile(powers: Sequence[Powers], share: float) -> npt.NDArray[np.float64]:
    return np.quantile(np.stack(powers), share, axis=0).astype(np.float64)
