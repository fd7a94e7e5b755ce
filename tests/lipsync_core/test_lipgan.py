import numpy as np
import pytest
import torch
from parity_fill import filled, uniform_input
from torch import nn

from lipsync_core.folding import fold_batch_norm
from lipsync_core.models import LipGANDiscriminator, LipGANGenerator
from lipsync_core.models.layers import scaled_channels
from lipsync_core.models.lipgan_layers import ResidualUnit, WholeNorm

STATISTICS = ("running_mean", "running_var")


def test_generator_counts_are_those_of_the_thesis():
    network = LipGANGenerator()
    assert sum(p.numel() for p in network.parameters()) == 49_543_123
    buffers = sum(b.numel() for name, b in network.named_buffers() if name.endswith(STATISTICS))
    assert buffers == 30_848


def test_discriminator_count_follows_from_its_table():
    """Kernel, inputs, outputs of each convolution; a norm has two numbers whatever its channels."""
    table = [(7, 3, 64), (5, 64, 128), (3, 128, 256), (3, 256, 512), (3, 512, 512), (3, 512, 512)]
    table += [(3, 1, 32), (3, 32, 64), (3, 64, 128), (3, 128, 256), (3, 256, 512), (1, 512, 512)]
    expected = sum(k * k * i * o + o for k, i, o in table) + 2 * 10
    assert sum(p.numel() for p in LipGANDiscriminator().parameters()) == expected


@torch.inference_mode()
def test_maps_have_the_sizes_of_the_thesis():
    network = LipGANGenerator(0.125).eval()
    seen: dict[str, list[tuple[int, int]]] = {"face_encoder": [], "mel_encoder": [], "face_decoder": []}
    for name, sizes in seen.items():
        for block in network.get_submodule(name).children():
            block.register_forward_hook(lambda _m, _i, out, into=sizes: into.append(tuple(out.shape[2:])))
    network(torch.zeros(1, 1, 80, 27), torch.zeros(1, 6, 96, 96))
    assert seen == {
        "face_encoder": [(96, 96), (48, 48), (24, 24), (12, 12), (6, 6), (3, 3), (1, 1)],
        "mel_encoder": [(80, 27), (27, 9), (9, 9), (3, 3), (1, 1), (1, 1)],
        "face_decoder": [(3, 3), (6, 6), (12, 12), (24, 24), (48, 48), (96, 96)],
    }


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
@torch.inference_mode()
def test_narrow_networks_keep_inputs_and_outputs(width):
    mel, faces = torch.zeros(2, 1, 80, 27), torch.rand(2, 6, 96, 96)
    out = LipGANGenerator(width).eval()(mel, faces)
    assert out.shape == (2, 3, 96, 96)
    assert float(out.min()) >= 0 and float(out.max()) <= 1
    judge = LipGANDiscriminator(width).eval()
    audio, face = judge.embed_audio(mel), judge.embed_faces(faces[:, :3])
    assert audio.shape == face.shape == (2, scaled_channels(512, width))
    distance = judge(mel, faces[:, :3])
    assert distance.shape == (2,)
    np.testing.assert_allclose(distance.numpy(), np.linalg.norm(audio - face, axis=1), atol=1e-5)
    assert float(distance.max()) <= 2


@torch.inference_mode()
def test_every_input_reaches_the_generator():
    network = filled(LipGANGenerator(0.125))
    mel, faces = uniform_input("m", (1, 1, 80, 27), -4, 4), uniform_input("f", (1, 6, 96, 96))
    before = network(mel, faces)
    for changed in (faces[:, :3], faces[:, 3:, :48], mel):
        changed.mul_(0.5)
        after = network(mel, faces)
        assert float((after - before).abs().max()) > 1e-6
        before = after


def test_batch_norm_is_that_of_keras():
    norms = [m for m in LipGANGenerator(0.125).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.2)}
    norm = norms[0].train()
    norm(torch.full((2, norm.num_features, 4, 4), 10.0))
    torch.testing.assert_close(norm.running_mean, torch.full_like(norm.running_mean, 0.2 * 10))


def test_whole_norm_is_that_of_keras_contrib():
    x = torch.randn(3, 4, 5, 6) * torch.tensor([0.01, 1.0, 50.0])[:, None, None, None] + 2
    norm = WholeNorm()
    assert sum(p.numel() for p in norm.parameters()) == 2
    norm.weight.data.fill_(1.5)
    norm.bias.data.fill_(-0.25)
    a = x.double().numpy()
    mean, deviation = (f(a, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    expected = (a - mean) / (deviation + 1e-3) * 1.5 - 0.25
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, atol=1e-4)


@torch.inference_mode()
def test_residual_unit_adds_after_the_second_activation():
    unit = filled(ResidualUnit(8))
    x = torch.rand(1, 8, 5, 5)
    inner = unit.units(x)
    assert float(inner.min()) == 0, "the second unit is activated before the addition"
    torch.testing.assert_close(unit(x), inner + x)


def test_equal_embeddings_have_finite_gradients():
    judge = LipGANDiscriminator(0.125)
    for branch in (judge.face_branch, judge.mel_branch):
        nn.init.zeros_(branch[-1].weight)
        nn.init.ones_(branch[-1].bias)
    distance = judge(torch.zeros(2, 1, 80, 27), torch.rand(2, 3, 96, 96))
    assert float(distance.detach().max()) < 1e-5
    distance.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in judge.parameters())


@torch.inference_mode()
def test_folding_keeps_the_numbers():
    network = filled(LipGANGenerator(0.25))
    folded = fold_batch_norm(network)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    mel, faces = uniform_input("m", (2, 1, 80, 27), -4, 4), uniform_input("f", (2, 6, 96, 96))
    torch.testing.assert_close(folded(mel, faces), network(mel, faces), atol=1e-5, rtol=0)
