"""How fast voices speak English, Spanish and Hindi: characters and syllables a second, time beside English.

    python bench/speaking_rates.py [--voices m3 f3 …] [--languages en es hi]

The texts are the same in all languages, sentence by sentence: the sample lecture and Article 1 of the
Universal Declaration of Human Rights. They are spoken by espeak-ng at its usual speed, silence at both ends
cut off. Syllables are counted by rule: in Spanish nuclei with their diphthongs, in Hindi vowels and inherent
vowels but for those that are deleted (Ohala, Aspects of Hindi Phonology, 1983: at the end of a word, and
between two single consonants with vowels around them); in English none are.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from f2f.engines.espeak import EspeakEngine
from f2f.engines.speech import SpeakerProfile
from f2f.sample.script import LINES
from f2f.speaking_rate import count_spoken_characters

ARTICLE_1 = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de "
    "razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और "
    "अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
}
VOICES = ("m1", "m2", "m3", "m4", "m6", "m7", "f1", "f2", "f3", "f4")
_VIRAMA, _NUKTA = "\u094d", "\u093c"


@dataclass(frozen=True)
class Rate:
    """What one voice needed for all texts of a language."""

    language: str
    voice: str
    seconds: float
    n_characters: int
    n_syllables: int | None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--voices", nargs="+", default=list(VOICES))
    parser.add_argument("--languages", nargs="+", default=["en", "es", "hi"], choices=["en", "es", "hi"])
    args = parser.parse_args()
    rates = [measure(language, voice) for language in args.languages for voice in args.voices]
    english = {rate.voice: rate.seconds for rate in rates if rate.language == "en"}
    print("| language | voice | seconds | characters/s | syllables/s | time beside English |")
    print("|---|---|---|---|---|---|")
    for rate in rates:
        print(row(rate, english.get(rate.voice)))
    print()
    for language in args.languages:
        print(summary([rate for rate in rates if rate.language == language], english))


def texts(language: str) -> list[str]:
    """Return the sentences of a language."""
    return [*(line[language] for line in LINES), ARTICLE_1[language]]


def measure(language: str, voice: str) -> Rate:
    """Let one voice say everything."""
    said = texts(language)
    with tempfile.TemporaryDirectory() as folder, EspeakEngine(language, f"+{voice}") as engine:
        seconds = sum(
            engine.say(text, SpeakerProfile(), Path(folder) / "line.wav").duration_s for text in said
        )
    counts = [count_syllables(text, language) for text in said]
    known = [count for count in counts if count is not None]
    return Rate(
        language, voice, seconds, sum(map(count_spoken_characters, said)),
        sum(known) if len(known) == len(counts) else None,
    )  # fmt: skip


def row(rate: Rate, english_s: float | None) -> str:
    syllables = "–" if rate.n_syllables is None else f"{rate.n_syllables / rate.seconds:.2f}"
    beside = "–" if english_s is None else f"{rate.seconds / english_s:.2f}"
    characters = f"{rate.n_characters / rate.seconds:.1f}"
    return f"| {rate.language} | {rate.voice} | {rate.seconds:.1f} | {characters} | {syllables} | {beside} |"


def summary(rates: list[Rate], english: dict[str, float]) -> str:
    """Return median and range over the voices of one language."""
    columns = {
        "characters/s": [rate.n_characters / rate.seconds for rate in rates],
        "syllables/s": [rate.n_syllables / rate.seconds for rate in rates if rate.n_syllables is not None],
        "times English": [rate.seconds / english[rate.voice] for rate in rates if rate.voice in english],
    }
    words = [
        f"{statistics.median(values):.2f} {name} ({min(values):.2f} to {max(values):.2f})"
        for name, values in columns.items()
        if values
    ]
    return f"{rates[0].language}, {len(rates)} voices: {', '.join(words)}"


def count_syllables(text: str, language: str) -> int | None:
    """Return the number of syllables by the rules above, None where there is no rule."""
    count = {"es": spanish_syllables, "hi": hindi_syllables}.get(language)
    words = re.findall(r"[^\W\d_](?:[^\W\d_]|[\u0900-\u0963])*", unicodedata.normalize("NFC", text.lower()))
    return None if count is None else sum(map(count, words))


def spanish_syllables(word: str) -> int:
    """Count nuclei: every strong or stressed weak vowel, and every run of weak ones that touches none."""
    word = re.sub(r"(?<=[qg])u(?=[eiéí])", "", word)
    word = re.sub(r"y(?=[aeiouáéíóú])", "ʝ", word)  # a consonant there
    strong = len(re.findall(r"[aeoáéóíú]", word))
    alone = re.findall(r"(?<![aeoáéóíúiuüy])[iuüy]+(?![aeoáéóíúiuüy])", word)
    return max(1, strong + len(alone))


def hindi_syllables(word: str) -> int:
    """Count vowels that are heard, inherent ones after deletion included."""
    return max(1, sum(heard_vowels(word)))


def heard_vowels(word: str) -> list[bool]:
    """Return for each letter of a Devanagari word whether it carries a vowel that is spoken.

    Letters are independent vowels and consonants with whatever follows them.
    """
    letters = re.findall(
        rf"[\u0905-\u0939\u0958-\u0961]{_NUKTA}?[\u0900-\u0903\u093e-\u094d\u0962\u0963]*", word
    )
    has_vowel = [_VIRAMA not in letter for letter in letters]
    is_inherent = [
        re.match(rf"[\u0915-\u0939\u0958-\u095f]{_NUKTA}?[\u0900-\u0903]?$", letter) is not None
        for letter in letters
    ]
    if len(letters) > 1 and is_inherent[-1] and has_vowel[-2]:  # a final schwa is not said
        has_vowel[-1] = False
    for k in range(len(letters) - 2, 0, -1):  # V C ə C V loses its schwa, from the right
        begins_with_consonant = (
            "\u0915" <= letters[k + 1][0] <= "\u0939" or "\u0958" <= letters[k + 1][0] <= "\u095f"
        )
        if is_inherent[k] and has_vowel[k - 1] and has_vowel[k + 1] and begins_with_consonant:
            has_vowel[k] = len(letters[k]) > 1 and letters[k][-1] in "\u0901\u0902"
    return has_vowel


if __name__ == "__main__":
    main()
