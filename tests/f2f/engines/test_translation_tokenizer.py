"""Every language of every model, through the real tokenizers and their own tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_translators import LESSONS, make_marian

from f2f.engines.translation_models import FAMILIES
from f2f.engines.translation_tokenizer import SentenceTokenizer, loading
from f2f.errors import EngineUnavailableError
from f2f.languages import M2M100_CODES, NLLB_CODES, Language, parse_language

EN = Language("en")
SENTENCE = next(iter(LESSONS))


def test_every_language_of_m2m100_has_its_tokens(tiny: dict[str, Path]) -> None:
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

    place, family = str(tiny["m2m100"]), FAMILIES["m2m100"]
    tokenizer = SentenceTokenizer(family, place, EN, EN)
    for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]:
        tokenizer.address(EN, parse_language("nso" if code == "ns" else code))
        assert tokenizer.target_token == f"__{code}__"
        assert tokenizer.target_id == tokenizer.library.get_lang_id(code)
        tokenizer.address(parse_language("nso" if code == "ns" else code), EN)
        assert tokenizer.library(SENTENCE)["input_ids"][0] == tokenizer.library.get_lang_id(code)
    assert len(FAIRSEQ_LANGUAGE_CODES["m2m100"]) == len(M2M100_CODES) == 100


def test_every_language_of_nllb_has_its_tokens(tiny: dict[str, Path]) -> None:
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

    tokenizer = SentenceTokenizer(FAMILIES["nllb"], str(tiny["nllb"]), EN, EN)
    numbers = set()
    for code in FAIRSEQ_LANGUAGE_CODES:
        tokenizer.address(EN, parse_language(code))
        assert tokenizer.target_token == code
        assert tokenizer.library.convert_ids_to_tokens(tokenizer.target_id) == code
        numbers.add(tokenizer.target_id)
        tokenizer.address(parse_language(code), EN)
        row = tokenizer.library(SENTENCE)["input_ids"]
        assert tokenizer.library.convert_ids_to_tokens(row[0]) == code
    assert len(numbers) == len(NLLB_CODES) == 202


def test_a_marian_model_of_several_languages_is_told_which(tmp_path: Path) -> None:
    codes = [">>hin<<", ">>pt_br<<", ">>pt<<", ">>cmn_Hans<<", ">>cmn_Hant<<", ">>srp_Cyrl<<"]
    make_marian(tmp_path, codes=codes)

    def prepare(target: str) -> str:
        with loading(str(tmp_path), tmp_path):
            return SentenceTokenizer(FAMILIES["marian"], str(tmp_path), EN, Language(target)).prepare("hello")

    assert prepare("hi") == ">>hin<< hello"
    assert prepare("pt-BR") == ">>pt_br<< hello"
    assert prepare("pt-PT") == ">>pt<< hello"
    assert prepare("zh") == ">>cmn_Hans<< hello"
    assert prepare("zh-TW") == ">>cmn_Hant<< hello"
    assert prepare("sr") == ">>srp_Cyrl<< hello"
    with pytest.raises(EngineUnavailableError, match=r"translates into cmn_hans, .*not into German"):
        prepare("de")


def test_a_marian_model_of_one_pair_needs_no_word(tiny: dict[str, Path]) -> None:
    place = tiny["marian"]
    with loading("tiny", place):
        tokenizer = SentenceTokenizer(FAMILIES["marian"], str(place), EN, Language("hi"))
    assert (tokenizer.prepare("hello"), tokenizer.target_token) == ("hello", None)
