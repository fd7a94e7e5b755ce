import math

import pytest
import torch

from lipsync_core.training import losses


def test_matching_of_equal_scores_is_the_log_of_the_choices():
    assert float(losses.matching_loss(torch.zeros(3, 8, 8))) == pytest.approx(math.log(8))


def test_matching_vanishes_for_a_clear_diagonal_and_not_for_a_shifted_one():
    clear = 50 * torch.eye(8)[None]
    assert float(losses.matching_loss(clear)) < 1e-6
    assert float(losses.matching_loss(clear.roll(1, 2))) > 10


def test_pair_bce_weighs_true_and_false_pairs_alike():
    cosine = torch.full((2, 4, 4), 0.25)
    cosine.diagonal(dim1=1, dim2=2).fill_(0.8)
    expected = (-math.log(0.8) - math.log(0.75)) / 2
    assert float(losses.pair_bce(cosine)) == pytest.approx(expected, rel=1e-5)


def test_pair_bce_survives_a_cosine_above_one():
    cosine = torch.full((1, 2, 2), 1.0000004)
    assert math.isfinite(float(losses.pair_bce(cosine)))


def test_sync_loss_is_minus_log_cosine():
    audio = torch.tensor([[1.0, 0.0]])
    face = torch.tensor([[0.6, 0.8]])
    assert float(losses.sync_loss(audio, face)) == pytest.approx(-math.log(0.6), rel=1e-5)


def test_reconstruction_is_plain_l1_for_flat_weights_and_errors():
    target = torch.rand(2, 3, 96, 96) * 0.5
    loss = losses.reconstruction_loss(target + 0.25, target, losses.face_weights(0, 0), gradient_weight=1.0)
    assert float(loss) == pytest.approx(0.25, rel=1e-4)


def test_mouth_errors_weigh_most():
    weights = losses.face_weights(1.0, 3.0)
    assert float(weights.mean()) == pytest.approx(1.0, rel=1e-5)
    mouth, chin_corner, forehead = weights[0, 0, 69, 48], weights[0, 0, 94, 2], weights[0, 0, 5, 48]
    assert mouth > 2 * chin_corner > 2 * forehead


def test_mouth_region_leaves_cheeks_and_eyes_alone():
    region = losses.mouth_region()
    assert float(region[69, 47]) > 0.99
    assert float(region[69, 3]) < 1e-3
    assert float(region[30, 47]) < 1e-3
