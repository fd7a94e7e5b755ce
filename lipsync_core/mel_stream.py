"""Mel windows of a long waveform, computed block by block when they are asked for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import (
    MEL_BANDS,
    MEL_FFT_SAMPLES,
    MEL_HOP_SAMPLES,
    MEL_SILENCE,
    MEL_WINDOW_COLUMNS,
    mel_spectrogram,
)

BLOCK_COLUMNS = 800  # 10 s
_EDGE_COLUMNS = math.ceil((MEL_FFT_SAMPLES // 2 + 1) / MEL_HOP_SAMPLES)  # 3: these hear a slice's border
_MIN_SAMPLES = MEL_FFT_SAMPLES // 2 + 1  # 401: what mirroring at the edge needs


class MelStream:
    """`mel_spectrogram` of a whole waveform without ever holding it: at most two blocks are kept.

    Args:
        waveform: (N,) mono at 16 kHz; under 401 samples are padded with silence.

    Attributes:
        n_columns: columns that the whole spectrogram has.
    """

    def __init__(self, waveform: npt.NDArray[np.floating]) -> None:
        if waveform.ndim != 1:
            raise ValueError(f"waveform has shape {waveform.shape}; needed is mono audio (N,)")
        missing = max(0, _MIN_SAMPLES - waveform.size)
        self._waveform = np.pad(waveform, (0, missing)) if missing else waveform
        self.n_columns = 1 + self._waveform.size // MEL_HOP_SAMPLES
        self._blocks: dict[int, npt.NDArray[np.float32]] = {}

    def columns(self, start: int, count: int = MEL_WINDOW_COLUMNS) -> npt.NDArray[np.float32]:
        """Return (80, count) columns from ``start`` (may be negative), silence (-4) beyond either end."""
        out = np.full((MEL_BANDS, count), MEL_SILENCE, np.float32)
        column, last = max(start, 0), min(start + count, self.n_columns)
        while column < last:
            number, within = divmod(column, BLOCK_COLUMNS)
            piece = self._block(number)[:, within : within + last - column]
            out[:, column - start : column - start + piece.shape[1]] = piece
            column += piece.shape[1]
        return out

    def _block(self, number: int) -> npt.NDArray[np.float32]:
        if number not in self._blocks:
            if len(self._blocks) >= 2:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[number] = self._computed(number)
        return self._blocks[number]

    def _computed(self, number: int) -> npt.NDArray[np.float32]:
        """Return one block, from a slice that reaches so far that its own edges are cut away again."""
        first = number * BLOCK_COLUMNS
        last = min(first + BLOCK_COLUMNS, self.n_columns)
        begin = max(0, first - _EDGE_COLUMNS)
        stop = (last + _EDGE_COLUMNS) * MEL_HOP_SAMPLES
        if stop + _MIN_SAMPLES > self._waveform.size:  # the rest is short: let it end where the waveform does
            stop = self._waveform.size
        block = mel_spectrogram(self._waveform[begin * MEL_HOP_SAMPLES : stop])
        return block[:, first - begin : last - begin]
