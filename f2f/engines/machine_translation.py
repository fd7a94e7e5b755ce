"""Text to text by NLLB-200, M2M-100 and Marian (OPUS-MT) through transformers."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from f2f.candidates import Candidate, rank
from f2f.engines.status import STANDARD_INSTALL, package_version
from f2f.engines.translation_models import Family, local_folder
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

MAX_INPUT_TOKENS = 512
_MAX_LOGITS = 1 << 25  # values of the vocabulary held at once while scoring: 128 MiB


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

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        """Translate one batch of sentences; each gets up to ``beams`` different translations, best first.

        Args:
            sentences: in the source language, of about the same length (they are padded to the longest).
            beams: width of the beam search, of which every hypothesis that was finished is returned.
        """
        import torch

        batch = self._tokenizer(
            [self._with_target_token(sentence) for sentence in sentences],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self._limit(MAX_INPUT_TOKENS),
        ).to(self._device)
        options: dict[str, Any] = {} if self._forced_id is None else {"forced_bos_token_id": self._forced_id}
        # Translations are rarely twice as long; without a bound a model that loops writes to its limit.
        n_new = self._limit(int(2.5 * batch["input_ids"].shape[1]) + 20)
        with torch.inference_mode():
            heard = self._model.get_encoder()(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            )
            tokens = self._model.generate(
                encoder_outputs=copy.copy(heard), attention_mask=batch["attention_mask"], num_beams=beams,
                num_return_sequences=beams, do_sample=False, max_new_tokens=n_new, max_length=None, **options,
            )  # fmt: skip
            scores = self._score(heard.last_hidden_state, batch["attention_mask"], tokens, beams)
        if self._forced_id is not None:  # older tokenizer files do not mark it as special
            tokens = tokens.masked_fill(tokens == self._forced_id, self._tokenizer.pad_token_id)
        texts = [text.strip() for text in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        found = [Candidate(text, score) for text, score in zip(texts, scores, strict=True)]
        return [rank(found[first : first + beams]) for first in range(0, len(found), beams)]

    def _score(self, heard: Any, mask: Any, tokens: Any, beams: int) -> list[float]:
        """Mean log-probability of each hypothesis' tokens.

        ``generate`` would keep the scores of the whole vocabulary for every step and beam to return this,
        gigabytes for a vocabulary of 256,000; one more pass of the decoder over a few rows does not.
        """
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        pad, scores = self._tokenizer.pad_token_id, []
        n_rows = max(1, _MAX_LOGITS // (tokens.shape[1] * int(self._model.config.vocab_size)))
        for first in range(0, len(tokens), n_rows):
            rows = torch.arange(first, min(first + n_rows, len(tokens)), device=tokens.device)
            said, source = tokens[rows], rows // beams
            logits = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=heard[source]),
                attention_mask=mask[source],
                decoder_input_ids=said[:, :-1],
            ).logits.float()
            labels = said[:, 1:]
            spoken = (labels != pad) & (labels != (-1 if self._forced_id is None else self._forced_id))
            chosen = logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
            mean = (chosen * spoken).sum(1) / spoken.sum(1).clamp(min=1)
            scores += [float(one) for one in mean]
        return scores

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
