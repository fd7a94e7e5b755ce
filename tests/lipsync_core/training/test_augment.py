from dataclasses import replace

import numpy as np
import pytest
import torch

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


@pytest.fixture
def smooth(frames):
    """Random pictures without detail below four pixels, where interpolations agree."""
    cv2 = pytest.importorskip("cv2")
    return np.stack([cv2.GaussianBlur(f, (0, 0), 3.0) for f in frames])


@pytest.mark.parametrize("seed", range(6))
def test_warp_agrees_with_opencv(smooth, seed):
    cv2 = pytest.importorskip("cv2")
    g = augment.draw_geometry(rng(seed), 1.0)
    columns, rows = np.meshgrid(np.arange(96) - 47.5, np.arange(96) - 47.5)
    columns = -columns if g.flip else columns
    bend = cv2.resize(g.elastic, (96, 96), interpolation=cv2.INTER_CUBIC)
    x, y = (
        g.matrix[k, 0] * columns + g.matrix[k, 1] * rows + g.shift[k] + bend[..., k] + 59.5 for k in (0, 1)
    )
    x, y = (np.clip(v, 0, 119).astype(np.float32) for v in (x, y))
    expected = np.stack([cv2.remap(f, x, y, cv2.INTER_LINEAR) for f in smooth])
    difference = augment.warp_window(smooth, g, 96, 96).astype(int) - expected
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("seed", range(12))
def test_look_agrees_with_opencv(smooth, seed):
    cv2 = pytest.importorskip("cv2")
    look = replace(augment.draw_look(rng(seed), 1.0), noise=0.0)
    expected = []
    for frame in smooth:
        lit = cv2.transform(cv2.LUT(frame, look.curve), look.mixing)
        if look.blur_px:
            lit = cv2.GaussianBlur(lit, (0, 0), look.blur_px)
        if look.texture is not None:
            field = cv2.resize(look.texture, (120, 120), interpolation=cv2.INTER_CUBIC)
            lit = np.clip(lit * field[..., None], 0, 255)
        expected.append(lit)
    difference = augment.apply_look(rng(seed), smooth, look, 120).astype(float) - np.stack(expected)
    assert np.abs(difference).max() <= 2
    assert np.abs(difference).mean() < 0.6


def test_blurred_region_agrees_with_opencv(frames):
    cv2 = pytest.importorskip("cv2")
    region = np.zeros((120, 120), np.float32)
    region[60:100, 30:90] = 1
    blurred = augment.blur_region(frames, region, 7.0)
    expected = np.stack([cv2.GaussianBlur(f, (0, 0), 7.0) for f in frames])
    assert np.abs(blurred.astype(int) - expected)[:, region > 0].max() <= 1
    np.testing.assert_array_equal(blurred[:, region == 0], frames[:, region == 0])


def test_batches_equal_single_windows():
    draw, windows = rng(7), rng(1).integers(0, 256, (6, 5, 120, 120, 3), dtype=np.uint8)
    geometries = [augment.draw_geometry(draw, 1.0) for _ in windows]
    looks = [replace(augment.draw_look(draw, 1.0), noise=0.0) for _ in windows]
    assert {look.texture is None for look in looks} == {True, False}
    assert any(look.blur_px for look in looks)
    batch = augment.augmented_windows(draw, list(windows), geometries, looks, 96, 48)
    assert batch.shape == (6, 15, 48, 96)
    for window, geometry, look, together in zip(windows, geometries, looks, batch.numpy(), strict=True):
        warped = augment.warp_window(window, geometry, 96, 96, 48)
        alone = augment.apply_look(draw, warped, look, 96).transpose(0, 3, 1, 2).reshape(15, 48, 96)
        assert np.abs(alone.astype(int) - together).max() <= 4  # rounded before a steep curve
        assert np.mean(alone != together) < 0.01


def test_everything_is_computed_where_the_windows_lie():
    draw = rng(7)
    geometries = [augment.draw_geometry(draw, 1.0) for _ in range(6)]
    looks = [replace(augment.draw_look(draw, 1.0), noise=0.0) for _ in range(6)]
    elsewhere = torch.empty(6, 5, 120, 120, 3, dtype=torch.uint8, device="meta")  # mixing devices is an error
    lit = augment.apply_looks(draw, augment.warp_windows(elsewhere, geometries, 96, 96, 48), looks, 96)
    blurred = augment.blur_regions(lit, torch.ones(48, 96))
    assert lit.device.type == blurred.device.type == "meta"
    assert lit.shape == blurred.shape == (6, 15, 48, 96)


def test_undrawn_windows_are_cut_out_bit_for_bit():
    windows = rng(1).integers(0, 256, (3, 5, 120, 120, 3), dtype=np.uint8)
    geometries = [augment.draw_geometry(rng(), 0.0)] * 3
    looks = [augment.draw_look(rng(), 0.0)] * 3
    cut = augment.augmented_windows(rng(), list(windows), geometries, looks, 96, 48)
    expected = windows[:, :, 60:108, 12:108].transpose(0, 1, 4, 2, 3).reshape(3, 15, 48, 96)
    np.testing.assert_array_equal(cut.numpy(), expected)


def test_noise_has_the_strength_drawn_and_follows_the_generator():
    grey = np.full((5, 96, 96, 3), 128, np.uint8)
    look = replace(augment.draw_look(rng(0), 0.0), noise=4.0)
    noisy = augment.apply_look(rng(1), grey, look, 96)
    assert noisy.std() == pytest.approx(4.0, abs=0.1)
    np.testing.assert_array_equal(noisy, augment.apply_look(rng(1), grey, look, 96))
    assert np.any(noisy != augment.apply_look(rng(2), grey, look, 96))


def test_lower_rows_equal_those_of_the_whole(frames):
    geometry = augment.draw_geometry(rng(3), 1.0)
    whole = augment.warp_window(frames, geometry, 96, 96)
    lower = augment.warp_window(frames, geometry, 96, 96, 48)
    assert np.abs(lower.astype(int) - whole[:, 48:]).max() <= 1  # halves may be rounded the other way
    assert np.mean(lower != whole[:, 48:]) < 1e-3


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
