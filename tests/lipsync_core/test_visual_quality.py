import json

import numpy as np
import pytest
import torch
from parity_fill import DATA, filled, golden, uniform_input

from lipsync_core.models import VisualQualityDiscriminator


def test_keys_shapes_and_counts_are_the_published_ones():
    network = VisualQualityDiscriminator()
    expected = json.loads((DATA / "state_dict_keys.json").read_text())["visual_quality_disc"]
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == expected
    assert list(network.state_dict()) == list(expected), "optimizer states number parameters by order"
    assert len(expected) == 28
    assert sum(p.numel() for p in network.parameters()) == 14_113_793


@torch.inference_mode()
def test_it_meets_the_goldens():
    network, expected = filled(VisualQualityDiscriminator()), golden("visual_quality_disc")
    frames = uniform_input("quality_face", (2, 3, 5, 96, 96))
    score = network(frames)
    np.testing.assert_allclose(score.numpy(), expected["score"], atol=1e-5)
    adversarial = torch.nn.functional.binary_cross_entropy_with_logits(
        network.logits(frames), torch.ones(10, 1)
    )
    np.testing.assert_allclose(adversarial.item(), expected["perceptual"], atol=1e-5)


@torch.inference_mode()
def test_frames_are_judged_one_by_one_and_time_major():
    network = filled(VisualQualityDiscriminator(0.25))
    frames = uniform_input("any", (2, 3, 4, 96, 96))
    together = network(frames)
    assert together.shape == (8, 1)
    for t in range(4):
        alone = network(frames[:, :, t : t + 1])
        np.testing.assert_allclose(together[2 * t : 2 * t + 2].numpy(), alone.numpy(), atol=1e-6)


@torch.inference_mode()
def test_only_the_lower_half_is_looked_at():
    network = filled(VisualQualityDiscriminator(0.125))
    frames = uniform_input("any", (1, 3, 1, 96, 96))
    before = network.logits(frames)
    frames[:, :, :, :48] = 0
    assert torch.equal(network.logits(frames), before)
    frames[:, :, :, 48] = 0
    assert not torch.equal(network.logits(frames), before)


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(1, 3, 96, 96\)"):
        VisualQualityDiscriminator(0.125)(torch.zeros(1, 3, 96, 96))
