"""Features behind Fréchet distances: they must notice blur, noise and another person."""

import cv2
import numpy as np
import pytest
import torch
from synthetic import astronaut_frame

from lipsync_core.metrics import features as module
from lipsync_core.metrics.face_sets import FaceSets, face_crops
from lipsync_core.metrics.features import (
    EmbeddedFeatures,
    InceptionFeatures,
    find_inception,
    load_embedded_features,
    load_features,
)
from lipsync_core.metrics.inception import INCEPTION_FILE, InceptionV3
from lipsync_core.models import SyncNet

BOX = (120.0, 60.0, 264.0, 240.0)


@pytest.fixture(scope="module")
def embedded():
    return load_embedded_features()


def faces(change=lambda f, n: f):
    """A moving face, with something done to it."""
    frames = [astronaut_frame(dx=3 * np.sin(n), dy=2 * np.cos(n)) for n in range(8)]
    return [face_crops(f, change(f, n), BOX, 224) for n, f in enumerate(frames)]


def distance(features, change):
    sets = FaceSets(features)
    for true, other in faces(change):
        sets.push(true, other)
    return sets.frechet().distance


def blur(sigma):
    return lambda f, n: cv2.GaussianBlur(f, (0, 0), sigma)


def noise(level):
    return lambda f, n: np.clip(f + np.random.default_rng(n).normal(0, level, f.shape), 0, 255).astype(
        np.uint8
    )


def lower_half(change):
    def partly(frame, n):
        out = frame.copy()
        out[150:240, 120:264] = change(frame, n)[150:240, 120:264]
        return out

    return partly


@pytest.mark.parametrize(
    "changes",
    [
        [blur(s) for s in (0.6, 1.0, 2.0, 4.0)],
        [noise(s) for s in (5, 10, 20, 40)],
        [lower_half(blur(s)) for s in (0.8, 1.6, 3.2)],
    ],
    ids=["blur", "noise", "blur of the mouth"],
)
def test_distance_grows_with_the_damage(embedded, changes):
    found = [distance(embedded, change) for change in changes]
    assert distance(embedded, lambda f, n: f) == pytest.approx(0, abs=1e-4)
    assert found == sorted(found) and found[0] > 1e-3


def test_another_person_is_farther_than_the_same_one_a_little_aside(embedded, shared_media):
    other = cv2.imread(str(shared_media / "images" / "obama_official.jpg"))
    portrait = cv2.resize(other, (384, 288))
    aside = distance(embedded, lambda f, n: astronaut_frame(dx=3 * np.sin(n + 0.5), dy=2 * np.cos(n + 0.5)))
    assert distance(embedded, lambda f, n: portrait) > 5 * aside


def test_features_are_pooled_maps_of_the_second_and_fifth_convolution():
    torch.manual_seed(0)
    net = SyncNet(0.125).eval()
    features = EmbeddedFeatures(net, "0" * 64)
    crop = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    found = features([crop])
    assert found.shape == (1, features.size) == (1, 2 * 32 + 2 * 32)
    with torch.inference_mode():
        x = torch.from_numpy(crop).permute(2, 0, 1).float()[None, :, None].repeat(1, 1, 5, 1, 1)
        second = net.netcnnlip[:7](x)[:, :, 0]
        fifth = net.netcnnlip[:17](x)[:, :, 0]
    expected = torch.cat(
        [second.mean((2, 3)), second.std((2, 3)), fifth.mean((2, 3)), fifth.std((2, 3))], dim=1
    )
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert features([]).shape == (0, features.size)


def test_without_inception_the_distance_is_not_called_fid(embedded):
    features = load_features()
    assert isinstance(features, EmbeddedFeatures)
    assert features.distance_name == "Frechet distance (embedded SyncNet features)"
    assert len(features.weights_sha256) == 64


def test_inception_in_the_cache_gives_fid(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    torch.save(InceptionV3().state_dict(), tmp_path / INCEPTION_FILE)
    assert find_inception() is None  # random weights are not the published ones
    assert "another" in caplog.text
    monkeypatch.setattr(module, "sha256_of", lambda path: "6726825d" + 56 * "0")
    features = load_features()
    assert isinstance(features, InceptionFeatures) and features.distance_name == "FID"
    crop = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    found = features([crop, crop[:, :, ::-1]])
    assert found.shape == (2, 2048)
    rgb = torch.from_numpy(crop[:, :, ::-1].copy()).permute(2, 0, 1).float()[None] / 255
    with torch.inference_mode():
        np.testing.assert_allclose(found[:1], features.network(rgb).numpy(), rtol=1e-4, atol=1e-4)
