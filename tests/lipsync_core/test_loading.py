"""One door to every network, by name or by file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import lipsync_core
from lipsync_core.checkpoints import load_network, load_recognised, read_metadata
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.faces import FaceBox
from lipsync_core.inference import LipSyncer, load_syncer
from lipsync_core.models import (
    LipGANDiscriminator,
    LipSyncExpert,
    SyncNet,
    VisualQualityDiscriminator,
)
from lipsync_core.models.registry import KINDS, GeneratorInputs, ModelKind, described, kind_of, recognised
from lipsync_core.weights import resolve

JUDGES = {
    "lipsync_expert": LipSyncExpert,
    "syncnet": SyncNet,
    "visual_quality": VisualQualityDiscriminator,
    "lipgan_discriminator": LipGANDiscriminator,
}
MAKERS = [name for name in KINDS if name not in JUDGES]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSYNC_CORE_HOME", str(tmp_path / "cache"))


def write(path: Path, kind: str, width: float = 0.125, **options: int) -> nn.Module:
    """Write random weights with their metadata and return the network."""
    network = KINDS[kind].build(width, **options)
    offset = -1.0 if KINDS[kind].generator else None
    save_file(network.state_dict(), path, metadata=described(kind, network, mel_offset_frames=offset))
    return network.eval()


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    found, expected = one.state_dict(), other.state_dict()
    return found.keys() == expected.keys() and all(torch.equal(found[k], expected[k]) for k in expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [0.125, 0.25])
def test_tensors_alone_tell_kind_and_width(tmp_path: Path, kind: str, width: float) -> None:
    network = KINDS[kind].build(width)
    found = [name for name, known in KINDS.items() if known.fits(network.state_dict())]
    assert found == (["wav2lip", "wav2lip_gan"] if kind in ("wav2lip", "wav2lip_gan") else [kind])
    path = tmp_path / "w.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, path)
    loaded = load_recognised(path)
    assert loaded.kind == found[0]
    assert loaded.network.width == width
    assert not loaded.network.training
    assert not any(p.requires_grad for p in loaded.network.parameters())
    assert loaded.metadata == {}
    assert same_weights(loaded.network, network)


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_says_what_the_file_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.safetensors"
    network = write(path, kind, 0.3)  # a width that shapes cannot give back
    loaded = load_recognised(path)
    assert loaded.kind == kind
    assert loaded.network.width == 0.3
    assert loaded.metadata == read_metadata(path)
    assert loaded.metadata["kind"] == kind and loaded.metadata["width"] == "0.3"
    assert loaded.metadata.get("mel_offset_frames") == ("-1.0" if kind in MAKERS else None)
    assert same_weights(loaded.network, network)


@pytest.mark.parametrize("window_frames", [1, 3, 5])
def test_experts_of_every_window(tmp_path: Path, window_frames: int) -> None:
    path = tmp_path / "expert.safetensors"
    network = write(path, "lipsync_expert", window_frames=window_frames)
    assert read_metadata(path)["window_frames"] == str(window_frames)
    bare = tmp_path / "expert.pth"
    torch.save(network.state_dict(), bare)
    for file in (path, bare):
        for loaded in (load_network(file, "lipsync_expert"), lipsync_core.load(file)):
            assert isinstance(loaded, LipSyncExpert)
            assert (loaded.window_frames, loaded.width) == (window_frames, 0.125)


def test_an_expert_of_impossible_windows_is_refused(tmp_path: Path) -> None:
    state = LipSyncExpert(0.125).state_dict()
    state["face_encoder.0.conv_block.0.weight"] = torch.zeros(8, 12, 7, 7)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="window_frames is 4; allowed are 1, 3 and 5"):
        load_recognised(tmp_path / "w.pth")


@pytest.mark.parametrize("kind", MAKERS)
def test_generators_come_ready_to_sync(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.safetensors"
    write(path, kind)
    for syncer in (lipsync_core.load(path), load_syncer(str(path))):
        assert isinstance(syncer, LipSyncer)
        assert (syncer.name, syncer.mel_offset_frames) == ("mine", -1.0)
        assert KINDS[syncer.kind].build is KINDS[kind].build
    assert resolve("wav2lip", str(path), allow_download=False).kind == kind


@pytest.mark.parametrize("kind", JUDGES)
def test_judges_come_as_networks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "judge.safetensors"
    network = write(path, kind)
    loaded = lipsync_core.load(str(path), allow_download=False)
    assert type(loaded) is JUDGES[kind]
    assert not loaded.training
    assert same_weights(loaded, network)
    with pytest.raises(CheckpointError, match=f"judge are of a {kind} network, which makes no faces"):
        load_syncer(str(path))


def test_names() -> None:
    syncer = lipsync_core.load("embedded")
    assert isinstance(syncer, LipSyncer) and syncer.name == "embedded_wav2lip"
    assert isinstance(lipsync_core.load("embedded_syncnet"), SyncNet)
    assert isinstance(lipsync_core.load("embedded_lipsync_expert"), LipSyncExpert)
    with pytest.raises(MissingModelError, match=r"syncnet_v2.*robots\.ox"):
        lipsync_core.load("syncnet_v2", allow_download=False)
    with pytest.raises(MissingModelError, match=r"visual_quality_disc\.pth"):
        lipsync_core.load("visual_quality_disc", allow_download=False)


def test_wrong_names_are_answered_with_the_right_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"'wav2lop'; allowed are auto, embedded.*syncnet_v2.*file"):
        lipsync_core.load("wav2lop")
    with pytest.raises(InvalidInputError, match="s3fd is a face detector"):
        lipsync_core.load("s3fd")
    with pytest.raises(InvalidInputError, match="device"):
        lipsync_core.load("embedded", "tpu")


def test_a_strange_file_is_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"no known network.*conv\.weight.*known are wav2lip"):
        lipsync_core.load(tmp_path / "w.pth")


def test_metadata_cannot_rename_a_network(tmp_path: Path) -> None:
    """A SyncNet that claims to be LipGAN stays a SyncNet: the tensors decide."""
    network = SyncNet(0.125)
    metadata = described("syncnet", network) | {"kind": "lipgan"}
    save_file(network.state_dict(), tmp_path / "w.safetensors", metadata=metadata)
    assert load_recognised(tmp_path / "w.safetensors").kind == "syncnet"


def test_kind_of_a_network_follows_its_class() -> None:
    assert {name: kind_of(kind.build(0.125)) for name, kind in KINDS.items()} == {
        name: "wav2lip" if name == "wav2lip_gan" else name for name in KINDS
    }
    assert kind_of(nn.Identity()) is None


class Mirror(nn.Module):
    """A new generator: answers its reference, dimmed by loudness."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.width = width
        self.mirror = nn.Conv2d(3, round(512 * width), 1)

    def forward(self, mel: Tensor, faces: Tensor) -> Tensor:
        assert mel.shape[1:] == (1, 80, 20) and faces.shape[1:] == (3, 96, 96)
        return faces * torch.sigmoid(mel.mean(dim=(1, 2, 3)))[:, None, None, None]


def test_a_new_network_needs_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ModelKind("mirror", Mirror, "mirror.weight", "mirror.bias", GeneratorInputs(("reference",), 20))
    monkeypatch.setitem(KINDS, "mirror", entry)
    write(tmp_path / "new.safetensors", "mirror", 0.5)
    network = load_network(tmp_path / "new.safetensors", "mirror")
    assert isinstance(network, Mirror) and network.width == 0.5
    assert recognised(network.state_dict()) is entry
    syncer = lipsync_core.load(tmp_path / "new.safetensors")
    assert isinstance(syncer, LipSyncer) and syncer.kind == "mirror"
    picture = np.full((64, 64, 3), 120, np.uint8)
    syncer.detector = _Everywhere()
    (frame,) = list(syncer([picture], np.zeros(16000, np.float32), 25.0))
    dimmed = 120 / (1 + np.exp(4))  # silence is -4
    assert abs(int(frame.patch.face_bgr.mean()) - dimmed) < 1
    with pytest.raises(InvalidInputError, match="only an existing file"):
        resolve("mirror", "auto", allow_download=False)
    monkeypatch.setitem(KINDS, "mirror", replace(entry, generator=None))
    assert isinstance(lipsync_core.load(tmp_path / "new.safetensors"), Mirror)


class _Everywhere:
    name = "everywhere"

    def detect(self, frame_bgr: np.ndarray) -> list[FaceBox]:
        return [FaceBox(5, 5, 60, 55, 0.9)]
