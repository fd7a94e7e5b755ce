import json

import numpy as np
import pytest
import torch
from parity_fill import DATA, filled, golden, uniform_input

from lipsync_core.models import LipSyncExpert, SyncNet, Wav2Lip
from lipsync_core.models.layers import scaled_channels
from lipsync_core.models.lipsync_expert import expert_frames

PUBLISHED = {
    "wav2lip": (Wav2Lip, 36_298_035),
    "lipsync_expert": (LipSyncExpert, 16_435_072),
    "syncnet_v2": (SyncNet, 13_631_616),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_shapes_and_counts_are_the_published_ones(name):
    network_class, count = PUBLISHED[name]
    network = network_class()
    expected = json.loads((DATA / "state_dict_keys.json").read_text())[name]
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == expected
    assert list(network.state_dict()) == list(expected), "optimizer states number parameters by order"
    assert sum(p.numel() for p in network.parameters()) == count


@torch.inference_mode()
def test_generator_meets_the_golden_frames():
    out = filled(Wav2Lip())(
        uniform_input("mel", (3, 1, 80, 16), -4, 4), uniform_input("face", (3, 6, 96, 96))
    )
    np.testing.assert_allclose(out.numpy(), golden("wav2lip")["frames"], atol=1e-5)


@torch.inference_mode()
def test_generator_meets_the_golden_windows():
    network = filled(Wav2Lip())
    mel, faces = uniform_input("mel5", (2, 5, 1, 80, 16), -4, 4), uniform_input("face5", (2, 6, 5, 96, 96))
    out = network(mel, faces)
    assert out.shape == (2, 3, 5, 96, 96)
    np.testing.assert_allclose(out[..., ::4, ::4].numpy(), golden("wav2lip")["windows"], atol=1e-5)
    single = network(mel[:, 3], faces[:, :, 3])
    np.testing.assert_allclose(out[:, :, 3].numpy(), single.numpy(), atol=1e-6)


@torch.inference_mode()
def test_expert_meets_the_goldens():
    mel, faces = (
        uniform_input("expert_mel", (4, 1, 80, 16), -4, 4),
        uniform_input("expert_face", (4, 15, 48, 96)),
    )
    audio, face = filled(LipSyncExpert())(mel, faces)
    expected = golden("lipsync_expert")
    np.testing.assert_allclose(audio.numpy(), expected["audio"], atol=1e-5)
    np.testing.assert_allclose(face.numpy(), expected["face"], atol=1e-5)


@pytest.mark.parametrize("window_frames", [1, 3, 5])
@torch.inference_mode()
def test_expert_of_fewer_frames_sees_only_those(window_frames):
    network = filled(LipSyncExpert(0.125, window_frames))
    assert network.face_encoder[0].conv_block[0].in_channels == 3 * window_frames
    audio, face = network(
        uniform_input("m", (2, 1, 80, 16), -4, 4), uniform_input("f", (2, 3 * window_frames, 48, 96))
    )
    assert audio.shape == face.shape == (2, 64)
    assert (
        list(range(5))[expert_frames(window_frames)]
        == {1: [2], 3: [1, 2, 3], 5: [0, 1, 2, 3, 4]}[window_frames]
    )
    with pytest.raises(ValueError, match="window_frames is 2"):
        LipSyncExpert(0.125, 2)


@torch.inference_mode()
def test_syncnet_meets_the_goldens():
    network, expected = filled(SyncNet()), golden("syncnet_v2")
    audio = network.forward_audio(uniform_input("mfcc", (2, 1, 13, 20), -30, 30))
    lip = network.forward_lip(uniform_input("lip", (2, 3, 5, 224, 224), 0, 255))
    # Features reach 100, where float32 itself has steps of 8e-6; hence the relative part.
    np.testing.assert_allclose(audio.numpy(), expected["audio"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        lip.numpy(), expected["lip"], rtol=1e-5, atol=1e-5 * np.abs(expected["lip"]).max()
    )


@torch.inference_mode()
def test_syncnet_lip_branch_equals_its_three_dimensional_layers():
    network = filled(SyncNet(0.125))
    frames = uniform_input("any", (2, 3, 5, 224, 224), 0, 255)
    expected = network.netfclip(network.netcnnlip(frames).flatten(1))
    np.testing.assert_allclose(network.forward_lip(frames).numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [0.125, 0.25, 0.5])
@torch.inference_mode()
def test_narrow_networks_keep_inputs_and_outputs(width):
    mel, faces = torch.zeros(2, 1, 80, 16), torch.rand(2, 6, 96, 96)
    out = Wav2Lip(width).eval()(mel, faces)
    assert out.shape == (2, 3, 96, 96)
    assert float(out.min()) >= 0 and float(out.max()) <= 1
    audio, face = LipSyncExpert(width).eval()(mel, torch.rand(2, 15, 48, 96))
    assert audio.shape == face.shape == (2, scaled_channels(512, width))
    np.testing.assert_allclose(torch.linalg.vector_norm(face, dim=1).numpy(), 1.0, rtol=1e-5)
    syncnet = SyncNet(width).eval()
    assert syncnet.forward_audio(torch.rand(2, 1, 13, 20)).shape == (2, 1024)
    assert syncnet.forward_lip(torch.rand(2, 3, 5, 224, 224)).shape == (2, 1024)


def test_only_the_sound_and_both_halves_given_reach_the_generator():
    """The mask is the caller's: channels 0-2 masked, 3-5 reference; each input changes the output."""
    network = filled(Wav2Lip(0.125))
    mel, faces = uniform_input("m", (1, 1, 80, 16), -4, 4), uniform_input("f", (1, 6, 96, 96))
    faces[:, :3, 48:] = 0
    with torch.inference_mode():
        before = network(mel, faces)
        for changed in (faces[:, :3, :48], faces[:, 3:], mel):
            changed.mul_(0.5)
            after = network(mel, faces)
            assert float((after - before).abs().max()) > 1e-6
            before = after


def test_bad_shape_and_width_are_named():
    with pytest.raises(ValueError, match=r"\(1, 6, 96\)"):
        Wav2Lip(0.125)(torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96))
    with pytest.raises(ValueError, match="width"):
        Wav2Lip(0)
