"""Which translation models there are, and which of them are on this machine or can be fetched."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from f2f.engines.hub import snapshot_folders
from f2f.engines.status import STANDARD_INSTALL, EngineStatus, downloads_allowed, has_package, is_reachable
from f2f.languages import Language

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Family:
    """Models that are loaded and addressed in the same way.

    Attributes:
        name: engine name as in the configuration.
        default_model: hub id; ``{pair}`` stands for OPUS-MT's name of the language pair.
        licence: of the default model's weights.
        tokenizer: class in transformers.
        files: vocabularies, of which a model folder has one beside ``config.json`` and the weights.
        size: of the default model's download.
    """

    name: str
    default_model: str
    licence: str
    tokenizer: str
    files: tuple[str, ...]
    size: str

    def model_id(self, model: str | None, source: Language | None, target: Language) -> str:
        """Return the hub id or folder: the given one, or the family's own for the pair."""
        pair = source.marian_pair(target) if source else f"{{src}}-{target.primary}"
        return model or self.default_model.format(pair=pair)

    def codes(self, source: Language, target: Language) -> tuple[str | None, str | None]:
        """Return the model's codes of both languages, None for one that the family does not know."""
        if self.name == "nllb":
            return source.nllb, target.nllb
        if self.name == "m2m100":
            return source.m2m100, target.m2m100
        return source.primary, target.primary


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "nllb", "facebook/nllb-200-distilled-600M", "CC-BY-NC-4.0", "NllbTokenizer",
            ("sentencepiece.bpe.model", "tokenizer.json"), "2.5 GB",
        ),
        Family(
            "m2m100", "facebook/m2m100_418M", "MIT", "M2M100Tokenizer",
            ("sentencepiece.bpe.model",), "1.9 GB",
        ),
        Family(
            "marian", "Helsinki-NLP/opus-mt-{pair}", "CC-BY-4.0 or Apache-2.0", "MarianTokenizer",
            ("source.spm",), "0.3 GB",
        ),
    )
}  # fmt: skip


def family_of(model: str) -> str | None:
    """Return the family that a folder or hub id belongs to, None where neither tells."""
    config = Path(model).expanduser() / "config.json"
    if config.is_file():
        try:
            kind = json.loads(config.read_text("utf-8")).get("model_type")
            about = config.with_name("tokenizer_config.json")
            tokenizer = (
                json.loads(about.read_text("utf-8")).get("tokenizer_class", "") if about.is_file() else ""
            )
        except (OSError, ValueError):
            return None
        if kind is None and is_converted(config.parent):  # what CTranslate2 writes names no kind
            if config.with_name("source.spm").is_file():
                return "marian"
            return "m2m100" if config.with_name("vocab.json").is_file() else "nllb"
        if kind == "m2m_100":
            return "nllb" if str(tokenizer).startswith("Nllb") else "m2m100"
        return "marian" if kind == "marian" else None
    hints = {"nllb": "nllb", "m2m100": "m2m100", "opus-mt": "marian", "opus_mt": "marian"}
    return next((family for hint, family in hints.items() if hint in model.lower()), None)


def local_folder(model: str, family: Family) -> Path | None:
    """Return the folder of a model that is on this machine: the given one, or one in the hub's cache."""
    own = Path(model).expanduser()
    if own.is_dir():
        return own if _is_complete(own, family) else None
    return next((folder for folder in snapshot_folders(model) if _is_complete(folder, family)), None)


def status(
    family: Family,
    model: str | None,
    source: Language | None,
    target: Language,
    profile: str = "auto",
    *,
    probe: bool = True,
) -> EngineStatus:
    """Say whether the family can translate this pair here.

    Args:
        family: one of ``FAMILIES``.
        model: hub id or folder, None for the family's own.
        source: spoken language, None where it is not known yet.
        target: wanted language.
        profile: of the configuration; ``"embedded"`` never downloads.
        probe: False says "not here" without asking the network.
    """
    name = family.model_id(model, source, target)
    obstacle = _obstacle(family, name, source, target)
    folder = local_folder(name, family)
    if obstacle is None and folder is None:
        command = f"f2f models pull {name}"
        if not downloads_allowed(profile):
            obstacle = f"weights are not here and downloads are off: run {command} with a network"
        elif not probe:
            obstacle = f"weights are not here: run {command}"
        else:
            obstacle = _network_obstacle(name, command)
    found = f"weights in {folder}" if folder else f"weights ({family.size}) will be fetched from the hub"
    is_ready = obstacle is None
    needs_download = is_ready and folder is None
    return EngineStatus(family.name, is_ready, obstacle or found, family.licence, name, needs_download)


def _obstacle(family: Family, name: str, source: Language | None, target: Language) -> str | None:
    """Say what on this machine is in the way, None if nothing is."""
    missing = [package for package in ("torch", "transformers", "sentencepiece") if not has_package(package)]
    if missing:
        return f"missing packages {', '.join(missing)}: {STANDARD_INSTALL}"
    for language in (source, target):
        if language is not None and None in family.codes(language, language):
            return f"{family.name} does not know {language}"
    if "{src}" in name:
        return "which model it needs depends on the spoken language: add --from LANG"
    if Path(name).expanduser().is_dir() and not _is_complete(Path(name).expanduser(), family):
        return f"folder {name} lacks config.json, weights or {family.files[0]}"
    return None


def _network_obstacle(name: str, command: str) -> str | None:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if not is_reachable(endpoint):
        return f"weights are not here and {endpoint} does not answer: run {command} with a network"
    if not is_reachable(f"{endpoint}/{name}/resolve/main/config.json"):
        return f"{endpoint} has no model {name}: name another one with translate.model"
    return None


def identity(family: Family, model: str) -> str:
    """Return what tells these weights from others: the hub id, or sizes and times of a folder's files."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return f"{family.name} {model}"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    known = [f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files]
    return f"{family.name} {folder.resolve()} {' '.join(known)}"


def is_converted(folder: Path) -> bool:
    """Whether ``folder`` holds a model that was converted for CTranslate2."""
    return (folder / "model.bin").is_file() and any(folder.glob("*vocabulary.*"))


def _is_complete(folder: Path, family: Family) -> bool:
    has_weights = is_converted(folder) or any(any(folder.glob(pattern)) for pattern in _WEIGHTS)
    has_vocabulary = any((folder / name).is_file() for name in family.files)
    return (folder / "config.json").is_file() and has_weights and has_vocabulary
