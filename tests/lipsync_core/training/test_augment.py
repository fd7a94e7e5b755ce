import numpy as np
import pytest

from lipsync_core.training import augment


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def frames():
    return rng(1).integers(0, 256, (5, 120, 120, 3), dtype=np.uint8)


def test_strength_zero_is_the_plain_centre_crop(frames):
    plain = augment.draw_geometry(rng(), 0.0)
    np.testing.assert_array_equal(augment.warp_window(frames, plain, 96, 96), frames[:, 12:108, 12:108])
    lower = augment.warp_window(frames, plain, 96, 96, 48)
    np.testing.assert_array_equal(lower, frames[:, 60:108, 12:108])
    look = augment.draw_look(rng(), 0.0)
    np.testing.assert_array_equal(augment.apply_look(rng(), frames, look, 120), frames)
    mel = rng().uniform(-4, 4, (80, 16)).astype(np.float32)
    np.testing.assert_array_equal(augment.augment_mel(rng(), mel, 0.0), mel)


def test_lower_rows_equal_those_of_the_whole(frames):
    geometry = augment.draw_geometry(rng(3), 1.0)
    whole = augment.warp_window(frames, geometry, 96, 96)
    np.testing.assert_array_equal(augment.warp_window(frames, geometry, 96, 96, 48), whole[:, 48:])


@pytest.mark.parametrize("seed", range(12))
def test_shapes_types_and_one_draw_for_all_frames(seed):
    still = np.repeat(rng(2).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8), 5, axis=0)
    geometry, look = augment.draw_geometry(rng(seed), 1.0, 224), augment.draw_look(rng(seed), 1.0)
    warped = augment.warp_window(still, geometry, 112, 224)
    assert warped.shape == (5, 224, 224, 3)
    assert warped.dtype == np.uint8
    assert np.all(warped == warped[0])
    lit = augment.apply_look(rng(seed), warped, look, 224)
    assert lit.shape == warped.shape
    assert lit.dtype == np.uint8
    if not look.noise:
        assert np.all(lit == lit[0])


def test_flip_mirrors(frames):
    flipped = augment.Geometry(
        True, np.eye(2, dtype=np.float32), np.zeros(2, np.float32), np.zeros((4, 4, 2), np.float32)
    )
    np.testing.assert_array_equal(
        augment.warp_window(frames, flipped, 96, 96), frames[:, 12:108, 12:108][:, :, ::-1]
    )


def test_reference_jitter_is_small():
    geometry = augment.draw_geometry(rng(4), 1.0)
    beside = augment.jittered(rng(5), geometry, 1.0)
    assert beside.flip == geometry.flip
    assert 0 < np.abs(beside.shift - geometry.shift).max() < 4
    assert np.abs(beside.matrix / geometry.matrix - 1).max() < 0.06


@pytest.mark.parametrize("seed", range(20))
def test_mel_stays_in_range_and_silence_never_gets_louder_by_gain(seed):
    speech = rng(seed).uniform(-4, 4, (6, 80, 16)).astype(np.float32)
    out = augment.augment_mel(rng(seed), speech, 1.0)
    assert out.shape == speech.shape
    assert out.dtype == np.float32
    assert -4 <= out.min() <= out.max() <= 4
    silence = np.full((80, 16), -4, np.float32)
    heard = augment.augment_mel(rng(seed), silence, 1.0)
    assert heard.max() < 0, "only a noise floor may lift digital silence"


def test_gate_turns_quiet_columns_into_digital_silence():
    quiet = np.full((80, 16), -3.5, np.float32)
    gated = [augment.augment_mel(rng(s), quiet, 1.0) for s in range(60)]
    assert any(np.all(g == -4) for g in gated)
    assert not all(np.all(g == -4) for g in gated)


def test_mfcc_offset_is_one_for_all_columns_but_for_noise():
    cepstra = rng(1).normal(0, 10, (13, 20)).astype(np.float32)
    change = augment.augment_mfcc(rng(2), cepstra, 1.0) - cepstra
    assert np.all(change.std(axis=1) < 3)
    assert np.abs(change.mean(axis=1)).max() > 0.3
