from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lipsync_core import containers
from lipsync_core.checkpoints import load_network, load_state_dict, read_metadata, sha256_of
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.models import LipSyncExpert, SyncNet, Wav2Lip

NETWORKS: dict[str, Callable[[float], nn.Module]] = {
    "wav2lip": Wav2Lip,
    "lipsync_expert": LipSyncExpert,
    "syncnet": SyncNet,
}


def random_state(kind: str, width: float = 0.125, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    network = NETWORKS[kind](width)
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return dict(network.state_dict())


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return random_state("wav2lip")


def prefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{name}": value for name, value in state.items()}


def as_trained(state: dict[str, Tensor]) -> dict[str, Any]:
    """What the published trainers save: weights, Adam state and counters."""
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    return {
        "state_dict": prefixed(state),
        "optimizer": optimizer.state_dict(),
        "global_step": 3,
        "global_epoch": 1,
    }


def write_torchscript(path: Path, network: nn.Module, *inputs: Tensor) -> None:
    with warnings.catch_warnings():  # the format is deprecated, and published files are in it
        warnings.simplefilter("ignore")
        torch.jit.trace(network.eval(), inputs).save(str(path))


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrap", [as_trained, prefixed, dict, lambda s: {"state_dict": s, "optimizer": None}])
def test_every_pickled_container(tmp_path: Path, state: dict[str, Tensor], is_zip: bool, wrap: Any) -> None:
    path = tmp_path / "weights.pth"
    torch.save(wrap(state), path, _use_new_zipfile_serialization=is_zip)
    assert_same(load_state_dict(path), state)


def test_safetensors(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path, metadata={"width": "0.125", "mel_offset_frames": "-1"})
    found = load_state_dict(path)
    assert_same({name: found[name] for name in state}, state)
    assert read_metadata(path) == {"width": "0.125", "mel_offset_frames": "-1"}


def test_torchscript_archive(tmp_path: Path, state: dict[str, Tensor]) -> None:
    network = Wav2Lip(0.125)
    network.load_state_dict(state)
    path = tmp_path / "Wav2Lip-SD-GAN.pt"
    write_torchscript(path, network, torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))
    assert_same(load_state_dict(path), state)
    assert load_network(path, "wav2lip").width == 0.125


def test_prefix_is_stripped_only_as_leading_token(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"module.sub_module.weight": torch.ones(1), "plain.module.x": torch.ones(1)}, path)
    assert list(load_state_dict(path)) == ["sub_module.weight", "plain.module.x"]


def test_same_key_with_and_without_prefix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"module.a": torch.ones(1), "a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="twice"):
        load_state_dict(path)


def test_hash_is_checked_before_anything_is_opened(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save(state, path)
    assert_same(load_state_dict(path, sha256=sha256_of(path).upper()), state)
    with pytest.raises(CheckpointError, match=f"{sha256_of(path)}.*{'0' * 64}"):
        load_state_dict(path, sha256="0" * 64)


class Payload:
    """Runs a command when unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare"])
def test_pickle_with_code_is_refused_and_not_run(tmp_path: Path, state: dict[str, Tensor], form: str) -> None:
    path, proof = tmp_path / "evil.pth", tmp_path / "proof"
    content = {"state_dict": state, "optimizer": Payload(proof)}
    if form == "bare":
        path.write_bytes(pickle.dumps(content["optimizer"]))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointError, match=r"carries code \(posix\.system\)"):
        load_state_dict(path)
    assert not proof.exists()


def test_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "module.pth"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"carries code \(.*torch\.nn\.modules\.linear\.Linear"):
        load_state_dict(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "torchscript"])
@pytest.mark.parametrize("kept", [0.0001, 0.01, 0.5, 0.999])
def test_truncated_file_is_named(tmp_path: Path, form: str, kept: float) -> None:
    path = tmp_path / "w"
    layer = nn.Linear(300, 100)
    if form == "safetensors":
        save_file(dict(layer.state_dict()), path)
    elif form == "torchscript":
        write_torchscript(path, layer, torch.zeros(1, 300))
    else:
        torch.save({"state_dict": layer.state_dict()}, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: max(1, int(kept * len(whole)))])
    with pytest.raises(CheckpointError, match="truncated, damaged"):
        load_state_dict(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>quota exceeded</html>", "web page"),
        (b"\xef\xbb\xbf\n  <html lang=en>", "web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 435801865\n", "git-lfs pointer"),
        (b"", "is empty"),
        (b"just some text, and nothing like weights", "no weights file"),
        (b"PK\x03\x04 but no archive", "truncated"),
        (bytes(1000), "no weights file"),
    ],
)
def test_impostors_are_called_what_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "wav2lip.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_state_dict(path)
    assert str(path) in str(caught.value)


def test_known_stub_is_recognised_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wav2lip.pth"
    torch.save({"a": torch.ones(4)}, path)
    load_state_dict(path)
    # The stub itself is not at hand: let this file's hash be the one on the list.
    monkeypatch.setattr(containers, "STUB_SHA256_PREFIX", sha256_of(path)[:8])
    with pytest.raises(CheckpointError, match=r"stub.*435,807,851"):
        load_state_dict(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="nowhere"):
        load_state_dict(tmp_path / "nowhere.pth")


@pytest.mark.parametrize(
    ("content", "words"),
    [([1, 2], "holds a list"), ({}, "holds a dict"), ({"epoch": 3, "a": torch.ones(1)}, "epoch")],
)
def test_other_content_is_refused(tmp_path: Path, content: object, words: str) -> None:
    path = tmp_path / "w.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=words):
        load_state_dict(path)


@pytest.mark.parametrize("kind", list(NETWORKS))
@pytest.mark.parametrize("width", [0.125, 0.25, 0.375])
def test_width_is_inferred_from_shapes(tmp_path: Path, kind: Any, width: float) -> None:
    path = tmp_path / "w.pth"
    expected = random_state(kind, width)
    torch.save(as_trained(expected), path)
    network = load_network(path, kind)
    assert network.width == width
    assert not network.training
    assert_same(dict(network.state_dict()), expected)


def test_published_width_is_one(tmp_path: Path) -> None:
    path = tmp_path / "syncnet_v2.model"
    torch.save(random_state("syncnet", 1.0), path)
    network = load_network(path, "syncnet")
    assert network.width == 1.0
    assert sum(p.numel() for p in network.parameters()) == 13_631_616


def test_width_of_metadata_wins(tmp_path: Path) -> None:
    # 0.3 rounds to channel counts from which it cannot be read back exactly.
    path = tmp_path / "w.safetensors"
    save_file(random_state("wav2lip", 0.3), path, metadata={"width": "0.3"})
    assert load_network(path, "wav2lip").width == 0.3
    save_file(random_state("wav2lip", 0.3), path, metadata={"width": "wide"})
    with pytest.raises(CheckpointError, match="wide"):
        load_network(path, "wav2lip")


def test_half_precision_is_widened(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.safetensors"
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, path)
    network = load_network(path, "wav2lip")
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_absent_batch_counters_are_forgiven(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save({k: v for k, v in state.items() if "num_batches_tracked" not in k}, path)
    load_network(path, "wav2lip")


def test_wrong_keys_and_shapes_are_listed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    broken = dict(state)
    del broken["output_block.1.bias"]
    broken["stranger.weight"] = torch.ones(1)
    broken["output_block.1.weight"] = torch.ones(3, 5, 1, 1)
    torch.save(broken, path)
    with pytest.raises(CheckpointError) as caught:
        load_network(path, "wav2lip")
    for words in (
        "1 missing (output_block.1.bias)",
        "1 unexpected (stranger.weight)",
        "output_block.1.weight (3, 5, 1, 1), needed (3, 8, 1, 1)",
    ):
        assert words in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"not a syncnet network .it is a wav2lip network"):
        load_network(path, "syncnet")
    torch.save({"conv.weight": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match=r"conv\.weight"):
        load_network(path, "wav2lip")


def test_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"'s3fd'.*wav2lip, .*lipsync_expert, syncnet"):
        load_network(tmp_path / "w.pth", "s3fd")  # type: ignore[arg-type]


def test_metadata_of_a_file_without_header(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for content in (b"", b"abc", b"\xff" * 20, b'\x10\0\0\0\0\0\0\0{"cut'):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="safetensors"):
            read_metadata(path)
