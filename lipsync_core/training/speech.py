"""Where a clip contains speech, told from the energy of its mel spectrogram.

A mel column (12.5 ms) is speech when its level lies within 30 dB of the clip's loud parts (the 95th
percentile of all column levels) and above -60 dB of full scale. A window is speech when at least half of its
16 columns are. Energy knows no words: music or noise as loud as speech counts as speech.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lipsync_core.audio import (
    MEL_FLOOR_DB,
    MEL_LIMIT,
    MEL_REFERENCE_DB,
    MEL_WINDOW_COLUMNS,
)

SPEECH_RANGE_DB = 30.0  # vowels and the weakest consonants lie about 30 dB apart
SPEECH_FLOOR_DB = -60.0  # of full scale: below, everything is background
LOUD_PERCENTILE = 95.0
SPEECH_SHARE = 0.5  # of a window's columns

_DB_PER_UNIT = -MEL_FLOOR_DB / (2 * MEL_LIMIT)  # 12.5: eight units hold 100 dB


def column_levels_db(mel: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the level of each column of a (80, T) normalised mel: mean power of its bands, in dB."""
    band_db = (mel.astype(np.float64) + MEL_LIMIT) * _DB_PER_UNIT + MEL_FLOOR_DB + MEL_REFERENCE_DB
    return np.asarray(10.0 * np.log10(np.mean(10.0 ** (band_db / 10.0), axis=0)))


def speech_columns(mel: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Return (T,) whether each mel column of a clip is speech."""
    levels = column_levels_db(mel)
    if levels.size == 0:
        return np.zeros(0, bool)
    least = max(float(np.percentile(levels, LOUD_PERCENTILE)) - SPEECH_RANGE_DB, SPEECH_FLOOR_DB)
    return levels >= least


def speech_windows(
    mel: npt.NDArray[np.floating], starts: npt.NDArray[np.integer], columns: int = MEL_WINDOW_COLUMNS
) -> npt.NDArray[np.bool_]:
    """Return whether the windows that start at some columns are speech; beyond the clip is silence.

    Args:
        mel: (80, T) of the whole clip.
        starts: (N,) first column of each window, may be negative.
        columns: width of a window.
    """
    is_speech = speech_columns(mel)
    sums = np.concatenate(([0], np.cumsum(is_speech)))
    first = np.clip(starts, 0, is_speech.size)
    last = np.clip(starts + columns, 0, is_speech.size)
    return np.asarray((sums[last] - sums[first]) >= SPEECH_SHARE * columns)
