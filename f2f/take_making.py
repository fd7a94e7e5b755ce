"""Makes the take of one segment: says it, listens to it, and says it again where that helps.

1. A take with a fault (``f2f.take_checks``) is tried again with other settings, as often as the engine has
   any; the best one stays.
2. A take that does not fit its slot even at the tempo that needs no word is not stretched further if there is
   another way: shorter translations are tried, best first, then the voice's own speed.
3. A take much shorter than its segment is said more slowly by the voice itself instead of being stretched.

Rates stay within ``NATIVE_RATES``. What still does not fit is left to the fit stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from f2f.engines.speech import NATIVE_RATES, Manner, SpeakerProfile, SpeechEngine, SpeechProblemError, Spoken
from f2f.results import Segment, Take, TranslatedSegment
from f2f.speaking_rate import SpeakingRates
from f2f.spoken_text import spell_out
from f2f.take_checks import TakeQuality, examine_take

_MAX_ALTERNATIVES = 2  # spoken for one segment; they are ranked by quality, and later ones seldom help
_HARDLY_FASTER = 1.02  # not worth another take


@dataclass(frozen=True)
class SpeechLimits:
    """What takes are measured by.

    Attributes:
        guard_s: silence kept before the next segment.
        silent_tempo: playback rate up to which the fit stage plays a take faster without a word.
        min_tempo: the slowest playback rate of the fit stage.
        video_duration_s: end of the last segment's slot; None takes the segment's own end.
        rates: characters per second of the voices.
    """

    guard_s: float = 0.05
    silent_tempo: float = 1.2
    min_tempo: float = 0.85
    video_duration_s: float | None = None
    rates: SpeakingRates = field(default_factory=SpeakingRates)

    def slots_s(self, segments: Sequence[Segment]) -> dict[int, float]:
        """Return by id how long each segment's speech may be: up to the next one's start less the guard."""
        ordered = sorted(segments, key=lambda segment: segment.start_s)
        ends_s = [after.start_s - self.guard_s for after in ordered[1:]]
        ends_s += [max(one.end_s, self.video_duration_s or 0.0) for one in ordered[-1:]]
        return {one.id: max(0.0, end_s - one.start_s) for one, end_s in zip(ordered, ends_s, strict=True)}


@dataclass(frozen=True)
class MadeTake:
    """A take, and what a person must know of it."""

    take: Take
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Try:
    """One utterance on disk."""

    text: str
    manner: Manner
    wav: Path
    spoken: Spoken
    quality: TakeQuality


class TakeMaker:
    """Makes takes in one language.

    Args:
        engine: loaded.
        language: code of the target language.
        limits: what takes are measured by.
        folder: where wavs go.
    """

    def __init__(self, engine: SpeechEngine, language: str, limits: SpeechLimits, folder: Path) -> None:
        self._engine, self._language, self._limits, self._folder = engine, language, limits, folder
        self._name = ""
        self._n_tries = 0

    def make(self, one: TranslatedSegment, speaker: SpeakerProfile, slot_s: float, name: str) -> MadeTake:
        """Say one segment into ``name``.wav of the folder.

        Args:
            one: what to say.
            speaker: by whose voice.
            slot_s: how long it may be.
            name: of the file, without ending.

        Raises:
            SpeechProblemError: it cannot be said.
        """
        self._name, self._n_tries = name, 0
        try:
            best = self._say_well(" ".join(one.text.split()), speaker)
            best = self._fit(best, one, speaker, slot_s)
            best.wav.replace(self._folder / f"{name}.wav")
        finally:
            for left in self._folder.glob(f"{name}.try*.wav"):
                left.unlink()
        take = Take(
            segment_id=one.segment.id,
            wav=f"{name}.wav",
            duration_s=best.spoken.duration_s,
            sample_rate_hz=best.spoken.sample_rate_hz,
            voice=self._engine.choose_voice(speaker),
            text=best.text,
            native_rate=best.manner.rate,
            tries=self._n_tries,
        )
        return MadeTake(take, tuple(self._problems(best)))

    def _problems(self, best: _Try) -> list[str]:
        problems = [
            f"{fault}; the best of {self._n_tries} takes is kept" if self._n_tries > 1 else fault
            for fault in best.quality.faults
        ]
        lost = self._engine.unsayable(self._said(best.text))
        return [*problems, f"the voice cannot say “{lost}” and leaves it out"] if lost else problems

    def _said(self, text: str) -> str:
        return spell_out(text, self._language, self._engine.numbers)

    def _say_well(self, text: str, speaker: SpeakerProfile, rate: float = 1.0) -> _Try:
        """Return the best of as many attempts as are needed.

        Raises:
            SpeechProblemError: none of them gave anything.
        """
        best: _Try | None = None
        problem: SpeechProblemError | None = None
        for attempt in range(self._engine.n_attempts):
            try:
                found = self._say(text, speaker, Manner(rate, attempt))
            except SpeechProblemError as error:
                problem = problem or error
                continue
            if best is None or found.quality.penalty < best.quality.penalty:
                best = found
            if best.quality.is_good:
                break
        if best is None:
            raise problem or SpeechProblemError("there is nothing to say")
        return best

    def _say(self, text: str, speaker: SpeakerProfile, manner: Manner) -> _Try:
        from lipsync_core.media import read_wav

        self._n_tries += 1
        wav = self._folder / f"{self._name}.try{self._n_tries}.wav"
        spoken = self._engine.say(self._said(text), speaker, wav, manner)
        waveform, sample_rate_hz = read_wav(wav)
        # Signs and digits are short as written and long as said.
        words, voice = spell_out(text, self._language), self._engine.choose_voice(speaker)
        expected_s = self._limits.rates.estimate_s(words, self._language, voice) / manner.rate
        return _Try(text, manner, wav, spoken, examine_take(waveform, sample_rate_hz, expected_s))

    def _fit(self, best: _Try, one: TranslatedSegment, speaker: SpeakerProfile, slot_s: float) -> _Try:
        """Return a take that fits better than ``best`` where there is one."""
        longest_s = slot_s * self._limits.silent_tempo
        if best.quality.duration_s > longest_s:
            best = self._try_shorter(best, one.alternatives, speaker, longest_s)
        if best.quality.duration_s > longest_s and slot_s > 0:
            wanted = best.quality.duration_s / slot_s
            return self._at_rate(best, min(wanted, NATIVE_RATES[1]), speaker)
        own_s = min(one.segment.end_s - one.segment.start_s, slot_s)
        if best.quality.duration_s < own_s * self._limits.min_tempo:
            return self._at_rate(best, max(best.quality.duration_s / own_s, NATIVE_RATES[0]), speaker)
        return best

    def _try_shorter(
        self, best: _Try, alternatives: Sequence[str], speaker: SpeakerProfile, longest_s: float
    ) -> _Try:
        """Return the first shorter wording that fits, else the shortest take."""
        rates, first = self._limits.rates, best
        wordings = [" ".join(text.split()) for text in alternatives]
        letters_s = rates.estimate_s(best.text, self._language) or 1.0
        guesses_s = {
            text: first.quality.duration_s * rates.estimate_s(text, self._language) / letters_s
            for text in wordings
            if text
        }
        shorter = [text for text in guesses_s if guesses_s[text] < first.quality.duration_s]
        # Those that will probably fit, best first; where none will, the shortest may need the least.
        hopeful = [text for text in shorter if guesses_s[text] <= longest_s]
        for text in (hopeful or sorted(shorter, key=guesses_s.__getitem__))[:_MAX_ALTERNATIVES]:
            try:
                found = self._say_well(text, speaker)
            except SpeechProblemError:
                continue
            is_shorter = found.quality.duration_s < best.quality.duration_s
            if is_shorter and len(found.quality.faults) <= len(best.quality.faults):
                best = found
            if best.quality.duration_s <= longest_s:
                break
        return best

    def _at_rate(self, best: _Try, rate: float, speaker: SpeakerProfile) -> _Try:
        """Return ``best`` as the voice itself says it at ``rate``, if it can and that does no harm."""
        if not self._engine.has_rate or 1 / _HARDLY_FASTER < rate < _HARDLY_FASTER:
            return best
        try:
            found = self._say(best.text, speaker, Manner(rate, best.manner.attempt))
        except SpeechProblemError:
            return best
        moved = found.quality.duration_s - best.quality.duration_s
        helps = moved < 0 if rate > 1 else moved > 0
        return found if helps and len(found.quality.faults) <= len(best.quality.faults) else best
