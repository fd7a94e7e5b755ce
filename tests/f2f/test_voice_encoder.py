"""The network that tells voices apart: weights of the true format, and the real ones where they are here."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from spoken import RATE, SENTENCES, silence, speak

from f2f.config import TranscribeConfig
from f2f.errors import EngineUnavailableError
from f2f.results import EngineInfo
from f2f.speakers import Turn, choose_diarizer, credit_diarizer, diarizer_identity, find_turns, voice_encoder
from f2f.speakers.voice_encoder import VoiceEncoder, mel_powers

installed = pytest.mark.skipif(
    not voice_encoder.status().ready, reason=f"needs weights: {voice_encoder.INSTALL}"
)


def write_weights(path: Path) -> Path:
    """Write random weights in the published form, without what its training left in the file."""
    torch.manual_seed(0)
    layers = {"lstm": torch.nn.LSTM(40, 256, 3), "linear": torch.nn.Linear(256, 256)}
    state = {
        f"{name}.{key}": one for name, layer in layers.items() for key, one in layer.state_dict().items()
    }
    torch.save({"step": 1, "model_state": {**state, "similarity_weight": torch.ones(1)}}, path)
    return path


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "pretrained.pt")


def test_mel_powers_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    sound = speak(SENTENCES[0])
    level = sound * np.float32(10 ** (-30 / 20) / np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    truth = librosa.feature.melspectrogram(y=level, sr=RATE, n_fft=400, hop_length=160, n_mels=40).T
    mine = mel_powers(sound).numpy()
    assert mine.shape == truth.shape
    assert np.abs(mine - truth).max() < 1e-4 * truth.max()


def test_embeddings_of_windows(random_weights: Path) -> None:
    encoder = VoiceEncoder(weights=random_weights, sha256=None)
    sound = speak(SENTENCES[0])
    long, short = encoder.embed_regions(sound, [(0.2, 2.6), (1.0, 1.5)])
    assert long[0] == pytest.approx([1.0, 1.4, 1.8], abs=0.02)
    assert short[0] == pytest.approx([1.25], abs=0.02)
    assert (long[1].shape, short[1].shape) == ((3, 256), (1, 256))
    assert np.linalg.norm(long[1], axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert long[1].min() >= 0
    again = encoder.embed_regions(np.asarray(0.1 * sound, np.float32), [(0.2, 2.6)])
    assert again[0][1] == pytest.approx(long[1], abs=1e-4)  # a level is no voice


def test_long_regions_are_heard_in_blocks(random_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest: list[int] = []

    def listen(waveform: np.ndarray) -> torch.Tensor:
        longest.append(waveform.size)
        return mel_powers(waveform)

    monkeypatch.setattr(voice_encoder, "_BLOCK_S", 3.0)
    monkeypatch.setattr(voice_encoder, "mel_powers", listen)
    [(middles_s, embeddings)] = VoiceEncoder(weights=random_weights, sha256=None).embed_regions(
        np.tile(speak(SENTENCES[0]), 3), [(0.5, 9.0)]
    )
    assert max(longest) <= 3 * RATE
    assert len(middles_s) == len(embeddings)
    assert (np.diff(middles_s) > 0).all()
    assert np.diff(middles_s).max() < 1.8  # at the edge of two blocks


def test_other_weights_are_refused_in_one_line(random_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="SHA-256"):
        VoiceEncoder(weights=random_weights)
    for content in (b"", b"<html>"):
        damaged = tmp_path / "pretrained.pt"
        damaged.write_bytes(content)
        with pytest.raises(EngineUnavailableError, match="--force-reinstall") as caught:
            VoiceEncoder(weights=damaged, sha256=None)
        assert "\n" not in str(caught.value)
    torch.save({"model_state": {"lstm.weight_ih_l0": torch.zeros(2)}}, damaged)
    with pytest.raises(EngineUnavailableError, match="cannot be used"):
        VoiceEncoder(weights=damaged, sha256=None)


def test_missing_and_damaged_weights_are_said_before_any_work(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_encoder, "weights_path", lambda: None)
    assert voice_encoder.INSTALL in voice_encoder.status().reason
    with pytest.raises(EngineUnavailableError, match="pip install --no-deps Resemblyzer"):
        choose_diarizer(TranscribeConfig(diarizer="embeddings"))
    assert choose_diarizer(TranscribeConfig()) == "clusters"
    monkeypatch.setattr(voice_encoder, "weights_path", lambda: random_weights)
    assert "damaged" in voice_encoder.status().reason
    assert choose_diarizer(TranscribeConfig()) == "clusters"


def test_weights_are_found_by_the_packages_list_of_files(
    random_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "resemblyzer").mkdir(parents=True)
    (site / "Resemblyzer-0.1.4.dist-info").mkdir()
    (site / "resemblyzer" / "pretrained.pt").write_bytes(random_weights.read_bytes())
    (site / "Resemblyzer-0.1.4.dist-info" / "METADATA").write_text("Name: Resemblyzer\nVersion: 0.1.4\n")
    (site / "Resemblyzer-0.1.4.dist-info" / "RECORD").write_text("resemblyzer/pretrained.pt,,\n")
    found = importlib.metadata.PathDistribution(site / "Resemblyzer-0.1.4.dist-info")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: found)
    assert voice_encoder.weights_path() == site / "resemblyzer" / "pretrained.pt"
    (site / "resemblyzer" / "pretrained.pt").unlink()
    assert voice_encoder.weights_path() is None


def run(waveform: np.ndarray, regions: list[tuple[float, float]], speakers: int | None = None) -> list[Turn]:
    config = TranscribeConfig(diarizer="embeddings", speakers=speakers or "auto")
    return find_turns(choose_diarizer(config), waveform, regions, config, "cpu", lambda line: None)


@installed
def test_short_turns_of_two_voices() -> None:
    parts, regions = [silence(0.3)], []
    for number, voice in enumerate(("en-us", "en-us+f2", "en-us+f2", "en-us")):
        start_s = sum(part.size for part in parts) / RATE
        parts += [speak(SENTENCES[number], voice)[: round(1.5 * RATE)], silence(0.3)]
        regions.append((start_s, start_s + parts[-2].size / RATE))
    waveform = np.concatenate(parts)
    assert [one.speaker for one in run(waveform, regions)] == [0, 1, 1, 0]
    whole = run(waveform, [(0.0, waveform.size / RATE)], 2)
    assert [one.speaker for one in whole] == [0, 1, 0]
    assert abs(whole[0].end_s - regions[0][1]) < 0.6
    assert abs(whole[1].end_s - regions[2][1]) < 0.6
    assert run(waveform, regions[1:3]) == []  # one voice alone
    assert run(waveform, []) == []


@installed
def test_real_people_take_short_turns(shared_media: Path) -> None:
    from lipsync_core.media import read_audio

    clips = {
        name: [
            read_audio(clip, RATE)[RATE // 2 : 2 * RATE]
            for clip in sorted((shared_media / "grid" / name).glob("*.mkv"))[:2]
        ]
        for name in ("test/s1", "test/s29", "train/s2", "train/s4")
    }
    sounds = [own[turn] for turn in range(2) for own in clips.values()]
    waveform = np.concatenate([part for one in sounds for part in (one, silence(0.3))])
    edges = np.cumsum([0, *(one.size + round(0.3 * RATE) for one in sounds)]) / RATE
    found = run(waveform, [(float(edge), float(edge) + 1.5) for edge in edges[:-1]])
    assert [one.speaker for one in found] == [0, 1, 2, 3] * 2


@installed
def test_it_is_taken_before_timbre_and_its_licence_is_listed() -> None:
    assert choose_diarizer(TranscribeConfig(speakers=2)) in ("pyannote", "embeddings")
    assert voice_encoder.SHA256[:8] in diarizer_identity("embeddings")
    info = credit_diarizer(
        EngineInfo(name="whisper", version="1", licence="MIT"), "embeddings", [Turn(0, 1, 0)]
    )
    assert info.components[0].licence == "Apache-2.0"
