import math

import pytest
import torch

from lipsync_core.models import LipSyncExpert
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


def test_shape_loss_sees_levels_of_the_mouth_and_not_its_texture():
    target = torch.full((2, 3, 96, 96), 0.5)
    region = torch.ones(96, 96)
    assert float(losses.shape_loss(target + 0.05, target, region)) == pytest.approx(1.0, rel=1e-4)
    checkerboard = 0.05 * (-1.0) ** (torch.arange(96)[:, None] + torch.arange(96)[None, :])
    assert float(losses.shape_loss(target + checkerboard, target, region)) < 1e-6


def test_motion_loss_forgives_what_is_the_same_in_all_images_of_a_clip():
    target = torch.rand(8, 3, 96, 96)
    region = losses.mouth_region()
    look = torch.rand(2, 1, 3, 96, 96).expand(2, 4, 3, 96, 96).reshape(8, 3, 96, 96)
    assert float(losses.motion_loss(target + look, target, region, 4)) < 1e-5
    still = target[::4].repeat_interleave(4, dim=0)
    assert float(losses.motion_loss(still, target, region, 4)) > 0.1


def test_change_weights_grow_where_the_reference_differs():
    target = torch.zeros(1, 3, 96, 96)
    reference = target.clone()
    reference[..., 60:80, 40:60] = 0.05
    weights = losses.change_weights(target, reference, 2.0)
    assert float(weights[0, 0, 70, 50]) == pytest.approx(3.0, rel=1e-4)
    assert float(weights[0, 0, 10, 10]) == 1.0
    assert float(losses.change_weights(target, reference + 1, 2.0).max()) == 7.0


def test_contrast_is_low_only_for_mouths_that_suit_their_own_sound():
    sounds = torch.eye(4)
    assert float(losses.sync_contrast(sounds, sounds)) < 1e-3
    alike = torch.full((4, 4), 0.5)
    assert float(losses.sync_contrast(sounds, alike)) == pytest.approx(math.log(4), rel=1e-5)


def test_feature_loss_vanishes_for_equal_windows_and_trains_the_output():
    expert = LipSyncExpert(0.125).eval().requires_grad_(False)
    target = torch.rand(2, 15, 48, 96)
    output = (target * 0.5).requires_grad_()
    assert float(losses.feature_loss(expert, target, target)) == 0.0
    losses.feature_loss(expert, output, target).backward()
    assert float(output.grad.abs().max()) > 0


def test_labelled_bce_is_that_of_torch_on_probabilities():
    cosine, label = torch.tensor([0.9, 0.2, 0.6]), torch.tensor([1.0, 0.0, 0.0])
    expected = torch.nn.functional.binary_cross_entropy(cosine, label)
    assert float(losses.labelled_bce(cosine, label)) == pytest.approx(float(expected), rel=1e-5)
    assert math.isfinite(float(losses.labelled_bce(torch.tensor([1.0000004]), torch.tensor([0.0]))))


def test_max_margin_pulls_true_pairs_and_pushes_false_ones_up_to_the_margin():
    distance = torch.tensor([[[2.0, 7.0], [11.0, 4.0]]])
    expected = ((4.0 + 16.0) / 2 + (9.0 + 0.0) / 2) / 2
    assert float(losses.max_margin_loss(distance, 10.0)) == pytest.approx(expected)
    assert float(losses.max_margin_loss(torch.tensor([[[0.0, 10.0], [12.0, 0.0]]]), 10.0)) == 0.0


@pytest.mark.parametrize(("margin", "expected"), [(1.0, 0.25), (2.0, 2.25)])
def test_contrastive_margin_of_code_and_thesis(margin, expected):
    distance = torch.tensor([0.5])
    assert float(losses.contrastive_loss(distance, unsynced=True, margin=margin)) == pytest.approx(expected)
    assert float(losses.contrastive_loss(distance, unsynced=False, margin=margin)) == pytest.approx(0.25)
    assert float(losses.contrastive_loss(torch.tensor([1.5]), unsynced=True)) == 0.0


def test_adversarial_losses_are_the_formulas_of_code_and_thesis():
    logits = torch.tensor([[0.3], [-1.2]])
    fake = logits.sigmoid()
    ones = torch.ones_like(fake)
    bce = torch.nn.functional.binary_cross_entropy
    torch.testing.assert_close(losses.adversarial_loss(logits), bce(fake, ones))
    torch.testing.assert_close(losses.adversarial_loss(logits, "saturating"), torch.log(1 - fake).mean())
    real = logits + 2
    expected = bce(real.sigmoid(), ones) + bce(fake, 0 * ones)
    torch.testing.assert_close(losses.discriminator_loss(real, logits), expected)
