"""Which weights there are, and which of them a network gets."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mirror import CONTENT, PAGE, SHA256, Mirror
from safetensors.torch import save_file

from lipsync_core.checkpoints import load_network
from lipsync_core.errors import CheckpointError, InvalidInputError, MissingModelError
from lipsync_core.weights import REGISTRY, Weights, cache_folder, fetch, lookup, resolve, verified_path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of embedded weights."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(lookup, "PACKAGE_FOLDER", folder)
    return folder


def register(monkeypatch: pytest.MonkeyPatch, *known: Weights) -> None:
    """Let these be the published weights of their kinds."""
    kept = {n: w for n, w in REGISTRY.items() if w.is_embedded}
    monkeypatch.setattr(lookup, "REGISTRY", {w.name: w for w in known} | kept)


def embed(package: Path, name: str = "wav2lip") -> Path:
    path = package / f"{name}.safetensors"
    save_file({"a": torch.ones(3)}, path, metadata={"width": "0.25", "mel_offset_frames": "-1"})
    return path


# --- registry ---------------------------------------------------------------------------------------


def test_published_facts_are_well_formed() -> None:
    for name, weights in REGISTRY.items():
        assert weights.name == name
        assert weights.licence
        if weights.is_embedded:
            assert not weights.urls
            continue
        assert re.fullmatch(r"[0-9a-f]{64}", weights.sha256 or "")
        assert weights.urls
        for url in weights.urls:
            assert re.fullmatch(r"https://[\w.]+/[\w./~-]+", url)
            assert url.endswith(weights.file)
            assert "huggingface" not in url or re.search(r"co/\w+/\w+/resolve/\w+/", url)
    assert not [url for url in REGISTRY["wav2lip"].urls if "camenduru" in url]  # the stub


def test_importing_the_registry_is_light() -> None:
    heavy = ("torch", "cv2", "safetensors")
    code = f"import sys, lipsync_core.weights; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_cache_folder_follows_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == home
    monkeypatch.delenv("LIPSYNC_CORE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "lipsync_core"


# --- resolve ----------------------------------------------------------------------------------------


def test_auto_prefers_published_weights_that_are_here(
    home: Path, package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    register(monkeypatch, mirror.weights("good", name="first", file="first.pth"), mirror.weights("good"))
    embed(package)
    assert resolve("wav2lip", allow_download=False).name == "embedded_wav2lip"
    home.mkdir()
    (home / "some.pth").write_bytes(CONTENT)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("some", home / "some.pth")  # here beats fetchable
    assert mirror.requests == []


def test_auto_takes_what_can_be_fetched_before_the_embedded(
    package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    register(
        monkeypatch, mirror.weights("missing", name="gone"), mirror.weights("html", "good", name="there")
    )
    embed(package)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("there", None)
    assert fetch(found).read_bytes() == CONTENT


def test_auto_without_network_is_the_embedded_one(package: Path) -> None:
    """The published addresses themselves; the test network blocks them."""
    path = embed(package)
    found = resolve("wav2lip", allow_download=True)
    assert (found.name, found.path) == ("embedded_wav2lip", path)
    assert found.metadata()["mel_offset_frames"] == "-1"


def test_auto_ignores_a_damaged_download_aloud(
    home: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    mirror: Mirror,
    caplog: pytest.LogCaptureFixture,
) -> None:
    register(monkeypatch, mirror.weights("missing"))
    embed(package)
    home.mkdir()
    (home / "some.pth").write_bytes(PAGE)
    assert resolve("wav2lip", allow_download=False).is_embedded
    assert "web page" in caplog.text


def test_nothing_at_all_says_what_to_do(package: Path, home: Path) -> None:
    with pytest.raises(MissingModelError) as caught:
        resolve("wav2lip", allow_download=False)
    assert "https://huggingface.co/Nekochu/Wav2Lip/resolve/" in str(caught.value)
    assert str(home / "wav2lip_gan.pth") in str(caught.value)


def test_explicit_name(home: Path, package: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    register(monkeypatch, mirror.weights("good"))
    with pytest.raises(MissingModelError, match="not on this machine") as caught:
        resolve("wav2lip", "some", allow_download=False)
    assert f"{mirror.address}/good/file.pth (700,000 bytes)" in str(caught.value)
    assert resolve("wav2lip", "some", allow_download=True).path is None
    home.mkdir()
    (home / "some.pth").write_bytes(CONTENT[:5000])
    with pytest.raises(CheckpointError, match="SHA-256"):
        resolve("wav2lip", "some", allow_download=False)
    replaced = fetch(resolve("wav2lip", "some", allow_download=True))
    assert replaced.read_bytes() == CONTENT
    assert resolve("wav2lip", "some", allow_download=False).path == replaced


def test_explicit_name_that_no_mirror_has(monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    register(monkeypatch, mirror.weights("missing", "html", "short"))
    with pytest.raises(MissingModelError, match="no mirror answers"):
        resolve("wav2lip", "some", allow_download=True)


def test_embedded_by_choice(package: Path) -> None:
    with pytest.raises(MissingModelError, match="reinstall"):
        resolve("syncnet", "embedded", allow_download=True)
    path = embed(package, "syncnet")
    found = resolve("syncnet", "embedded", allow_download=True)
    assert found.path == path and found.is_embedded


def test_embedded_file_is_checked_against_its_manifest(package: Path) -> None:
    path = embed(package)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (package / "SHA256SUMS").write_text(f"{sha256}  {path.name}\n")
    assert resolve("wav2lip", "embedded", allow_download=False).sha256 == sha256
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="reinstall"):
        resolve("wav2lip", "embedded", allow_download=False)


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "embedded_mine.pth"
    path.write_bytes(b"x")
    found = resolve("wav2lip", str(path), allow_download=False)
    assert (found.path, found.name, found.is_embedded) == (path, "embedded_mine", False)
    assert fetch(found) == path


def test_own_file_of_another_kind_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({"a": torch.ones(3)}, path, metadata={"kind": "lipgan", "width": "0.25"})
    assert resolve("wav2lip", str(path), allow_download=False).kind == "lipgan"
    path.write_bytes(b"cut off")  # refused when it is opened, not when it is found
    assert resolve("wav2lip", str(path), allow_download=False).kind == "wav2lip"


def test_kinds_without_weights_take_files_only(tmp_path: Path) -> None:
    for choice in ("auto", "embedded", "wav2lip"):
        with pytest.raises(InvalidInputError, match=f"'{choice}' for lipgan; allowed is only an"):
            resolve("lipgan", choice, allow_download=False)
    path = tmp_path / "w.pth"
    path.write_bytes(b"x")
    assert resolve("lipgan", str(path), allow_download=False).path == path


@pytest.mark.parametrize("choice", ["syncnet_v2", "no/such/file.pth", "wav2lip-gan"])
def test_unknown_choice_lists_the_allowed(choice: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{choice}.*auto, embedded, wav2lip_gan, wav2lip"):
        resolve("wav2lip", choice, allow_download=False)


def test_unknown_kind() -> None:
    with pytest.raises(InvalidInputError, match=r"'vocoder'.*wav2lip, .*lipsync_expert"):
        resolve("vocoder", allow_download=False)


def test_big_files_are_hashed_once(home: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    weights = mirror.weights("good")
    home.mkdir()
    path = home / "some.pth"
    path.write_bytes(CONTENT)
    assert verified_path(weights) == path
    marker = json.loads((home / "some.pth.verified.json").read_text())
    assert marker["sha256"] == SHA256 and marker["size_bytes"] == len(CONTENT)
    hashed: list[Path] = []
    real = lookup.sha256_of
    monkeypatch.setattr(lookup, "sha256_of", lambda p: (hashed.append(p), real(p))[1])
    assert verified_path(weights) == path
    assert hashed == []
    path.write_bytes(CONTENT[::-1])  # same size, other content and time
    os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="SHA-256"):
        verified_path(weights)
    assert hashed == [path]


# --- the files in the package -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav2lip", "lipsync_expert", "syncnet"])
def test_embedded_weights_load(kind: str) -> None:
    weights = resolve(kind, "embedded", allow_download=False)
    assert weights.sha256 is not None  # from the manifest
    network = load_network(fetch(weights), kind, sha256=weights.sha256)  # type: ignore[arg-type]
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
