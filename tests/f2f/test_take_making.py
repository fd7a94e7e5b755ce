"""When a segment is said again, and which take stays; the voice is a tone whose length is scripted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from f2f.engines.speech import NATIVE_RATES, Manner, SpeakerProfile, SpeechProblemError, Spoken
from f2f.results import EngineInfo, Segment, TranslatedSegment
from f2f.spoken_text import NumberStyle
from f2f.take_making import MadeTake, SpeechLimits, TakeMaker
from lipsync_core.media import read_wav, write_wav

RATE = 16_000
SOMEBODY = SpeakerProfile()
LETTER_S = 1 / 15  # the prior for English


class Tone:
    """A voice that needs 1/15 s for each letter, at the wanted rate."""

    numbers = NumberStyle.WORDS
    has_rate = True
    n_attempts = 3

    def __init__(self, length_s: Callable[[str, Manner], float] | None = None) -> None:
        self.said: list[tuple[str, Manner]] = []
        self._length_s = length_s or (lambda text, manner: len(text) * LETTER_S / manner.rate)

    def info(self) -> EngineInfo:
        return EngineInfo(name="tone", version="1", licence="none")

    def choose_voice(self, speaker: SpeakerProfile) -> str:
        return "tone"

    def unsayable(self, text: str) -> str:
        return "ß" if "ß" in text else ""

    def say(self, text: str, speaker: SpeakerProfile, wav: Path, manner: Manner = Manner()) -> Spoken:  # noqa: B008
        self.said.append((text, manner))
        seconds = self._length_s(text, manner)
        if seconds <= 0:
            raise SpeechProblemError("no sound")
        samples = 0.2 * np.sin(np.arange(round(seconds * RATE)) / 17).astype(np.float32)
        write_wav(wav, samples, RATE)
        return Spoken(len(samples), RATE)

    def close(self) -> None:
        pass


def say(
    folder: Path, voice: Tone, text: str, slot_s: float, *alternatives: str, own_s: float | None = None
) -> MadeTake:
    segment = Segment(id=7, start_s=0, end_s=own_s or min(slot_s, len(text) * LETTER_S), text="x")
    one = TranslatedSegment(segment=segment, text=text, alternatives=alternatives)
    return TakeMaker(voice, "en", SpeechLimits(), folder).make(one, SOMEBODY, slot_s, "0007")


def letters(n: int) -> str:
    return "a" * n


def test_a_good_take_that_fits_is_said_once(tmp_path: Path) -> None:
    voice = Tone()
    made = say(tmp_path, voice, letters(30), slot_s=2)
    assert voice.said == [(letters(30), Manner())]
    assert (made.take.wav, made.take.text, made.take.tries) == ("0007.wav", letters(30), 1)
    assert (made.take.native_rate, made.problems) == (1.0, ())
    assert [file.name for file in tmp_path.iterdir()] == ["0007.wav"]
    waveform, rate = read_wav(tmp_path / "0007.wav")
    assert len(waveform) / rate == made.take.duration_s == pytest.approx(2, abs=0.01)


def test_a_runaway_is_said_again_with_other_settings(tmp_path: Path) -> None:
    voice = Tone(lambda text, manner: 20 if manner.attempt == 0 else len(text) * LETTER_S)
    made = say(tmp_path, voice, letters(45), slot_s=3)
    assert [manner.attempt for _, manner in voice.said] == [0, 1]
    assert made.take.duration_s == pytest.approx(3, abs=0.01) and made.take.tries == 2
    assert made.problems == ()


def test_the_best_of_bad_takes_is_kept_and_told(tmp_path: Path) -> None:
    voice = Tone(lambda text, manner: [30, 14, 20][manner.attempt])
    made = say(tmp_path, voice, letters(45), slot_s=40, own_s=1)
    assert made.take.duration_s == pytest.approx(14) and made.take.tries == 3
    assert "runs away" in made.problems[0] and "best of 3 takes" in made.problems[0]


def test_a_voice_that_fails_at_first_is_asked_again(tmp_path: Path) -> None:
    voice = Tone(lambda text, manner: 2.0 if manner.attempt == 2 else 0)
    assert say(tmp_path, voice, letters(30), slot_s=2).take.tries == 3
    with pytest.raises(SpeechProblemError, match="no sound"):
        say(tmp_path, Tone(lambda text, manner: 0), letters(30), slot_s=2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0007.wav"]


def test_a_shorter_wording_comes_before_any_hurry(tmp_path: Path) -> None:
    voice = Tone()
    made = say(tmp_path, voice, letters(60), 2, letters(70), letters(34), letters(20))
    assert [len(text) for text, _ in voice.said] == [60, 34]  # the best that fits, not the shortest
    assert made.take.text == letters(34) and made.take.native_rate == 1
    assert made.take.tries == 2


def test_where_no_wording_fits_the_shortest_is_said_faster_by_the_voice_itself(tmp_path: Path) -> None:
    voice = Tone()
    made = say(tmp_path, voice, letters(60), 2, letters(55), letters(40))
    assert made.take.text == letters(40)
    assert made.take.native_rate == NATIVE_RATES[1]
    assert made.take.duration_s == pytest.approx(40 * LETTER_S / 1.15, abs=0.01)
    assert NATIVE_RATES == (0.9, 1.15)


def test_auto_synced_translated_dubs_6_rushed_hindi_rate_stays_natural(tmp_path: Path) -> None:
    for slot_s in (0.5, 1.0, 2.0, 3.3, 3.9):
        voice = Tone()
        made = say(tmp_path, voice, letters(60), slot_s)
        rates = [manner.rate for _, manner in voice.said]
        assert all(0.9 <= rate <= 1.15 for rate in rates)
        assert made.take.text == letters(60)  # nothing is cut


def test_a_voice_without_a_speed_control_is_left_to_the_fit(tmp_path: Path) -> None:
    voice = Tone()
    voice.has_rate = False
    made = say(tmp_path, voice, letters(60), slot_s=2)
    assert len(voice.said) == 1 and made.take.native_rate == 1


def test_a_take_far_too_short_is_said_more_slowly(tmp_path: Path) -> None:
    made = say(tmp_path, Tone(), letters(30), slot_s=4, own_s=3.5)
    assert made.take.native_rate == NATIVE_RATES[0]
    assert say(tmp_path, Tone(), letters(30), slot_s=4, own_s=2.1).take.native_rate == 1


def test_speed_that_does_not_help_is_not_kept(tmp_path: Path) -> None:
    stubborn = Tone(lambda text, manner: 4.0)
    made = say(tmp_path, stubborn, letters(60), slot_s=2)
    assert made.take.native_rate == 1 and made.take.tries == 2


def test_what_a_voice_leaves_out_is_told(tmp_path: Path) -> None:
    made = say(tmp_path, Tone(), "ein Fuß", slot_s=2)
    assert made.problems == ("the voice cannot say “ß” and leaves it out",)


def test_numbers_are_said_as_words_and_shown_as_digits(tmp_path: Path) -> None:
    voice = Tone()
    made = say(tmp_path, voice, "in 1984, 5 km", slot_s=3)
    assert voice.said[0][0] == "in nineteen eighty-four, five kilometers"
    assert made.take.text == "in 1984, 5 km"


def test_slots_run_to_the_next_segment_and_to_the_end_of_the_video() -> None:
    segments = [Segment(id=i, start_s=a, end_s=b, text="x") for i, a, b in ((1, 0, 1), (2, 3, 4), (3, 6, 7))]
    assert SpeechLimits(video_duration_s=9).slots_s(segments) == pytest.approx({1: 2.95, 2: 2.95, 3: 3})
    assert SpeechLimits().slots_s(segments)[3] == 1
