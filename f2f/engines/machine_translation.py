"""Text to text by NLLB-200, M2M-100 and Marian (OPUS-MT) through transformers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from f2f.candidates import Candidate, rank
from f2f.engines.status import package_version
from f2f.engines.translation_models import Family, local_folder
from f2f.engines.translation_tokenizer import MAX_INPUT_TOKENS, SentenceTokenizer, loading
from f2f.languages import Language

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
        self._device = device
        folder = local_folder(model, family)
        place = str(folder) if folder else model
        with loading(model, folder):
            import torch
            import transformers

            self._tokenizer = SentenceTokenizer(family, place, source, target)
            self._model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                place,
                local_files_only=folder is not None,
                dtype=torch.float16 if device == "cuda" else torch.float32,
            )
        self._model.to(device).eval()

    def nbest(self, sentences: Sequence[str], beams: int) -> list[list[Candidate]]:
        """Translate one batch of sentences; each gets up to ``beams`` different translations, best first.

        Args:
            sentences: in the source language, of about the same length (they are padded to the longest).
            beams: width of the beam search, of which every hypothesis that was finished is returned.
        """
        import torch

        batch = self._tokenizer.library(
            [self._tokenizer.prepare(sentence) for sentence in sentences],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=self._limit(MAX_INPUT_TOKENS),
        ).to(self._device)
        forced = self._tokenizer.target_id
        options: dict[str, Any] = {} if forced is None else {"forced_bos_token_id": forced}
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
        texts = self._tokenizer.read(tokens.tolist())
        found = [Candidate(text, score) for text, score in zip(texts, scores, strict=True)]
        return [rank(found[first : first + beams]) for first in range(0, len(found), beams)]

    def _score(self, heard: Any, mask: Any, tokens: Any, beams: int) -> list[float]:
        """Mean log-probability of each hypothesis' tokens.

        ``generate`` would keep the scores of the whole vocabulary for every step and beam to return this,
        gigabytes for a vocabulary of 256,000; one more pass of the decoder over a few rows does not.
        """
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        pad, forced, scores = self._tokenizer.library.pad_token_id, self._tokenizer.target_id, []
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
            spoken = (labels != pad) & (labels != (-1 if forced is None else forced))
            chosen = logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
            mean = (chosen * spoken).sum(1) / spoken.sum(1).clamp(min=1)
            scores += [float(one) for one in mean]
        return scores

    def _limit(self, n_tokens: int) -> int:
        positions = getattr(self._model.config, "max_position_embeddings", None) or MAX_INPUT_TOKENS
        return max(8, min(n_tokens, int(positions) - 2))


def describe() -> str:
    """Name the library, for the manifest."""
    return f"transformers {package_version('transformers')}"
