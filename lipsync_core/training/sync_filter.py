"""Decides from SyncNet's distances whether a clip may teach, and whether its sound must be shifted first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lipsync_core.evaluate import LSE, lse_of_distances

ALLOWED_OFFSET_FRAMES = 1  # what the sync filter leaves as it is
MIN_PART_WINDOWS = 25  # a constant offset shows in every second of a clip
MAX_PARTS = 4
# The scales of SyncNets differ: the published one gives 6 to 8 to real clips and 1 to 3 to wrong sound, the
# compact embedded one 2 to 5 and up to 2.
# With the embedded one, 2.0 passes 10 % of GRID pictures under the sound of another GRID clip (the worst
# case: all sentences have one rhythm) and drops 3 of 15 true clips of people it has never seen.
MIN_CONFIDENCE = {"syncnet_v2": 3.0}
MIN_CONFIDENCE_OTHERS = 2.0
# Wrong sound fits best somewhere, and 28 of 31 shifts are off: half of what 2.0 passes would be shifted.
CORRECTION_FACTOR = 1.5  # so that confidence must be this many times as high where sound is shifted

NO_SYNC = "lips and sound do not agree"
NOT_SURE = "offset not sure enough to correct"
NOT_CONSTANT = "offset not constant"
TOO_FAR = "offset beyond what can be measured"


@dataclass(frozen=True)
class Verdict:
    """What becomes of one clip.

    Attributes:
        dropped: why it is left out, None if it is kept.
        shift_frames: frames by which its sound must be delayed (negative: brought forward).
        score: LSE as measured.
    """

    dropped: str | None
    shift_frames: int
    score: LSE


def default_min_confidence(syncnet_name: str) -> float:
    """Return the lowest LSE-C that counts as speech in sync, which depends on the SyncNet."""
    return MIN_CONFIDENCE.get(syncnet_name, MIN_CONFIDENCE_OTHERS)


def judge_sync(distances: npt.NDArray[np.floating[Any]], min_confidence: float) -> Verdict:
    """Keep clips within one frame, correct those with a constant offset, drop the rest.

    Args:
        distances: (windows, 2 * max_shift + 1) of one clip, see `lipsync_core.evaluate.ShiftDistances`.
        min_confidence: lowest LSE-C.
    """
    score = lse_of_distances(distances)
    if score.confidence < min_confidence:
        return Verdict(NO_SYNC, 0, score)
    if abs(score.offset) <= ALLOWED_OFFSET_FRAMES:
        return Verdict(None, 0, score)
    if score.confidence < CORRECTION_FACTOR * min_confidence:
        return Verdict(NOT_SURE, 0, score)
    if abs(score.offset) >= distances.shape[1] // 2:  # the true minimum may lie outside
        return Verdict(TOO_FAR, 0, score)
    n_parts = min(MAX_PARTS, len(distances) // MIN_PART_WINDOWS)
    offsets = [lse_of_distances(part).offset for part in np.array_split(distances, max(n_parts, 1))]
    if n_parts < 2 or any(abs(offset - score.offset) > ALLOWED_OFFSET_FRAMES for offset in offsets):
        return Verdict(NOT_CONSTANT, 0, score)
    # An offset of -5 says that the picture fits the sound five frames later: play the sound earlier.
    return Verdict(None, score.offset, score)
