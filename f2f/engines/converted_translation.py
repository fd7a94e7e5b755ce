"""Translation models converted for CTranslate2: where they are kept, and how they are made.

A model is converted once, on first use, into ``$F2F_HOME/ctranslate2`` (else ``~/.cache/f2f/ctranslate2``);
a folder that ``ct2-transformers-converter`` made serves as well if the tokenizer's files lie in it
(``--copy_files``).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from f2f.engines.translation_models import Family, is_converted, local_folder
from f2f.engines.translation_tokenizer import loading
from f2f.errors import EngineUnavailableError
from f2f.home import home_folder

QUANTIZATION = "int8"
_TOKENIZER_FILES = ("*.json", "*.spm", "*.model")
_NOT_COPIED = frozenset({"config.json", "model.safetensors.index.json", "pytorch_model.bin.index.json"})
_OWN_CONFIG = "transformers_config.json"  # CTranslate2's own takes the name config.json
_SOURCE = "f2f_source.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def home() -> Path:
    """Return the folder in which converted models are kept."""
    return home_folder() / "ctranslate2"


def bring_converted(family: Family, model: str, tell: Callable[[str], None]) -> Path:
    """Return the folder of the converted model, converting it and before that fetching it where need be."""
    folder = local_folder(model, family)
    if folder is None:
        _fetch(family, model)
        folder = local_folder(model, family)
    if folder is None:
        raise EngineUnavailableError(f"{model} was fetched but is not complete: run f2f models pull {model}")
    if is_converted(folder):
        return folder
    place = home() / _name(model, folder)
    if not is_converted(place):
        tell(f"{model} is run from a copy in 8-bit integers, made once in {place}")
        convert(family, model, folder, place)
    return place


def converted_folders() -> list[Path]:
    """Return the folders of all models that were converted here."""
    return sorted(path for path in home().glob("*") if path.name[0] != "." and is_converted(path))


def source_of(place: Path) -> str | None:
    """Return the hub id or folder that a model was converted from, None where nothing says so."""
    try:
        return str(json.loads((place / _SOURCE).read_text("utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_positions(family: Family, folder: Path) -> int:
    """Return how many tokens the network can tell apart by place; beyond that CTranslate2 gives up."""
    try:
        return int(json.loads((folder / _OWN_CONFIG).read_text("utf-8"))["max_position_embeddings"])
    except (OSError, ValueError, KeyError):  # converted elsewhere: as published
        return 512 if family.name == "marian" else 1024


def _source_name(model: str, folder: Path) -> str:
    return str(folder.resolve()) if Path(model).expanduser().is_dir() else model


def _fetch(family: Family, model: str) -> None:
    with loading(model, None):
        import transformers

        getattr(transformers, family.tokenizer).from_pretrained(model)
        transformers.AutoModelForSeq2SeqLM.from_pretrained(model)


def convert(family: Family, model: str, folder: Path, place: Path) -> None:
    """Convert ``folder`` into ``place``, which is there whole or not at all."""
    weights = [path for pattern in ("*.safetensors", "pytorch_model*.bin") for path in folder.glob(pattern)]
    place.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(path.stat().st_size for path in weights) // 2, shutil.disk_usage(place.parent).free
    if free < needed:
        raise EngineUnavailableError(
            f"{model} cannot be converted: {place.parent} has {free / 1e9:.1f} GB free and needs "
            f"{needed / 1e9:.1f} GB; make room, set F2F_HOME, or use --set translate.runtime=torch"
        )
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as scratch:
        made = Path(scratch) / "model"
        with loading(model, folder):
            _converter(family, folder).convert(str(made), quantization=QUANTIZATION)
        shutil.copyfile(folder / "config.json", made / _OWN_CONFIG)
        (made / _SOURCE).write_text(json.dumps({"model": _source_name(model, folder)}), "utf-8")
        for pattern in _TOKENIZER_FILES:
            for file in folder.glob(pattern):
                if file.name not in _NOT_COPIED:
                    shutil.copyfile(file, made / file.name)
        if not place.exists():  # another run may have been faster
            made.rename(place)


def _converter(family: Family, folder: Path) -> Any:
    import transformers
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc]
        def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **options: Any) -> Any:
            tokenizer = getattr(transformers, family.tokenizer).from_pretrained(
                model_name_or_path, local_files_only=True
            )
            return _WholeVocabulary(tokenizer, folder) if family.name == "m2m100" else tokenizer

    return Converter(str(folder))


class _WholeVocabulary:
    """An M2M-100 tokenizer with all tokens of its network.

    Since transformers 5 its own vocabulary lacks the languages, and CTranslate2 4.8 refuses to convert it.
    """

    def __init__(self, tokenizer: Any, folder: Path) -> None:
        self._tokenizer = tokenizer
        self._size = int(json.loads((folder / "config.json").read_text("utf-8"))["vocab_size"])
        self.special_tokens_map: dict[str, Any] = {}
        self.num_madeup_words = 0  # the network's unused places are in the vocabulary below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def get_vocab(self) -> dict[str, int]:
        """Return token → number, complete and without gaps."""
        vocabulary: dict[str, int] = {}
        for number in range(self._size):
            token = self._tokenizer.convert_ids_to_tokens(number)
            vocabulary[f"madeupword{number}" if token is None or token in vocabulary else token] = number
        return vocabulary


def _name(model: str, folder: Path) -> str:
    """Return the name of the converted folder; it changes whenever the weights do."""
    if _COMMIT.fullmatch(folder.name):
        known = folder.name
    else:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        known = hashlib.sha256(f"{folder.resolve()} {facts}".encode()).hexdigest()
    short = re.sub(r"[^\w.-]+", "--", model.rstrip("/").split("/")[-1])
    return f"{short}-{known[:12]}-{QUANTIZATION}"
