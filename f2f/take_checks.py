"""Is a take what was asked for? Judged from its samples and from how long its text should take. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from f2f.loudness import Waveform, speech_rms, to_dbfs

_SILENT_DBFS = -50.0
_FULL_SCALE = 0.99
_CLIPPED_SHARE = 0.001  # of all samples; a vowel that touches full scale now and then is not heard
_LONGEST_PAUSE_S = 1.5  # inside a take; a full stop makes half a second
_PAUSE_RATIO = 10 ** (-40 / 20)  # of the loudest frame
_FRAME_S = 0.02
# A voice may be half or one and a half times as fast as expected. Beyond twice the expected time it says
# something that is not in the text (neural voices run away), below 0.4 of it words are missing.
_RUNAWAY, _RUNAWAY_S = 2.0, 1.0
_SHORT, _SHORT_S = 0.4, 0.3
_WEIGHTS = {"silent": 8.0, "runaway": 4.0, "short": 4.0, "clipped": 2.0, "pause": 1.0}


@dataclass(frozen=True)
class TakeQuality:
    """What was found in one take.

    Attributes:
        duration_s: its length.
        faults: one phrase each, worst first; empty for a good take.
        penalty: the higher the worse; without a fault it is the distance to the expected length.
    """

    duration_s: float
    faults: tuple[str, ...]
    penalty: float

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults


def examine_take(waveform: Waveform, sample_rate_hz: int, expected_s: float) -> TakeQuality:
    """Judge one take.

    Args:
        waveform: mono, -1…1, outer silence trimmed.
        sample_rate_hz: of ``waveform``.
        expected_s: how long the text should take at the rate at which it was spoken.
    """
    duration_s = len(waveform) / sample_rate_hz
    found: dict[str, str] = {}
    level_dbfs = to_dbfs(speech_rms(waveform, sample_rate_hz))
    if level_dbfs < _SILENT_DBFS:
        found["silent"] = "almost silent"
    if duration_s > _RUNAWAY * expected_s + _RUNAWAY_S:
        found["runaway"] = f"runs away: {duration_s:.1f} s where {expected_s:.1f} s were expected"
    if duration_s < _SHORT * expected_s - _SHORT_S:
        found["short"] = f"words are missing: {duration_s:.1f} s where {expected_s:.1f} s were expected"
    clipped = float(np.mean(np.abs(waveform) >= _FULL_SCALE)) if waveform.size else 0.0
    if clipped > _CLIPPED_SHARE:
        found["clipped"] = f"clipped: {100 * clipped:.1f} % of its samples"
    pause_s = longest_pause_s(waveform, sample_rate_hz)
    if pause_s > _LONGEST_PAUSE_S:
        found["pause"] = f"a pause of {pause_s:.1f} s"
    penalty = sum(_WEIGHTS[kind] for kind in found)
    if expected_s > 0 and duration_s > 0:
        penalty += min(abs(math.log(duration_s / expected_s)), 3.0) / 4
    return TakeQuality(duration_s, tuple(found.values()), penalty)


def longest_pause_s(waveform: Waveform, sample_rate_hz: int) -> float:
    """Return the longest stretch inside ``waveform`` that is 40 dB under its loudest frame."""
    length = max(1, round(_FRAME_S * sample_rate_hz))
    frames = np.abs(waveform[: len(waveform) // length * length].reshape(-1, length))
    if not frames.size:
        return 0.0
    peaks = frames.max(axis=1)
    loud = np.flatnonzero(peaks > peaks.max() * _PAUSE_RATIO)
    gaps = np.diff(loud) - 1
    return float(gaps.max(initial=0)) * length / sample_rate_hz
