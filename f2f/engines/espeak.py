"""Speech by espeak-ng: 100+ languages, hundreds of times faster than real time, a robot's voice.

``espeakng-loader`` brings library and data. They are used only in a process of their own
(``espeak_worker.py``): neither espeak-ng's licence (GPL-3) nor a crash of it reaches this one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from f2f.engines.espeak_process import ANSWER_TIMEOUT_S, Worker, WorkerError
from f2f.engines.speech import Manner, SpeakerProfile, SpeechProblemError, Spoken
from f2f.engines.status import STANDARD_INSTALL, EngineStatus, has_package
from f2f.errors import EngineUnavailableError, UsageError
from f2f.results import EngineInfo
from f2f.spoken_text import NumberStyle

LICENCE = "espeak-ng and its voices: GPL-3.0-or-later (run as a separate program)"
NOTICE = (
    "espeak: a robotic formant voice, clear but not natural, and not the speaker's own; "
    "for a natural voice: pip install 'f2f[tts]' and --tts coqui"
)
_WORDS_PER_MINUTE = 175  # espeak-ng's usual rate
_TIMEOUT_PER_CHARACTER_S = 0.02  # the voice needs about 0.0001 s

# Tags under which espeak-ng files a language differently from BCP 47, or files several voices under one.
_ALIASES = {
    "en": "en-us", "zh": "cmn", "zh-hk": "yue", "zh-hant-hk": "yue", "zh-mo": "yue",
    "no": "nb", "nn": "nb", "iw": "he", "in": "id", "sh": "hr", "fa-ir": "fa",
}  # fmt: skip
# The variants that stay intelligible; the others are effects (whisper, croak) or joke voices.
_VARIANTS = {"male": ("m3", "m7", "m1", "m4", "m2", "m6"), "female": ("f3", "f2", "f4", "f1")}
_ALTERNATING = tuple(v for pair in zip(_VARIANTS["male"], _VARIANTS["female"], strict=False) for v in pair)


@dataclass(frozen=True)
class Voice:
    """One language of espeak-ng: ``code`` is what it is called by, lower case; ``languages`` all its tags."""

    code: str
    name: str
    file: str
    """What the library finds it by; a tag that differs from it (``fr-fr``, file ``fr``) it does not know."""
    languages: Mapping[str, int]
    """Language tag to priority; lower is better."""


@dataclass(frozen=True)
class Catalogue:
    """What the installed library can speak. ``variants`` maps lower-case names to the library's own."""

    version: str
    voices: tuple[Voice, ...]
    variants: Mapping[str, str]

    def find(self, language: str) -> Voice | None:
        """Return the best voice for a BCP 47 tag, dropping subtags from the right until one is known."""
        tag = language.lower().replace("_", "-")
        while tag:
            wanted = _ALIASES.get(tag, tag)
            fitting = [voice for voice in self.voices if wanted in voice.languages]
            if fitting:
                return min(fitting, key=lambda voice: (voice.code != wanted, voice.languages[wanted]))
            tag = tag.rpartition("-")[0]
        return None

    def file_of(self, code: str) -> str:
        """Return the file of the voice that is called ``code``."""
        return next(voice.file for voice in self.voices if voice.code == code)


@functools.lru_cache(maxsize=1)
def read_catalogue() -> Catalogue:
    """Ask the library once per process what it can speak (about 50 ms).

    Raises:
        EngineUnavailableError: the library is not installed or does not start.
    """
    if not has_package("espeakng_loader"):
        raise EngineUnavailableError(f"espeak is missing: {STANDARD_INSTALL}")
    try:
        with Worker() as worker:
            answer = worker.request(op="voices")
    except (WorkerError, OSError) as error:
        raise EngineUnavailableError(f"espeak does not start ({error}): {STANDARD_INSTALL}") from error
    voices = tuple(
        Voice(
            code=entry["languages"][0][0].lower(),
            name=entry["name"],
            file=entry["identifier"].rpartition("/")[2],
            languages={tag.lower(): priority for tag, priority in entry["languages"]},
        )
        for entry in answer["voices"]
        if entry["languages"]
    )
    files = [entry["identifier"].removeprefix("!v/") for entry in answer["variants"]]
    return Catalogue(answer["version"], voices, {name.lower(): name for name in files})


def status(language: str | None = None) -> EngineStatus:
    """Say whether espeak can speak ``language`` here (None: any)."""
    try:
        catalogue = read_catalogue()
    except EngineUnavailableError as error:
        return EngineStatus("espeak", ready=False, reason=str(error), licence=LICENCE)
    codes = {voice.code for voice in catalogue.voices}
    detail = f"espeak-ng {catalogue.version}, {len(codes)} languages"
    if language is None:
        return EngineStatus("espeak", ready=True, reason=detail, licence=LICENCE, detail=detail)
    voice = catalogue.find(language)
    if voice is None:
        reason = f"espeak-ng has no voice for {language!r}; it speaks {', '.join(sorted(codes))}"
        return EngineStatus("espeak", ready=False, reason=reason, licence=LICENCE, detail=detail)
    reason = f"voice {voice.code} ({voice.name})"
    return EngineStatus("espeak", ready=True, reason=reason, licence=LICENCE, detail=f"{detail}, {reason}")


def resolve_voice(language: str, wanted: str | None) -> tuple[str, str | None]:
    """Return (voice code, variant) for ``wanted``: ``"hi"``, ``"hi+f2"``, ``"+f2"`` or None.

    A variant of None means that each speaker gets one. espeak-ng itself would take an unknown variant
    without a word and speak in its default voice.

    Raises:
        EngineUnavailableError: no voice for the language.
        UsageError: no such voice or variant, or one of another language.
    """
    catalogue = read_catalogue()
    found = catalogue.find(language)
    if found is None:
        raise EngineUnavailableError(status(language).reason)
    if not wanted:
        return found.code, None
    base, _, variant = wanted.strip().partition("+")
    family = _primary(found.languages)
    siblings = [voice.code for voice in catalogue.voices if _primary(voice.languages) & family]
    if base and base.lower() not in siblings:
        raise UsageError(
            f"voice {wanted!r} does not speak {language!r}; allowed: {', '.join(sorted(set(siblings)))}, "
            f"each with a variant such as {found.code}+f2, or '+f2' alone"
        )
    if variant and variant.lower() not in catalogue.variants:
        usual = ", ".join(sorted(_VARIANTS["female"]) + sorted(_VARIANTS["male"]))
        others = ", ".join(sorted(set(catalogue.variants.values()) - set(sum(_VARIANTS.values(), ()))))
        raise UsageError(f"voice {wanted!r}: no variant {variant!r}; allowed: {usual}; also {others}")
    return base.lower() or found.code, catalogue.variants[variant.lower()] if variant else None


def _primary(languages: Mapping[str, int]) -> set[str]:
    return {tag.partition("-")[0] for tag in languages}


class EspeakEngine:
    """Speaks one language; a context manager for its worker process.

    It reads numbers well in all its languages (Indian ones with lakh and crore, too), and alike each time.
    """

    numbers = NumberStyle.DIGITS
    n_attempts = 1
    has_rate = True

    def __init__(self, language: str, voice: str | None = None, worker: Worker | None = None) -> None:
        self._language = language
        self._code, self._variant = resolve_voice(language, voice)
        self._worker = worker or Worker()

    def __enter__(self) -> EspeakEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def info(self) -> EngineInfo:
        """Return version, licence and the standing notice about quality."""
        return EngineInfo(
            name="espeak", version=read_catalogue().version, licence=LICENCE,
            detail=f"voice {self._code}", notice=NOTICE,
        )  # fmt: skip

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        """Return the configured voice, else one of the clear variants of the speaker's gender."""
        if speaker.voice is not None:
            code, variant = resolve_voice(self._language, speaker.voice)
            return f"{code}+{variant}" if variant else code
        variants = _VARIANTS[speaker.gender] if speaker.gender else _ALTERNATING
        return f"{self._code}+{self._variant or variants[speaker.index % len(variants)]}"

    def unsayable(self, text: str) -> str:
        """Return nothing: it names letters that it does not know."""
        return ""

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, manner: Manner = Manner()) -> Spoken:  # noqa: B008
        """Write ``text`` to ``wav`` (22,050 Hz mono, outer silence trimmed); see ``SpeechEngine.say``."""
        request: dict[str, Any] = {"op": "say", "text": text, "wav": str(wav.absolute())}
        code, plus, variant = self.choose_voice(speaker).partition("+")
        request["voice"] = read_catalogue().file_of(code) + plus + variant
        if manner.rate != 1:
            request["words_per_minute"] = round(_WORDS_PER_MINUTE * manner.rate)
        answer = self._ask_twice(request, ANSWER_TIMEOUT_S + _TIMEOUT_PER_CHARACTER_S * len(text))
        if not answer["ok"]:
            if answer["errno"] is not None:  # a full disk is no problem of this text
                raise OSError(answer["errno"], os.strerror(answer["errno"]), str(wav))
            raise SpeechProblemError(f"espeak: {answer['error']}")
        if not answer["n_samples"]:
            raise SpeechProblemError(f"espeak voice {self._code} finds nothing to say in it")
        return Spoken(answer["n_samples"], answer["sample_rate_hz"])

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def _ask_twice(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        try:
            return self._worker.request(timeout_s, **request)
        except WorkerError:
            try:
                return self._worker.request(timeout_s, **request)
            except WorkerError as again:
                raise SpeechProblemError(f"espeak: {again}, twice") from again
