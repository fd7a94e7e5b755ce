"""Text to text by CTranslate2: the same models in 8 bits, a quarter of the size and faster on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from f2f.candidates import Candidate, rank
from f2f.context_ranking import Continuation
from f2f.engines.converted_translation import QUANTIZATION, bring_converted, read_positions
from f2f.engines.status import package_version
from f2f.engines.translation_models import Family
from f2f.engines.translation_tokenizer import MAX_INPUT_TOKENS, SentenceTokenizer, loading
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

# With 1 the search ends as soon as ``beams`` translations are finished, and misses better, longer ones that
# transformers still finds.
_PATIENCE = 2.0


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
        folder = bring_converted(family, model, tell)
        self._longest = read_positions(family, folder) - 2
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
        with _explained():
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
        return [self._read(answer) for answer in answers]

    def score(self, asked: Sequence[Continuation]) -> list[float | None]:
        """Return the mean log-probability of each text's tokens and its end, behind what is before it.

        Args:
            asked: of about the same length (they are padded to the longest).

        Returns:
            For each a score as of ``nbest``; None where it has too many tokens for the model.
        """
        library, first = self._tokenizer.library, self._tokenizer.target_token
        rows = self._tokenizer.cut(asked, min(MAX_INPUT_TOKENS, self._longest))
        language = [] if first is None else [first]
        with _explained():
            answers = self._network.score_batch(
                [library.convert_ids_to_tokens(row.source) for row in rows.values()],
                # Start and end are the library's own.
                [
                    [*language, *library.convert_ids_to_tokens([*row.before, *row.text])]
                    for row in rows.values()
                ],
            )
        known: dict[int, float] = {}
        for (i, row), answer in zip(rows.items(), answers, strict=True):
            counted = answer.log_probs[-len(row.text) - 1 :]
            known[i] = float(sum(counted) / len(counted))
        return [known.get(i) for i in range(len(asked))]

    def _read(self, answer: Any) -> list[Candidate]:
        rows = [self._tokenizer.library.convert_tokens_to_ids(tokens) for tokens in answer.hypotheses]
        pairs = zip(self._tokenizer.read(rows), answer.scores, strict=True)
        return rank([Candidate(text, float(score)) for text, score in pairs])


@contextmanager
def _explained() -> Iterator[None]:
    """Say what helps where it fails: on NVIDIA, for libraries of CUDA that are missing or do not fit."""
    try:
        yield
    except RuntimeError as exc:
        raise EngineUnavailableError(
            f"CTranslate2 gave up ({exc}): use --set translate.runtime=torch or --device cpu"
        ) from exc


def describe() -> str:
    """Name library and precision, for the manifest."""
    return f"CTranslate2 {package_version('ctranslate2')} {QUANTIZATION}"
