"""Demucs through its own library, with small models of the published format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_demucs import save_in_hub_cache, save_tiny_demucs

from f2f.engines import demucs_separation
from f2f.engines.demucs_separation import DemucsSeparator, find_files, identity, status
from f2f.errors import EngineUnavailableError, UsageError

pytest.importorskip("demucs")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demucs") / "tiny.safetensors"
    save_tiny_demucs(path)
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_all_but_the_voices_is_what_remains(weights: Path) -> None:
    import torch

    separator = DemucsSeparator(str(weights))
    assert separator.sample_rate_hz == 44_100
    sound = np.random.default_rng(0).normal(0.01, 0.1, (22_050, 2)).astype(np.float32)
    rest = separator.remove_speech(sound)
    assert rest.shape == sound.shape and rest.dtype == np.float32
    # The network itself, called directly on one of its windows.
    model = save_tiny_demucs(weights.with_name("again.safetensors"))
    mean, deviation = sound.mean(), sound.mean(axis=1).std()
    with torch.no_grad():
        sources = model(torch.from_numpy(((sound - mean) / deviation).T[None].copy()))[0]
    expected = sources[:3].sum(dim=0).numpy().T * deviation + mean
    assert np.allclose(rest[:16_000], expected[:16_000], atol=1e-4)  # behind, a second window begins
    assert np.abs(rest - sound).max() > 1e-3, "random weights change the sound"
    assert np.array_equal(separator.remove_speech(sound), rest), "the same again"


def test_silence_stays_silent(weights: Path) -> None:
    silence = np.zeros((1000, 2), np.float32)
    assert not DemucsSeparator(str(weights)).remove_speech(silence).any()


def test_published_model_is_found_where_the_hub_s_client_puts_it(hub: Path) -> None:
    assert find_files("htdemucs") == []
    path = save_in_hub_cache(hub)
    assert find_files("htdemucs") == [path]
    assert status("htdemucs").ready
    assert identity("htdemucs") == "demucs htdemucs"


def test_published_model_is_loaded_from_the_hub_s_cache(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as constants

    save_in_hub_cache(hub)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    separator = DemucsSeparator("htdemucs")
    assert separator.remove_speech(np.full((4410, 2), 0.1, np.float32)).shape == (4410, 2)


def test_missing_weights_say_how_to_get_them(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    found = status("htdemucs")
    assert not found.ready and "f2f models pull htdemucs" in found.reason
    with pytest.raises(EngineUnavailableError, match="could not be fetched"):
        DemucsSeparator("htdemucs")
    assert "no such file" in status("missing.safetensors").reason


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demucs_separation, "has_package", lambda module: False)
    assert 'pip install "f2f[separate]"' in status("htdemucs").reason
    with pytest.raises(EngineUnavailableError, match="f2f\\[separate\\]"):
        DemucsSeparator("htdemucs")


def test_a_file_may_not_name_any_class_it_likes(tmp_path: Path) -> None:
    save_tiny_demucs(tmp_path / "evil.safetensors", klass="os.system")
    with pytest.raises(UsageError, match=r"os\.system"):
        DemucsSeparator(str(tmp_path / "evil.safetensors"))
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match="cannot be loaded"):
        DemucsSeparator(str(tmp_path / "broken.safetensors"))


def test_a_model_without_voices_is_refused(tmp_path: Path) -> None:
    save_tiny_demucs(tmp_path / "drums.safetensors", sources=("drums", "bass"))
    with pytest.raises(UsageError, match="drums, bass"):
        DemucsSeparator(str(tmp_path / "drums.safetensors"))


def test_another_file_is_another_identity(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "tiny.safetensors"
    other.write_bytes(weights.read_bytes())
    assert identity(str(other)) != identity(str(weights))
