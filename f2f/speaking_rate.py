"""How fast voices speak: characters per second by language and voice, from a prior and from what was heard.

Pure, but for :func:`read_rates` and :func:`write_rates`. A translation is chosen before it is spoken, so its
length in seconds must be guessed from its letters; every take that is spoken makes the next guess better.
"""

from __future__ import annotations

import functools
import statistics
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from f2f.languages import find_language
from f2f.results import Take
from f2f.workspace import write_atomically

RATES_FILE = "speaking_rates.json"
KEPT, HEARD = 0.7, 0.3  # shares of the old rate and of the new take in the new rate
SLOWEST, FASTEST = 0.5, 1.5  # of the prior; beyond this a measurement is a mistake (a runaway, a cut)
DIGIT_CHARACTERS = 4  # a digit is read out as a word: "1984" is nineteen letters in English

# Characters per second, pauses inside the text included, of the espeak-ng 1.52 voices of this project at
# their usual speed: Article 1 of the Universal Declaration of Human Rights in each language (voice m3), and
# for en, es and hi also all lines of ``f2f.sample`` (voices m3, m7, f2, f3; Hindi 11.8 to 13.7). Japanese was
# measured in kana (8.0) and is given for text of which a third is kanji, read as two kana each.
PRIORS: Mapping[str, float] = {
    "ar": 9.8, "bn": 11.3, "cs": 13.0, "da": 15.7, "de": 16.0, "el": 16.6, "en": 15.0, "es": 14.8, "fi": 13.5,
    "hi": 12.2, "hu": 13.0, "id": 14.1, "it": 15.0, "ja": 6.0, "ko": 5.6, "mr": 13.1, "nb": 13.4, "nl": 14.2,
    "pl": 12.9, "pt": 14.4, "ro": 13.6, "ru": 16.8, "sv": 13.9, "ta": 15.0, "tr": 12.8, "uk": 13.5,
    "vi": 14.7, "zh": 3.6,
}  # fmt: skip
_SAME_LANGUAGE = {"cmn": "zh", "yue": "zh", "no": "nb", "nn": "nb"}


def count_spoken_characters(text: str) -> int:
    """Number of letters and marks of any script; a digit counts as ``DIGIT_CHARACTERS``."""
    kinds = [unicodedata.category(character) for character in text]
    return sum(DIGIT_CHARACTERS if kind[0] == "N" else kind[0] in "LM" for kind in kinds)


@functools.lru_cache(maxsize=256)
def prior_rate(language: str) -> float:
    """Characters per second expected before anything was heard.

    A language that was not measured takes the median of those of its script, or of all.
    """
    key = _key(language)
    if key in PRIORS:
        return PRIORS[key]
    found = find_language(language)
    script = found.script if found else ""
    alike = [rate for code, rate in PRIORS.items() if (one := find_language(code)) and one.script == script]
    return statistics.median(alike or PRIORS.values())


class SpeakingRates(BaseModel):
    """What is known of speaking rates; immutable, :meth:`learn` returns a new one.

    Attributes:
        learnt: characters per second by language (without region) and voice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learnt: dict[str, dict[str, FiniteFloat]] = {}

    def rate(self, language: str, voice: str | None = None) -> float:
        """Characters per second of ``voice``; of all voices heard in the language where that is unknown."""
        voices = self.learnt.get(_key(language), {})
        if voice is not None and voice in voices:
            return _clamp(voices[voice], language)
        return _clamp(statistics.fmean(voices.values()), language) if voices else prior_rate(language)

    def estimate_s(self, text: str, language: str, voice: str | None = None) -> float:
        """Seconds that ``text`` will probably take at the voice's natural rate."""
        return count_spoken_characters(text) / self.rate(language, voice)

    def learn(self, language: str, voice: str, text: str, duration_s: float) -> SpeakingRates:
        """Return the rates after one take: 0.7 of the old rate, 0.3 of the new, within half of the prior.

        Args:
            language: code of the spoken language.
            voice: as in ``Take.voice``.
            text: what was said.
            duration_s: how long it took at natural rate, silence around it left out. Takes without a
                character or without length teach nothing.
        """
        n_characters = count_spoken_characters(text)
        if not n_characters or duration_s <= 0:
            return self
        old = self.learnt.get(_key(language), {}).get(voice, prior_rate(language))
        new = KEPT * old + HEARD * _clamp(n_characters / duration_s, language)
        voices = {**self.learnt.get(_key(language), {}), voice: _clamp(new, language)}
        return SpeakingRates(learnt={**self.learnt, _key(language): voices})


def read_rates(path: Path) -> SpeakingRates:
    """Read what was learnt; nothing is known where the file is missing or damaged."""
    try:
        return SpeakingRates.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return SpeakingRates()


def write_rates(rates: SpeakingRates, path: Path) -> None:
    """Write ``rates``; the file is there whole or not at all."""
    write_atomically(path, rates.model_dump_json(indent=1))


def learn_takes(path: Path, language: str, takes: Iterable[Take]) -> None:
    """Add what these takes teach to the rates at ``path``."""
    rates = learnt = read_rates(path)
    for take in takes:
        # What the voice itself hurried would have taken that much longer.
        learnt = learnt.learn(language, take.voice, take.text, take.duration_s * take.native_rate)
    if learnt != rates:
        write_rates(learnt, path)


def _key(language: str) -> str:
    found = find_language(language)
    primary = found.primary if found else language.lower()
    return _SAME_LANGUAGE.get(primary, primary)


def _clamp(rate: float, language: str) -> float:
    prior = prior_rate(language)
    return min(max(rate, SLOWEST * prior), FASTEST * prior)
