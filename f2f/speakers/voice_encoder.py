"""What makes a voice somebody's, as 256 numbers: the GE2E network with the weights in Resemblyzer's wheel.

Wan et al., Generalized end-to-end loss for speaker verification, 2018 (https://arxiv.org/abs/1710.10467):
three LSTM layers of 256 over 40 mel bands, a projection, ReLU, length 1. Only the file of weights is read:
the package's own code needs webrtcvad, which asks for a compiler, and a module that SciPy gives up.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from f2f.engines.status import EngineStatus, package_version
from f2f.errors import EngineUnavailableError
from f2f.speech_regions import SAMPLE_RATE_HZ, Region, Waveform
from f2f.workspace import hash_file

if TYPE_CHECKING:
    import torch

DISTRIBUTION = "Resemblyzer"
LICENCE = "Apache-2.0"
INSTALL = "pip install --no-deps Resemblyzer"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of ``resemblyzer/pretrained.pt`` in Resemblyzer 0.1.1 to 0.1.4."""

WINDOW_S = 1.6
"""What the network was trained to hear at once."""
STEP_S = 0.4

_FILE = "resemblyzer/pretrained.pt"
_FRAMES_PER_S = 100
_FFT_SAMPLES, _HOP_SAMPLES, _BANDS, _UNITS = 400, 160, 40, 256
_LEVEL_DBFS = -30.0  # its training data was brought to this level
_BATCH = 64
_BLOCK_S = 60.0  # of a longer region so much is heard at once, whatever its length

FloatArray = npt.NDArray[np.float32]


def status() -> EngineStatus:
    """Say whether the weights are here; they are part of a package, nothing is ever fetched."""
    detail = f"GE2E voice encoder of {DISTRIBUTION} {package_version(DISTRIBUTION)}"
    path = weights_path()
    if path is None:
        return EngineStatus("embeddings", False, f"weights are missing: {INSTALL}", LICENCE, detail)
    if _sha256(path, path.stat().st_mtime_ns) != SHA256:
        reason = f"{path} is damaged or of an unknown version: {INSTALL} --force-reinstall"
        return EngineStatus("embeddings", False, reason, LICENCE, detail)
    return EngineStatus("embeddings", True, f"weights in {path}", LICENCE, detail)


def identity() -> str:
    """Return what tells this network from any other."""
    return f"embeddings 1 {SHA256[:8]}"


def weights_path() -> Path | None:
    """Return the file of weights inside the installed package, None where there is none."""
    try:
        files = importlib.metadata.distribution(DISTRIBUTION).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(one.locate())) for one in files if one.as_posix() == _FILE)
    return next((path for path in found if path.is_file()), None)


@functools.lru_cache(maxsize=4)
def _sha256(path: Path, mtime_ns: int) -> str:
    del mtime_ns  # only part of the cache's key
    return hash_file(path)


class VoiceEncoder:
    """The network with its weights.

    Args:
        device: where it runs.
        weights: file of the published form; None takes the one of the package.
        sha256: what the file must hash to; None takes any.

    Raises:
        EngineUnavailableError: there is no such file, or it holds something else.
    """

    def __init__(self, device: str = "cpu", weights: Path | None = None, sha256: str | None = SHA256) -> None:
        import torch

        path = weights or weights_path()
        if path is None:
            raise EngineUnavailableError(f"weights of the voice encoder are missing: {INSTALL}")
        try:
            if sha256 is not None and hash_file(path) != sha256:
                raise ValueError("its SHA-256 is not the published one")
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            self._lstm = torch.nn.LSTM(_BANDS, _UNITS, 3, batch_first=True)
            self._linear = torch.nn.Linear(_UNITS, _UNITS)
            for name, layer in (("lstm.", self._lstm), ("linear.", self._linear)):
                own = {key.removeprefix(name): one for key, one in state.items() if key.startswith(name)}
                layer.load_state_dict(own)
                layer.to(device).eval()
        except Exception as error:  # of a dozen types, for files that are none of its own
            words = " ".join(str(error).split())[:200]
            raise EngineUnavailableError(
                f"{path} cannot be used ({type(error).__name__}: {words}): {INSTALL} --force-reinstall"
            ) from error
        self._device = device

    def embed_regions(
        self, waveform: Waveform, regions: Sequence[Region]
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Return for each region the middles of its windows (W,) in seconds and their embeddings (W, 256).

        Windows are 1.6 s long and 0.4 s apart; of a shorter region all of it is one window. Embeddings have
        length 1 and no negative values.

        Args:
            waveform: (N,) float32 in -1...1 at 16 kHz.
            regions: stretches with speech.
        """
        return [self._embed_region(waveform, region) for region in regions]

    def _embed_region(self, waveform: Waveform, region: Region) -> tuple[FloatArray, FloatArray]:
        edges_s = np.linspace(*region, max(1, math.ceil((region[1] - region[0]) / _BLOCK_S)) + 1).tolist()
        blocks = [self._embed_block(waveform, block) for block in itertools.pairwise(edges_s)]
        middles_s, embeddings = zip(*blocks, strict=True)
        return np.concatenate(middles_s), np.concatenate(embeddings)

    def _embed_block(self, waveform: Waveform, region: Region) -> tuple[FloatArray, FloatArray]:
        import torch

        first, last = (round(time_s * SAMPLE_RATE_HZ) for time_s in region)
        mel = mel_powers(np.array(waveform[first : max(last, first + 1)], np.float32))
        width, step = min(round(WINDOW_S * _FRAMES_PER_S), len(mel)), round(STEP_S * _FRAMES_PER_S)
        starts = [*range(0, len(mel) - width + 1, step)]
        if len(mel) - width - starts[-1] > step // 2:
            starts.append(len(mel) - width)
        found: list[FloatArray] = []
        with torch.inference_mode():
            for at in range(0, len(starts), _BATCH):
                batch = torch.stack([mel[start : start + width] for start in starts[at : at + _BATCH]])
                _, (hidden, _) = self._lstm(batch.to(self._device))
                raw = torch.relu(self._linear(hidden[-1]))
                found.append((raw / raw.norm(dim=1, keepdim=True).clamp_min(1e-9)).cpu().numpy())
        middles_s = region[0] + (np.array(starts, np.float32) + width / 2) / _FRAMES_PER_S
        return np.asarray(middles_s, np.float32), np.concatenate(found)


def mel_powers(waveform: Waveform) -> torch.Tensor:
    """Return (T, 40) powers in mel bands (Slaney's scale and norm, 0 to 8 kHz), 100 a second, no logarithm.

    The sound is brought to -30 dBFS first, as that of the network's training was.

    Args:
        waveform: (N,) float32 in -1...1 at 16 kHz.
    """
    import torch

    rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
    sound = torch.from_numpy(waveform * np.float32(10 ** (_LEVEL_DBFS / 20) / max(rms, 1e-5)))
    spectrum = torch.stft(
        sound, _FFT_SAMPLES, _HOP_SAMPLES, window=torch.hann_window(_FFT_SAMPLES), pad_mode="constant",
        return_complex=True,
    )  # fmt: skip
    powers: torch.Tensor = spectrum.abs().square().T @ _mel_bank()
    return powers


@functools.cache
def _mel_bank() -> Any:
    import torch
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(
        _FFT_SAMPLES // 2 + 1,
        _BANDS,
        0.0,
        SAMPLE_RATE_HZ / 2,
        SAMPLE_RATE_HZ,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(np.asarray(bank, np.float32))
