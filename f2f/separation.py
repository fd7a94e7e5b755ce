"""Take the voices out of a long recording, window by window, whatever does the separating."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from f2f.background import Presence

Sound = npt.NDArray[np.float32]  # (N, 2)

_WINDOW_S = 20.0
_CONTEXT_S = 1.0  # heard by the model on both sides of what is kept
_FADE_S = 0.25  # within the context, from one window to the next


class Separator(Protocol):
    """Something that can tell voices from everything else."""

    sample_rate_hz: int

    def remove_speech(self, sound: Sound) -> Sound:
        """Return the (N, 2) sound without its voices, of the same length."""


def without_speech(
    blocks: Iterable[Sound], n_samples: int, separator: Separator, presence: Presence
) -> Iterator[Sound]:
    """Yield the source without voices wherever the dub is present, silence elsewhere (nobody uses it).

    Windows overlap and fade into each other. Memory holds two windows.

    Args:
        blocks: the source at the separator's rate.
        n_samples: how many samples to yield in all; a source that ends earlier is followed by silence.
        separator: removes the voices.
        presence: where that is needed.
    """
    rate = separator.sample_rate_hz
    hop, context, fade = (round(seconds * rate) for seconds in (_WINDOW_S, _CONTEXT_S, _FADE_S))
    ramp = np.linspace(0, 1, 2 * fade, dtype=np.float32)[:, None]
    window = _Window(blocks)
    tail = np.zeros((2 * fade, 2), np.float32)  # what the window before adds behind its end
    for start in range(0, n_samples, hop):
        end = min(start + hop, n_samples)
        first, last = max(0, start - context), end + context
        if presence.touches((start - fade) / rate, (end + fade) / rate):
            clean = separator.remove_speech(window.read(first, last))
        else:
            clean = np.zeros((last - first, 2), np.float32)
        piece = clean[max(0, start - fade) - first : end + fade - first].copy()
        if start > 0:
            piece[: 2 * fade] = piece[: 2 * fade] * ramp + tail
        if end == n_samples:
            yield piece[: len(piece) - fade]
        else:
            tail = piece[len(piece) - 2 * fade :] * ramp[::-1]
            yield piece[: len(piece) - 2 * fade]


class _Window:
    """Reads any later part of a stream of blocks; what lies behind its end is silence."""

    def __init__(self, blocks: Iterable[Sound]) -> None:
        self._blocks = iter(blocks)
        self._held: list[Sound] = []
        self._first = 0
        self._n_held = 0

    def read(self, first: int, last: int) -> Sound:
        while self._first + self._n_held < last and (block := next(self._blocks, None)) is not None:
            self._held.append(block)
            self._n_held += len(block)
            while self._held and self._first + len(self._held[0]) <= first:
                self._first += len(self._held[0])
                self._n_held -= len(self._held.pop(0))
        held = np.concatenate(self._held) if self._held else np.zeros((0, 2), np.float32)
        part = held[max(0, first - self._first) : max(0, last - self._first)]
        return np.pad(part, ((0, last - first - len(part)), (0, 0)))
