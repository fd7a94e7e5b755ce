"""What each kind of generator sees and hears."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lipsync_core.audio import mel_spectrogram, mel_window
from lipsync_core.errors import CheckpointError, InvalidInputError
from lipsync_core.faces import FaceBox
from lipsync_core.generators import generator_inputs, inputs_of, join_faces
from lipsync_core.inference import LipSyncer, generate_faces
from lipsync_core.models import LipGANGenerator, Speech2Vid, SyncNet, Wav2Lip
from lipsync_core.models.registry import KINDS

GENERATORS = {"wav2lip": Wav2Lip, "wav2lip_gan": Wav2Lip, "lipgan": LipGANGenerator, "speech2vid": Speech2Vid}
COLUMNS = {"wav2lip": 16, "wav2lip_gan": 16, "lipgan": 27, "speech2vid": 27}


def crops(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (count, 96, 96, 3), dtype=np.uint8)


def as_tensor(crops_bgr: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops_bgr).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("kind", GENERATORS)
def test_layout(kind):
    target, reference = crops(2, 0), crops(2, 1)
    mels = np.random.default_rng(2).normal(size=(2, 80, COLUMNS[kind])).astype(np.float32)
    mel, faces = generator_inputs(kind, target, reference, mels)
    assert mel.shape == (2, 1, 80, COLUMNS[kind])
    assert np.array_equal(mel[:, 0].numpy(), mels)
    masked = as_tensor(target)
    masked[:, :, 48:] = 0
    whole = as_tensor(reference)
    expected = {
        "wav2lip": (masked, whole),
        "wav2lip_gan": (masked, whole),
        "lipgan": (whole, masked),
        "speech2vid": (whole,),
    }[kind]
    assert torch.equal(faces, torch.cat(expected, dim=1))
    out = GENERATORS[kind](0.125).eval()(mel, faces)
    assert out.shape == (2, 3, 96, 96)


def test_inputs_are_left_as_they_are():
    target = as_tensor(crops(1, 0))
    before = target.clone()
    join_faces("wav2lip", target, target)
    assert torch.equal(target, before)


def test_every_generator_of_the_registry_is_covered_here():
    assert {name for name, kind in KINDS.items() if kind.generator} == set(GENERATORS)


@pytest.mark.parametrize("kind", ["syncnet", "lipsync_expert", "visual_quality", "vocoder"])
def test_what_makes_no_faces_is_refused(kind):
    with pytest.raises(InvalidInputError, match=f"'{kind}' is no generator; allowed are wav2lip.*speech2vid"):
        inputs_of(kind)


def test_mel_windows_of_another_width_are_refused():
    with pytest.raises(InvalidInputError, match=r"\(1, 80, 16\); lipgan takes \(N, 80, 27\)"):
        generator_inputs("lipgan", crops(1, 0), crops(1, 0), np.zeros((1, 80, 16), np.float32))


class OneFace:
    name = "fixed"

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        return [FaceBox(20, 10, 60, 60, 0.9)]


@pytest.mark.parametrize("kind", ["lipgan", "speech2vid"])
def test_stream_of_another_generator_hears_centred_windows(kind):
    """Each patch equals the network called by hand on the frame's own crop and window."""
    torch.manual_seed(0)
    network = GENERATORS[kind](0.125).eval()
    speech = np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32)
    frames = [np.random.default_rng(n).integers(0, 255, (90, 90, 3), dtype=np.uint8) for n in range(12)]
    syncer = LipSyncer(network, detector=OneFace(), mel_offset_frames=1.0)
    assert (syncer.kind, syncer.mel_columns) == (kind, 27)
    seen = []
    syncer.network.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs))
    out = list(syncer(frames, speech, 25.0))
    mel = mel_spectrogram(speech)
    heard = torch.cat([pair[0] for pair in seen])[:, 0].numpy()
    expected = np.stack([mel_window(mel, n, 25.0, 1.0, columns=27) for n in range(12)])
    np.testing.assert_allclose(heard, expected, atol=1e-5)
    faces = torch.cat([pair[1] for pair in seen])
    reference = faces[:, :3].permute(0, 2, 3, 1).mul(255).round().byte().numpy()
    by_hand = generate_faces(network, reference, expected, kind=kind)
    for frame, face in zip(out, by_hand, strict=True):
        assert np.abs(frame.patch.face_bgr - face).max() < 0.51  # rounded to whole levels


def test_parity_is_for_wav2lip_alone():
    with pytest.raises(InvalidInputError, match="lipgan generator"):
        LipSyncer(LipGANGenerator(0.125), detector=OneFace(), parity=True)


def test_a_judge_cannot_sync():
    with pytest.raises((InvalidInputError, CheckpointError), match="no generator"):
        LipSyncer(SyncNet(0.125), detector=OneFace())
