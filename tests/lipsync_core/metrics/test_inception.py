"""FID's Inception: size, keys, and what sets it apart from the classifier."""

import pytest
import torch

from lipsync_core.errors import CheckpointError
from lipsync_core.metrics.inception import Branches, ConvNorm, InceptionV3, Reduction, load_inception

# Keras counts 21,802,784 in InceptionV3 without its top: convolutions, offsets, both running statistics of
# batch norm; here scales come on top and the statistics are buffers.
KERAS_TOTAL, BATCH_NORM_CHANNELS = 21_802_784, 17_216


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return InceptionV3().eval()


def test_parameters_agree_with_keras(network):
    channels = sum(m.num_features for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert channels == BATCH_NORM_CHANNELS
    assert sum(p.numel() for p in network.parameters()) == KERAS_TOTAL - BATCH_NORM_CHANNELS


def test_features_of_any_size_and_their_range(network):
    with torch.inference_mode():
        features = network(torch.rand(2, 3, 96, 120))
    assert features.shape == (2, 2048) and float(features.min()) >= 0


def test_averages_do_not_count_the_padding():
    block = Branches(({"branch_pool": ConvNorm(1, 1, 1)},))
    with torch.no_grad():
        block.get_submodule("branch_pool.conv").weight.fill_(1.0)
        out = block.eval()(torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(out, torch.ones(1, 1, 4, 4), atol=1e-3, rtol=0)


def test_the_last_block_pools_by_maximum(network):
    assert [b.pool for b in (network.Mixed_5b, network.Mixed_6e, network.Mixed_7b, network.Mixed_7c)] == [
        "average", "average", "average", "maximum",
    ]  # fmt: skip


def test_reductions_keep_the_strongest_input_of_each_3x3():
    block = Reduction(({"branch3x3": ConvNorm(2, 3, 3, 2)},)).eval()
    x = torch.rand(1, 2, 7, 7)
    with torch.inference_mode():
        out = block(x)
    assert out.shape == (1, 5, 3, 3)
    torch.testing.assert_close(out[0, 3, 1, 2], x[0, 0, 2:5, 4:7].max())


def test_published_files_have_a_classifier_and_perhaps_no_counters(network, tmp_path):
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    state |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(state, tmp_path / "inception.pth")
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(load_inception(tmp_path / "inception.pth")(x), network(x))
    del state["Mixed_7a.branch3x3_1.bn.bias"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(CheckpointError, match=r"Mixed_7a.branch3x3_1.bn.bias"):
        load_inception(tmp_path / "short.pth")
