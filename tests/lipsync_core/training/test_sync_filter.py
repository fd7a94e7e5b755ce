import numpy as np
import pytest

from lipsync_core.training import sync_filter
from lipsync_core.training.sync_filter import default_min_confidence, judge_sync


def distances(offsets, depth=4.0):
    """Windows whose distance falls by ``depth`` at their offset (column 15 - offset) and is 10 elsewhere."""
    rows = np.random.default_rng(0).normal(10.0, 0.2, (len(offsets), 31))
    rows[np.arange(len(offsets)), 15 - np.array(offsets)] -= depth
    return rows


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_clips_within_a_frame_stay_as_they_are(offset):
    verdict = judge_sync(distances([offset] * 60), 2.0)
    assert (verdict.dropped, verdict.shift_frames, verdict.score.offset) == (None, 0, offset)


@pytest.mark.parametrize("offset", [-14, -5, 2, 9])
def test_a_constant_offset_is_corrected(offset):
    verdict = judge_sync(distances([offset] * 60), 2.0)
    assert (verdict.dropped, verdict.shift_frames) == (None, offset)


def test_what_cannot_be_trusted_is_dropped():
    assert judge_sync(distances([0] * 60, depth=1.0), 2.0).dropped == sync_filter.NO_SYNC
    assert judge_sync(distances([15] * 60), 2.0).dropped == sync_filter.TOO_FAR
    drifting = judge_sync(distances([4] * 40 + [8] * 30), 1.0)
    assert drifting.dropped == sync_filter.NOT_CONSTANT
    assert judge_sync(distances([4] * 60, depth=2.7), 2.0).dropped == sync_filter.NOT_SURE
    assert judge_sync(distances([1] * 60, depth=2.7), 2.0).dropped is None
    short = judge_sync(distances([4] * 30), 2.0)
    assert short.dropped == sync_filter.NOT_CONSTANT, "one second cannot show that an offset is constant"


def test_the_least_confidence_depends_on_the_syncnet():
    assert default_min_confidence("syncnet_v2") > default_min_confidence("embedded_syncnet")
