"""Text to text by NLLB-200, M2M-100 and Marian (OPUS-MT) through transformers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from f2f.engines.status import STANDARD_INSTALL, package_version
from f2f.engines.translation_models import Family, local_folder
from f2f.errors import EngineUnavailableError
from f2f.languages import Language
from f2f.sentences import count_letters, split_sentences

MIN_LETTERS = 2  # shorter texts ("…", "42") make translation models invent sentences
BATCH_SIZE = 16
MAX_INPUT_TOKENS = 512


class Translator:
    """A loaded model for one pair of languages.

    Args:
        family: how to address the model.
        model: hub id or folder.
        source: language of the texts.
        target: language to translate into.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        EngineUnavailableError: packages or weights are missing or damaged, or a language is unknown to it.
    """

    def __init__(self, family: Family, model: str, source: Language, target: Language, device: str) -> None:
        self._source_code, self._target_code = family.codes(source, target)
        self._family, self._model_id, self._device = family, model, device
        if self._source_code is None or self._target_code is None:
            raise EngineUnavailableError(f"{family.name} cannot translate from {source} to {target}")
        self._tokenizer, self._model = _load(family, model, device)
        self._forced_id = self._address()

    def __call__(
        self, texts: Sequence[str], beams: int = 4, progress: Callable[[float, float], None] | None = None
    ) -> list[str]:
        """Translate ``texts``, each sentence by sentence; texts of fewer than two letters stay as they are.

        Args:
            texts: in the source language.
            beams: width of the beam search.
            progress: called with texts done and texts in all.
        """
        sentences = [split_sentences(text) if count_letters(text) >= MIN_LETTERS else [] for text in texts]
        spoken = {one for parts in sentences for one in parts if count_letters(one) >= MIN_LETTERS}
        wanted = sorted(spoken, key=lambda one: (len(one), one))  # like lengths together: little padding
        known: dict[str, str] = {}
        for first in range(0, len(wanted), BATCH_SIZE):
            batch = wanted[first : first + BATCH_SIZE]
            known.update(zip(batch, self._translate_batch(batch, beams), strict=True))
            if progress:
                progress(
                    sum(all(p in known for p in parts if p in spoken) for parts in sentences), len(texts)
                )
        pairs = zip(texts, sentences, strict=True)
        return [_join([known.get(one, one) for one in parts]) if parts else text for text, parts in pairs]

    def _address(self) -> int | None:
        """Tell the tokenizer the source language; return the token that forces the target language."""
        if self._family.name == "marian":
            return None
        self._tokenizer.src_lang = self._source_code
        if self._family.name == "m2m100":
            return int(self._tokenizer.get_lang_id(self._target_code))
        token = int(self._tokenizer.convert_tokens_to_ids(self._target_code))
        if token == self._tokenizer.unk_token_id:
            raise EngineUnavailableError(
                f"{self._model_id} has no token for {self._target_code}: take another model"
            )
        return token

    def _translate_batch(self, sentences: Sequence[str], beams: int) -> list[str]:
        import torch

        texts = [self._with_target_token(sentence) for sentence in sentences]
        batch = self._tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self._limit(MAX_INPUT_TOKENS),
        ).to(self._device)
        options: dict[str, Any] = {} if self._forced_id is None else {"forced_bos_token_id": self._forced_id}
        # Translations are rarely twice as long; without a bound a model that loops writes to its limit.
        n_new = self._limit(int(2.5 * batch["input_ids"].shape[1]) + 20)
        with torch.inference_mode():
            tokens = self._model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], num_beams=beams,
                do_sample=False, max_new_tokens=n_new, max_length=None, **options,
            )  # fmt: skip
        if self._forced_id is not None:  # older tokenizer files do not mark it as special
            tokens = tokens.masked_fill(tokens == self._forced_id, self._tokenizer.pad_token_id)
        return [str(text).strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def _with_target_token(self, sentence: str) -> str:
        """Prefix ``>>hin<<`` where one Marian model serves several target languages."""
        codes = (
            getattr(self._tokenizer, "supported_language_codes", ()) if self._family.name == "marian" else ()
        )
        wanted = [f">>{self._target_code}<<", f">>{Language(str(self._target_code)).iso639_2}<<"]
        token = next((one for one in wanted if one in codes), None)
        return f"{token} {sentence}" if token else sentence

    def _limit(self, n_tokens: int) -> int:
        positions = getattr(self._model.config, "max_position_embeddings", None) or MAX_INPUT_TOKENS
        return max(8, min(n_tokens, int(positions) - 2))


def describe(model: str) -> str:
    """Name model and library, for the manifest."""
    name = Path(model).name if Path(model).expanduser().is_dir() else model
    return f"{name} with transformers {package_version('transformers')}"


def _load(family: Family, model: str, device: str) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as exc:
        raise EngineUnavailableError(f"transformers cannot be used ({exc}): {STANDARD_INSTALL}") from exc
    # Else transformers asks a service of the hub to convert old weights, and writes into their repository.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    folder = local_folder(model, family)
    place, is_local = (str(folder), True) if folder else (model, False)
    quiet: Any = transformers.utils.logging
    quiet.set_verbosity_error()
    if is_local:
        quiet.disable_progress_bar()
    dtype = torch.float16 if device == "cuda" else torch.float32
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            tokenizer = getattr(transformers, family.tokenizer).from_pretrained(
                place, local_files_only=is_local
            )
            network = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                place, local_files_only=is_local, dtype=dtype
            )
    except ImportError as exc:
        raise EngineUnavailableError(f"a package for {model} is missing ({exc}): {STANDARD_INSTALL}") from exc
    except Exception as exc:  # each of hub, tokenizer and weights reader has errors of its own
        where = f"delete {folder} and run again" if folder else f"run hf download {model} with a network"
        raise EngineUnavailableError(
            f"{model} cannot be loaded ({type(exc).__name__}: {' '.join(str(exc).split())[:200]}): {where}"
        ) from exc
    return tokenizer, network.to(device).eval()


def _join(parts: Sequence[str]) -> str:
    from f2f.cues import join_texts

    text = ""
    for part in parts:
        text = join_texts(text, part.strip())
    return text
