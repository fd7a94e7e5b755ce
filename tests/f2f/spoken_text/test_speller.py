"""What a voice is given to say, against what a speaker of the language would say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.spoken_text import NumberStyle, has_number_words, spell_out

MAIN = ("en", "hi", "es", "fr", "de", "pt", "it")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("२०२४ में 3.5% बढ़ा", "दो हज़ार चौबीस में तीन दशमलव पाँच प्रतिशत बढ़ा"),
        ("1,00,000 लोग", "एक लाख लोग"),
        ("12,34,560 और 1234560", "बारह लाख चौंतीस हज़ार पाँच सौ साठ और बारह लाख चौंतीस हज़ार पाँच सौ साठ"),
        ("98765432", "नौ करोड़ सत्तासी लाख पैंसठ हज़ार चार सौ बत्तीस"),
        ("123,45,00,000", "एक सौ तेईस करोड़ पैंतालीस लाख"),
        ("500000000000", "पचास हज़ार करोड़"),
        ("1 मई 2024 को 14:30 बजे", "एक मई दो हज़ार चौबीस को चौदह बजकर तीस मिनट"),
        ("15/08/1947", "पंद्रह अगस्त एक हज़ार नौ सौ सैंतालीस"),
        ("1ली, 2रे, 5वाँ, 21वीं", "पहली, दूसरे, पाँचवाँ, इक्कीसवीं"),
        ("₹5 करोड़, ₹500.50, $2", "पाँच करोड़ रुपये, पाँच सौ रुपये पचास पैसे, दो डॉलर"),
        ("5 km, ५ किमी, 20 °C", "पाँच किलोमीटर, पाँच किलोमीटर, बीस डिग्री सेल्सियस"),
        ("x² + y² = 4", "x का वर्ग जोड़ y का वर्ग बराबर चार"),
        ("10⁻³ और 3/4", "दस की घात माइनस तीन और तीन चौथाई"),
        ("डॉ. शर्मा, कोविड-19", "डॉक्टर शर्मा, कोविड उन्नीस"),
        ("5–10 मिनट", "पाँच से दस मिनट"),
        ("α = −5", "अल्फ़ा बराबर माइनस पाँच"),
    ],
)
def test_hindi(written: str, said: str) -> None:
    assert spell_out(written, "hi") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("In 1984 and the 1990s", "In nineteen eighty-four and the nineteen nineties"),
        ("1,234 people, 007", "one thousand two hundred and thirty-four people, zero zero seven"),
        ("the 21st, 3.5%", "the twenty-first, three point five percent"),
        ("May 1, 2024 at 2:30", "May first twenty twenty-four at two thirty"),
        ("2024-05-01 or 5/1/2024", "May first twenty twenty-four or May first twenty twenty-four"),
        ("$5.50, $5 million, £1", "five dollars fifty, five million dollars, one pound"),
        ("1 km, 5 km/h, 3 × 10⁸ m/s",
         "one kilometer, five kilometers per hour, three times ten to the power of eight meters per second"),
        ("299,792 km/s, 1 g/cm³",
         "two hundred and ninety-nine thousand seven hundred and ninety-two kilometers per second, "
         "one gram per cubic centimeter"),
        ("E = mc², x^2 - 3", "E equals mc squared, x squared minus three"),
        ("Dr. Smith, e.g. No. 5; No.", "Doctor Smith, for example number five; No."),
        ("https://www.example.org/a-b?x=1", "example dot org slash a dash b"),
        ("me@example.org", "me at example dot org"),
        ("pages 1990–1995, 5-10", "pages nineteen ninety to nineteen ninety-five, five to ten"),
        ("½ cup, 2½ hours", "one half cup, two and one half hours"),
        ("F2F, MP3, 4K", "F two F, MP three, four K"),
        ("+91 98765 43210", "nine one nine eight seven six five four three two one zero"),
    ],
)  # fmt: skip
def test_english(written: str, said: str) -> None:
    assert spell_out(written, "en") == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "1.234,5 y 3,5 %", "mil doscientos treinta y cuatro coma cinco y tres coma cinco por ciento"),
        ("es", "21 años, 1 km, 200 h, 1ª", "veintiún años, un kilómetro, doscientas horas, primera"),
        ("es", "el 1 de mayo de 2024", "el uno de mayo de dos mil veinticuatro"),
        ("es", "20 €, $5 millones", "veinte euros, cinco millones de dólares"),
        ("es", "p. ej. el Dr. López", "por ejemplo el doctor López"),
        ("es-MX", "3.5", "tres punto cinco"),
        ("fr", "1 234,5; 14h30", "mille deux cent trente-quatre virgule cinq; quatorze heures trente"),
        ("fr", "1er mai 2024, 21e", "premier mai deux mille vingt-quatre, vingt et unième"),
        ("fr", "1 h, 1 km, 1 000 €", "une heure, un kilomètre, mille euros"),
        ("de", "am 3. Mai 2024, 14:30 Uhr", "am dritten Mai zweitausendvierundzwanzig, vierzehn Uhr dreißig"),
        ("de", "im Jahr 1984, 1.200", "im Jahr neunzehnhundertvierundachtzig, eintausendzweihundert"),
        ("de", "z. B. 1 km, 1 h, 5 Mio. €", "zum Beispiel ein Kilometer, eine Stunde, fünf Millionen Euro"),
        ("pt", "R$ 5,50; 200 h, 2ª", "cinco reais e cinquenta; duzentas horas, segunda"),
        ("pt-BR", "1 de maio, 2 vezes", "primeiro de maio, duas vezes"),
        ("it", "1.234,5; 1 h, 1 km", "milleduecentotrentaquattro virgola cinque; una ora, un chilometro"),
        ("it", "1 maggio 2024, 2ª", "primo maggio duemilaventiquattro, seconda"),
        ("ru", "21, 3,5 %", "двадцать один, три запятая пять процента"),
        ("bn", "১২,৩৪,৫৬৭", "বারো লাখ চৌত্রিশ হাজার পাঁচশো সাতষট্টি"),
        ("ar", "٢٠٢٤", "ألفان و أربعة و عشرون"),
        ("ja", "2024年", "二千二十四年"),
    ],
)  # fmt: skip
def test_other_languages(language: str, written: str, said: str) -> None:
    assert spell_out(written, language) == said


def test_a_hundred_hindi_numbers_are_a_hundred_words() -> None:
    words = [spell_out(str(number), "hi") for number in range(100)]
    assert len(set(words)) == 100 and not any(" " in word for word in words)
    known = {16: "सोलह", 29: "उनतीस", 42: "बयालीस", 59: "उनसठ", 79: "उन्यासी", 89: "नवासी", 99: "निन्यानवे"}
    assert {number: words[number] for number in known} == known


awkward = st.text(
    st.sampled_from("0123456789०१२३४९٠١٢٩０１①²³⁻½¼₂,.:/-–−+=×%$€₹°^ ()'’\u00a0abkmhsKNA क़ी़छं₹.@#&XIn")
    | st.characters(categories=["Nd", "No", "Sm", "Sc"]),
    max_size=40,
)


@pytest.mark.parametrize("language", [*MAIN, "ta", "ru", "ja"])
@settings(max_examples=30, deadline=None)
@given(text=awkward)
def test_no_digit_is_left_as_idiap_coqui_ai_tts_370_needs(language: str, text: str) -> None:
    said = spell_out(text, language)
    assert not [character for character in said if character.isdecimal()], said
    assert said == " ".join(said.split())


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10**15 - 1))
def test_indian_grouping_does_not_change_a_number(number: int) -> None:
    digits = str(number)
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    assert spell_out(",".join([*pairs, tail]), "hi") == spell_out(digits, "hi")


def test_text_without_numbers_stays() -> None:
    for language, text in {
        "hi": "नमस्ते, आप कैसे हैं?", "en": "No. It's a well-known – e-mail.", "es": "¿Qué tal? Sí/no.",
        "de": "Das ist's: ja.", "fr": "Qu'est-ce que c'est ?", "ja": "こんにちは。",
    }.items():  # fmt: skip
        assert spell_out(text, language) == unicodedata.normalize("NFC", text).replace(" ?", "?")


def test_digits_stay_for_voices_that_read_them_well() -> None:
    assert spell_out("१२,३४,५६७ और 3.5", "hi", NumberStyle.DIGITS) == "1234567 और 3.5"
    assert spell_out("1.234,5 km am 3. Mai", "de", NumberStyle.DIGITS) == "1234,5 Kilometer am dritten Mai"
    assert spell_out("$5, F2F, x²", "en", NumberStyle.DIGITS) == "5 dollars, F2F, x squared"


def test_language_without_number_words_keeps_digits_and_says_so() -> None:
    assert not has_number_words("yo") and not has_number_words("zh")
    assert all(has_number_words(language) for language in (*MAIN, "ta", "te", "ru", "ja", "pt-BR"))
    assert spell_out("2024 5 km", "yo").startswith("2024")
    assert spell_out("၂၀၂၄", "my") == "2024"
