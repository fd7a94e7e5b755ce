"""Text to text by NLLB-200, M2M-100 and Marian (OPUS-MT) through transformers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from f2f.candidates import Candidate, rank
from f2f.context_ranking import Continuation
from f2f.engines.status import package_version
from f2f.engines.translation_models import Family, local_folder
from f2f.engines.translation_tokenizer import MAX_INPUT_TOKENS, SentenceTokenizer, loading
from f2f.languages import Language

_MAX_LOGITS = 1 << 25  # values of the vocabulary held at once while scoring: 128 MiB


@dataclass(frozen=True)
class _Hypotheses:
    """What a decoder is to have written.

    Attributes:
        tokens: (N, L) numbers, from the decoder's own start to padding.
        owners: (N,) index of the source of each.
        counted: (N, L - 1) whether a token behind the start counts for the score.
    """

    tokens: Any
    owners: Any
    counted: Any


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
            owners = torch.arange(len(tokens), device=self._device) // beams
            labels = tokens[:, 1:]
            counted = (labels != self._pad) & (labels != (-1 if forced is None else forced))
            rows = _Hypotheses(tokens, owners, counted)
            scores = self._score(heard.last_hidden_state, batch["attention_mask"], rows)
        texts = self._tokenizer.read(tokens.tolist())
        found = [Candidate(text, score) for text, score in zip(texts, scores, strict=True)]
        return [rank(found[first : first + beams]) for first in range(0, len(found), beams)]

    def score(self, asked: Sequence[Continuation]) -> list[float | None]:
        """Return the mean log-probability of each text's tokens and its end, behind what is before it.

        Args:
            asked: of about the same length (they are padded to the longest).

        Returns:
            For each a score as of ``nbest``; None where it has too many tokens for the model.
        """
        import torch

        rows = self._tokenizer.cut(asked, self._limit(MAX_INPUT_TOKENS))
        if not rows:
            return [None] * len(asked)
        forced, end = self._tokenizer.target_id, int(self._tokenizer.library.eos_token_id)
        first = [self._model.config.decoder_start_token_id, *([] if forced is None else [forced])]
        sources = list(dict.fromkeys(tuple(row.source) for row in rows.values()))  # candidates share one
        owners = torch.tensor([sources.index(tuple(row.source)) for row in rows.values()])
        inputs, mask = self._padded(sources)
        tokens, _ = self._padded([[*first, *row.before, *row.text, end] for row in rows.values()])
        counted = torch.zeros_like(tokens[:, 1:], dtype=torch.bool)
        for place, row in enumerate(rows.values()):
            begin = len(first) - 1 + len(row.before)
            counted[place, begin : begin + len(row.text) + 1] = True
        with torch.inference_mode():
            heard = self._model.get_encoder()(input_ids=inputs, attention_mask=mask).last_hidden_state
            hypotheses = _Hypotheses(tokens, owners.to(self._device), counted)
            scores = self._score(heard, mask, hypotheses)
        known = dict(zip(rows, scores, strict=True))
        return [known.get(i) for i in range(len(asked))]

    @property
    def _pad(self) -> int:
        return int(self._tokenizer.library.pad_token_id)

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """Return rows of token numbers as one tensor, and where they are more than padding."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        whole = [torch.tensor(row, device=self._device) for row in rows]
        mask = [torch.ones_like(row) for row in whole]
        return pad_sequence(whole, batch_first=True, padding_value=self._pad), pad_sequence(mask, True)

    def _score(self, heard: Any, mask: Any, hypotheses: _Hypotheses) -> list[float]:
        """Mean log-probability of each hypothesis' tokens.

        ``generate`` would keep the scores of the whole vocabulary for every step and beam to return this,
        gigabytes for a vocabulary of 256,000; one more pass of the decoder over a few rows does not.
        """
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        tokens, scores = hypotheses.tokens, []
        n_rows = max(1, _MAX_LOGITS // (tokens.shape[1] * int(self._model.config.vocab_size)))
        for first in range(0, len(tokens), n_rows):
            rows = torch.arange(first, min(first + n_rows, len(tokens)), device=tokens.device)
            said, source = tokens[rows], hypotheses.owners[rows]
            logits = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=heard[source]),
                attention_mask=mask[source],
                decoder_input_ids=said[:, :-1],
            ).logits.float()
            spoken = hypotheses.counted[rows]
            chosen = logits.log_softmax(-1).gather(-1, said[:, 1:, None])[..., 0]
            mean = (chosen * spoken).sum(1) / spoken.sum(1).clamp(min=1)
            scores += [float(one) for one in mean]
        return scores

    def _limit(self, n_tokens: int) -> int:
        positions = getattr(self._model.config, "max_position_embeddings", None) or MAX_INPUT_TOKENS
        return max(8, min(n_tokens, int(positions) - 2))


def describe() -> str:
    """Name the library, for the manifest."""
    return f"transformers {package_version('transformers')}"
