"""Text to text by CTranslate2: the same models in 8-bit integers, a quarter of the size and faster on a CPU.

A model is converted once, on first use, into ``$F2F_HOME/ctranslate2`` (else ``~/.cache/f2f/ctranslate2``);
a folder that ``ct2-transformers-converter`` made serves as well if the tokenizer's files lie in it
(``--copy_files``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from f2f.candidates import Candidate, rank
from f2f.engines.status import package_version
from f2f.engines.translation_models import Family, is_converted, local_folder
from f2f.engines.translation_tokenizer import MAX_INPUT_TOKENS, SentenceTokenizer, loading
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

QUANTIZATION = "int8"
# With 1 the search ends as soon as ``beams`` translations are finished, and misses better, longer ones that
# transformers still finds.
_PATIENCE = 2.0
_TOKENIZER_FILES = ("*.json", "*.spm", "*.model")
_NOT_COPIED = frozenset({"config.json", "model.safetensors.index.json", "pytorch_model.bin.index.json"})
_OWN_CONFIG = "transformers_config.json"  # CTranslate2's own takes the name config.json
_COMMIT = re.compile(r"[0-9a-f]{40}")


class FastTranslator:
    """A model that CTranslate2 runs, for one pair of languages.

    Args:
        family: how to address the model.
        model: hub id or folder, converted or not.
        languages: of the texts, and to translate into.
        device: ``"cuda"``, or anything else for the processor.
        tell: called with one sentence before a conversion, which takes minutes.

    Raises:
        EngineUnavailableError: packages or weights are missing or damaged, or a language is unknown to it.
    """

    def __init__(
        self,
        family: Family,
        model: str,
        languages: tuple[Language, Language],
        device: str,
        tell: Callable[[str], None],
    ) -> None:
        if None in family.codes(*languages):
            raise EngineUnavailableError(
                f"{family.name} cannot translate from {languages[0]} to {languages[1]}"
            )
        folder = _bring(family, model, tell)
        self._longest = _read_positions(family, folder) - 2
        with loading(model, folder):
            import ctranslate2

            self._tokenizer = SentenceTokenizer(family, str(folder), *languages)
            self._network = ctranslate2.Translator(
                str(folder), device="cuda" if device == "cuda" else "cpu", compute_type="default"
            )

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        """Translate one batch of sentences; each gets up to ``beams`` different translations, best first.

        Args:
            sentences: in the source language, of about the same length (they are padded to the longest).
            beams: width of the beam search, of which every hypothesis is returned.
        """
        library = self._tokenizer.library
        texts = [self._tokenizer.prepare(sentence) for sentence in sentences]
        longest = min(MAX_INPUT_TOKENS, self._longest)
        rows = library(texts, truncation=True, max_length=longest)["input_ids"]
        first = self._tokenizer.target_token
        try:
            answers = self._network.translate_batch(
                [library.convert_ids_to_tokens(row) for row in rows],
                target_prefix=None if first is None else [[first]] * len(rows),
                beam_size=beams,
                num_hypotheses=beams,
                return_scores=True,
                patience=_PATIENCE,
                # Rarely twice as long; without a bound a model that loops writes to its limit.
                max_decoding_length=min(self._longest, int(2.5 * max(map(len, rows))) + 20),
            )
        except RuntimeError as exc:  # on NVIDIA: libraries of CUDA that are missing or do not fit
            raise EngineUnavailableError(
                f"CTranslate2 gave up ({exc}): use --set translate.runtime=torch or --device cpu"
            ) from exc
        return [self._read(answer) for answer in answers]

    def _read(self, answer: Any) -> list[Candidate]:
        rows = [self._tokenizer.library.convert_tokens_to_ids(tokens) for tokens in answer.hypotheses]
        pairs = zip(self._tokenizer.read(rows), answer.scores, strict=True)
        return rank([Candidate(text, float(score)) for text, score in pairs])


def describe() -> str:
    """Name library and precision, for the manifest."""
    return f"CTranslate2 {package_version('ctranslate2')} {QUANTIZATION}"


def home() -> Path:
    """Return the folder in which converted models are kept."""
    general = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("F2F_HOME") or Path(general) / "f2f").expanduser() / "ctranslate2"


def _bring(family: Family, model: str, tell: Callable[[str], None]) -> Path:
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
        _convert(family, model, folder, place)
    return place


def _read_positions(family: Family, folder: Path) -> int:
    """Return how many tokens the network can tell apart by place; beyond that CTranslate2 gives up."""
    try:
        return int(json.loads((folder / _OWN_CONFIG).read_text("utf-8"))["max_position_embeddings"])
    except (OSError, ValueError, KeyError):  # converted elsewhere: as published
        return 512 if family.name == "marian" else 1024


def _fetch(family: Family, model: str) -> None:
    with loading(model, None):
        import transformers

        getattr(transformers, family.tokenizer).from_pretrained(model)
        transformers.AutoModelForSeq2SeqLM.from_pretrained(model)


def _convert(family: Family, model: str, folder: Path, place: Path) -> None:
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
