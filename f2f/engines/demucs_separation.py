"""Voices out of a recording by Demucs (Rouard, Massa and Défossez, ICASSP 2023), through its own library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f2f.engines.hub import snapshot_folders
from f2f.engines.status import EngineStatus, downloads_allowed, has_package, is_reachable, package_version
from f2f.errors import EngineUnavailableError, UsageError
from f2f.results import EngineInfo

if TYPE_CHECKING:
    from f2f.separation import Sound

INSTALL = 'pip install "f2f[separate]"'
LICENCE = "MIT"
_SIZE = "0.2 GB"
_VOICES = "vocals"
# A file names the class that is to be built of it: no other may be.
_CLASSES = frozenset({"demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs"})


def status(model: str, profile: str = "auto", *, probe: bool = True) -> EngineStatus:
    """Say whether Demucs can work here.

    Args:
        model: name of a published model, or a ``.safetensors`` file.
        profile: of the configuration; ``"embedded"`` never downloads.
        probe: False says "not here" without asking the network.
    """

    def answer(reason: str, *, ready: bool = False, needs_download: bool = False) -> EngineStatus:
        return EngineStatus("separate", ready, reason, LICENCE, f"demucs {model}", needs_download)

    if not has_package("demucs"):
        return answer(f"demucs is not installed: {INSTALL}")
    files = find_files(model)
    if files:
        return answer(f"weights in {files[0].parent}", ready=True)
    if is_file_name(model):
        return answer(f"no such file: {model}; set mux.separation_model")
    command = f"f2f models pull {model}"
    if not downloads_allowed(profile):
        return answer(f"weights of {model} are not here and downloads are off: run {command} with a network")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if not probe or not is_reachable(f"{endpoint}/{repository_of(model)}/resolve/main/{model}.yaml"):
        return answer(f"weights of {model} are not here: run {command} with a network")
    return answer(f"weights ({_SIZE}) will be fetched from the hub", ready=True, needs_download=True)


def identity(model: str) -> str:
    """Return what tells these weights from others: the name, or size and time of a file."""
    if not is_file_name(model):
        return f"demucs {model}"
    path = Path(model).expanduser()
    known = f" {path.stat().st_size} {path.stat().st_mtime_ns}" if path.is_file() else ""
    return f"demucs {path.absolute()}{known}"


def engine_info(model: str) -> EngineInfo:
    """Describe the engine for manifest and report."""
    return EngineInfo(name="demucs", version=package_version("demucs"), licence=LICENCE, detail=model)


def find_files(model: str) -> list[Path]:
    """Return the weights that are on this machine: the given file, or all files of a published model."""
    if is_file_name(model):
        path = Path(model).expanduser()
        return [path] if path.is_file() else []
    bags = [folder / f"{model}.yaml" for folder in snapshot_folders(repository_of(model))]
    for bag in filter(Path.is_file, bags):
        files = [bag.with_name(f"{name}.safetensors") for name in _read_bag(bag)["models"]]
        if all(path.is_file() for path in files):
            return files
    return []


class DemucsSeparator:
    """A Demucs model that removes what it takes for voices.

    Args:
        model: name of a published model, which is fetched where it is not here yet, or a file.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        EngineUnavailableError: package or weights are not here and cannot be fetched.
        UsageError: the file is no Demucs model for stereo sound with voices among its sources.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        if not has_package("demucs"):
            raise EngineUnavailableError(f"demucs is not installed: {INSTALL}")
        from demucs.apply import BagOfModels

        if is_file_name(model):
            self._model: Any = _load_file(Path(model).expanduser())
        else:
            bag_path, files = _bring(model)
            bag = _read_bag(bag_path)
            self._model = BagOfModels(
                [_load_file(path) for path in files], bag.get("weights"), bag.get("segment")
            )
        self._model.eval()
        self._device = device
        self.sample_rate_hz = int(self._model.samplerate)

    def remove_speech(self, sound: Sound) -> Sound:
        """Return the (N, 2) sound without voices: the sum of all other sources."""
        import numpy as np
        import torch
        from demucs.apply import apply_model

        mean, deviation = float(sound.mean()), float(sound.mean(axis=1).std())
        if deviation < 1e-8:  # silence cannot be normalised, and holds no voice
            return sound
        mix = torch.from_numpy(np.ascontiguousarray((sound.T - mean) / deviation))
        # Without random shifts: the same sound gives the same result.
        sources = apply_model(self._model, mix[None], shifts=0, device=self._device)[0]
        others = [k for k, name in enumerate(self._model.sources) if name != _VOICES]
        rest = sources[others].sum(dim=0).cpu().numpy()
        return np.asarray(rest.T * deviation + mean, np.float32)


def is_file_name(model: str) -> bool:
    """Whether ``model`` is a file of the user's own and not the name of a published model."""
    return model.endswith(".safetensors") or os.sep in model


def repository_of(model: str) -> str:
    """Return the hub's name of a model, as `demucs.hf.hf_repo_name` builds it."""
    if model == "htdemucs":
        return "adefossez/HTDemucs"
    if model.startswith("htdemucs_"):
        return f"adefossez/HTDemucs-{model.removeprefix('htdemucs_')}"
    return f"adefossez/Demucs-{model}"


def _read_bag(path: Path) -> dict[str, Any]:
    import yaml

    bag = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(bag, dict) or not bag.get("models"):
        raise UsageError(f"{path} lists no model: download it again")
    return bag


def _bring(model: str) -> tuple[Path, list[Path]]:
    """Return the list of a published model's files and the files, fetching what is not here."""
    from huggingface_hub import hf_hub_download

    try:
        bag = Path(hf_hub_download(repository_of(model), f"{model}.yaml"))
        names = [f"{name}.safetensors" for name in _read_bag(bag)["models"]]
        return bag, [Path(hf_hub_download(repository_of(model), name)) for name in names]
    except (OSError, ValueError) as error:  # every error of the hub's client is one of these
        raise EngineUnavailableError(
            f"weights of demucs {model} could not be fetched: {error}; or set mux.background to duck"
        ) from error


def _load_file(path: Path) -> Any:
    from demucs.hf import load_safetensors_model
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
        if about.get("klass") not in _CLASSES or "structure" in about:
            raise UsageError(f"{path} is no Demucs model (class {about.get('klass')!r})")
        model = load_safetensors_model(path)
    except (SafetensorError, OSError, RuntimeError, KeyError) as error:
        raise UsageError(f"{path} cannot be loaded as a Demucs model: {error}; download it again") from error
    if _VOICES not in model.sources or model.audio_channels != 2:
        raise UsageError(
            f"{path} separates {', '.join(model.sources)} of {model.audio_channels} channel(s); wanted is "
            f"a model of stereo sound with {_VOICES}"
        )
    return model
