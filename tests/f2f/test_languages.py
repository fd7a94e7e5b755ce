from __future__ import annotations

import pytest

from f2f.errors import UsageError
from f2f.languages import (
    M2M100_CODES,
    NLLB_CODES,
    WHISPER_CODES,
    Language,
    detect_language,
    find_language,
    parse_language,
)


@pytest.mark.parametrize("text", ["hindi", "Hindi", "HI", "hi", "hin", " hi ", "हिन्दी"])
def test_one_language_has_many_names(text: str) -> None:
    assert parse_language(text) == Language("hi")


@pytest.mark.parametrize(
    ("text", "code"),
    [("pt-br", "pt-BR"), ("brazilian portuguese", "pt-BR"), ("zh_CN", "zh-CN"), ("zh-hans", "zh-Hans"),
     ("ger", "de"), ("deu", "de"), ("iw", "he"), ("español", "es"), ("hi-IN", "hi-IN")],
)  # fmt: skip
def test_tags_come_out_standard(text: str, code: str) -> None:
    assert parse_language(text).code == code


@pytest.mark.parametrize("text", ["", "xx", "und", "mul", "q", "blorpish"])
def test_unknown_languages_are_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError, match="unknown language") as caught:
        parse_language(text)
    assert repr(text) in str(caught.value)
    assert "such as hi, es" in str(caught.value)


def test_the_nearest_names_are_suggested() -> None:
    with pytest.raises(UsageError, match=r"hi \(Hindi\)"):
        parse_language("und hindi")


def test_only_tags_are_found_in_file_names() -> None:
    assert find_language("hin") == Language("hi")
    assert find_language("final") is None
    assert find_language("hindi") is None
    assert find_language(None) is None


def test_names_for_people_and_tracks() -> None:
    hindi = Language("hi")
    assert (hindi.name, hindi.endonym, hindi.iso639_2, hindi.script) == ("Hindi", "हिन्दी", "hin", "Deva")
    assert Language("de").iso639_2 == "deu"
    assert str(Language("pt-BR")) == "Portuguese (Brazil) (pt-BR)"


def test_tables_are_those_of_the_engines() -> None:
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as m2m100
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as nllb
    from whisper.tokenizer import LANGUAGES

    assert frozenset(nllb) == NLLB_CODES
    assert frozenset(m2m100["m2m100"]) == M2M100_CODES
    assert frozenset(LANGUAGES) == WHISPER_CODES


def test_every_nllb_code_is_reached_from_its_tag() -> None:
    assert {code: parse_language(code).nllb for code in NLLB_CODES} == {code: code for code in NLLB_CODES}


def test_every_code_of_whisper_and_m2m100_is_reached_from_its_tag() -> None:
    assert {language.whisper for code in WHISPER_CODES if (language := find_language(code))} == WHISPER_CODES
    tags = {code: "nso" if code == "ns" else code for code in M2M100_CODES}
    assert {code: parse_language(tag).m2m100 for code, tag in tags.items()} == {c: c for c in M2M100_CODES}


@pytest.mark.parametrize(
    ("code", "nllb", "m2m100", "whisper", "xtts"),
    [
        ("hi", "hin_Deva", "hi", "hi", "hi"),
        ("ar", "arb_Arab", "ar", "ar", "ar"),
        ("zh-Hant", "zho_Hant", "zh", "zh", "zh-cn"),
        ("zh-TW", "zho_Hant", "zh", "zh", "zh-cn"),
        ("cmn", "zho_Hans", "zh", "zh", "zh-cn"),
        ("yue", "yue_Hant", None, "yue", None),
        ("fa", "pes_Arab", "fa", "fa", None),
        ("sw", "swh_Latn", "sw", "sw", None),
        ("nb", "nob_Latn", "no", "no", None),
        ("jv", "jav_Latn", "jv", "jw", None),
        ("fil", "tgl_Latn", "tl", "tl", None),
        ("mni", "mni_Beng", None, None, None),
        ("tlh", None, None, None, None),
    ],
)
def test_codes_of_each_engine(
    code: str, nllb: str | None, m2m100: str | None, whisper: str | None, xtts: str | None
) -> None:
    language = Language(code)
    assert (language.nllb, language.m2m100, language.whisper, language.xtts) == (nllb, m2m100, whisper, xtts)


def test_marian_pairs() -> None:
    assert Language("en").marian_pair(Language("hi")) == "en-hi"
    assert Language("en-US").marian_pair(Language("ja")) == "en-jap"


@pytest.mark.parametrize(
    ("tag", "spellings"),
    [
        ("hi", ["hin_Deva", "hin", "hi"]),
        ("pt-BR", ["pt_BR", "por_Latn", "por", "pt"]),
        ("zh", ["zho_Hans", "cmn_Hans", "zho", "cmn", "zh"]),
        ("zh-TW", ["zh_TW", "zho_Hant", "cmn_Hant", "zho", "cmn", "zh"]),
        ("sr", ["srp_Cyrl", "srp", "sr"]),
        ("sr-Latn", ["srp_Latn", "srp", "sr"]),
    ],
)
def test_what_marian_models_may_call_a_language(tag: str, spellings: list[str]) -> None:
    assert list(Language(tag).marian_codes) == spellings


def test_a_missing_region_or_script_stands_for_any() -> None:
    assert Language("pt").matches(Language("pt-BR"))
    assert Language("zh-Hans").matches(Language("zh"))
    assert Language("cmn").matches(Language("zh"))
    assert not Language("pt-PT").matches(Language("pt-BR"))
    assert not Language("zh-Hans").matches(Language("zh-Hant"))
    assert not Language("hi").matches(Language("ur"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("This is the first subtitle of the lecture on light.", "en"),
        ("आज हम देखेंगे कि प्रकाश कैसे चलता है और ध्वनि क्या है।", "hi"),
        ("नमस्कार, मी आज तुम्हाला भौतिकशास्त्र शिकवणार आहे", "mr"),
        ("los luchadores compañeros de luna también le rindieron homenaje", "es"),
        ("Ta en kopp varmt te. Det är inte varmt. Har en kopp te.", "sv"),
    ],
)
def test_the_language_of_a_text_is_recognised(text: str, code: str) -> None:
    assert detect_language(text) == Language(code)


def test_short_texts_are_left_open() -> None:
    assert detect_language("OK, no.") is None
    assert detect_language("42 + 42 = 84 " * 20) is None
