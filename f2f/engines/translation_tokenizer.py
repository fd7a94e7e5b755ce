"""Tokenizers of the translation models, told between which languages; whatever then runs the network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from f2f.context_ranking import Continuation
from f2f.engines.status import STANDARD_INSTALL
from f2f.engines.translation_models import Family
from f2f.errors import EngineUnavailableError
from f2f.languages import Language

MAX_INPUT_TOKENS = 512


@dataclass(frozen=True)
class TokenRows:
    """A `Continuation` in numbers of tokens.

    Attributes:
        source: with all that the encoder wants.
        before, text: what the decoder has written behind the language, without its end.
    """

    source: list[int]
    before: list[int]
    text: list[int]


class SentenceTokenizer:
    """The tokenizer of a model for one pair of languages.

    Args:
        family: how to address the model.
        place: folder or hub id from which the tokenizer is loaded.
        source: language of the sentences.
        target: language to translate into.

    Raises:
        EngineUnavailableError: a language is unknown to the model.

    Attributes:
        library: the tokenizer of transformers.
        target_token: token with which every translation begins; None where the model needs none.
        target_id: its number.
    """

    def __init__(self, family: Family, place: str, source: Language, target: Language) -> None:
        import transformers

        self._family, self._place = family, place
        kind = getattr(transformers, family.tokenizer)
        self.library = kind.from_pretrained(place, local_files_only=Path(place).is_dir())
        self.target_token: str | None = None
        self.target_id: int | None = None
        self._prefix = ""
        self.address(source, target)

    def address(self, source: Language, target: Language) -> None:
        """Turn to another pair of languages.

        Raises:
            EngineUnavailableError: a language is unknown to the model.
        """
        source_code, target_code = self._family.codes(source, target)
        if source_code is None or target_code is None:
            raise EngineUnavailableError(f"{self._family.name} cannot translate from {source} to {target}")
        if self._family.name == "marian":
            self._prefix = self._marian_prefix(target)
            return
        self.library.src_lang = source_code
        own = self.library.get_lang_token(target_code) if self._family.name == "m2m100" else target_code
        self.target_token, self.target_id = own, int(self.library.convert_tokens_to_ids(own))
        if self.target_id == self.library.unk_token_id:
            raise EngineUnavailableError(f"{self._place} has no token for {target_code}: take another model")

    def prepare(self, sentence: str) -> str:
        """Return the sentence as the model wants it: where one Marian model serves several target languages,
        ``>>hin<<`` stands before it.
        """
        return f"{self._prefix}{sentence}"

    def read(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts of rows of token numbers, without anything special in them."""
        # Older tokenizer files do not mark the token of the language as special.
        plain = [[token for token in row if token != self.target_id] for row in rows]
        return [str(text).strip() for text in self.library.batch_decode(plain, skip_special_tokens=True)]

    def cut(self, asked: Sequence[Continuation], longest: int) -> dict[int, TokenRows]:
        """Return the tokens of those that a model of ``longest`` tokens can take in, by index."""
        rows = {
            i: TokenRows(
                list(self.library(self.prepare(one.source))["input_ids"]),
                self._target_row(one.before),
                self._target_row(one.text),
            )
            for i, one in enumerate(asked)
        }
        # Start, language and end are three more.
        return {
            i: row
            for i, row in rows.items()
            if max(len(row.source), len(row.before) + len(row.text) + 3) <= longest
        }

    def _target_row(self, text: str) -> list[int]:
        # Marian cuts the target language with pieces of its own; M2M-100 refuses to be asked that way.
        given = {"text_target" if self._family.name == "marian" else "text": text}
        return list(self.library(**given, add_special_tokens=False)["input_ids"])

    def _marian_prefix(self, target: Language) -> str:
        own = self.library.supported_language_codes  # as ">>hin<<"; none where the model has one target
        codes = {code[2:-2].casefold(): code for code in own}
        found = next((codes[one.casefold()] for one in target.marian_codes if one.casefold() in codes), None)
        if found is None and len(codes) > 1 and self.library.target_lang not in target.marian_codes:
            raise EngineUnavailableError(
                f"{self._place} translates into {', '.join(sorted(codes)[:12])} …, not into {target}: take "
                "another model"
            )
        return f"{found} " if found else ""


@contextmanager
def loading(model: str, folder: Path | None) -> Iterator[None]:
    """Keep transformers quiet while it loads ``model``, and tell its many errors as one.

    Args:
        model: as the user named it.
        folder: where its files are; None where they are fetched.

    Raises:
        EngineUnavailableError: packages or weights are missing or damaged.
    """
    try:
        import transformers
    except ImportError as exc:
        raise EngineUnavailableError(f"transformers cannot be used ({exc}): {STANDARD_INSTALL}") from exc
    # Else transformers asks a service of the hub to convert old weights, and writes into their repository.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    quiet: Any = transformers.utils.logging
    quiet.set_verbosity_error()
    if folder:
        quiet.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            yield
    except EngineUnavailableError:
        raise
    except ImportError as exc:
        raise EngineUnavailableError(f"a package for {model} is missing ({exc}): {STANDARD_INSTALL}") from exc
    except Exception as exc:  # each of hub, tokenizer and weights reader has errors of its own
        where = f"delete {folder} and run again" if folder else f"run f2f models pull {model} with a network"
        raise EngineUnavailableError(
            f"{model} cannot be loaded ({type(exc).__name__}: {' '.join(str(exc).split())[:200]}): {where}"
        ) from exc
