from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2f.languages import M2M100_CODES
from f2f.results import Take
from f2f.speaking_rate import (
    FASTEST,
    PRIORS,
    SLOWEST,
    SpeakingRates,
    count_spoken_characters,
    learn_takes,
    prior_rate,
    read_rates,
    write_rates,
)

LANGUAGES = st.sampled_from(["en", "hi", "es", "zh", "pt-BR", "ja", "sw", "tlh"])
VOICES = st.sampled_from(["hi+m3", "hi+f2", "clone"])
TAKES = st.lists(
    st.tuples(LANGUAGES, VOICES, st.text(max_size=40), st.floats(-1, 60, allow_nan=False)), max_size=12
)


def _heard(takes: list[tuple[str, str, str, float]]) -> SpeakingRates:
    rates = SpeakingRates()
    for language, voice, text, duration_s in takes:
        rates = rates.learn(language, voice, text, duration_s)
    return rates


@settings(deadline=None)
@given(TAKES, LANGUAGES, st.none() | VOICES)
def test_no_measurement_leads_further_than_half_from_the_prior(
    takes: list[tuple[str, str, str, float]], language: str, voice: str | None
) -> None:
    rate, prior = _heard(takes).rate(language, voice), prior_rate(language)
    assert SLOWEST * prior <= rate * (1 + 1e-9) and rate <= FASTEST * prior * (1 + 1e-9)


@settings(deadline=None)
@given(LANGUAGES, VOICES, st.floats(0.6, 1.4))
def test_a_voice_that_keeps_its_rate_is_learnt(language: str, voice: str, share: float) -> None:
    wanted, rates, text = share * prior_rate(language), SpeakingRates(), "a" * 100
    errors = []
    for _ in range(25):
        rates = rates.learn(language, voice, text, len(text) / wanted)
        errors.append(abs(rates.rate(language, voice) - wanted))
    assert errors == sorted(errors, reverse=True) or max(errors) < 1e-6
    assert rates.estimate_s(text, language, voice) == pytest.approx(len(text) / wanted, rel=0.01)


@settings(deadline=None)
@given(TAKES, LANGUAGES, st.text(max_size=30), st.text(max_size=30))
def test_more_text_takes_longer_and_none_takes_no_time(
    takes: list[tuple[str, str, str, float]], language: str, first: str, second: str
) -> None:
    rates = _heard(takes)
    assert rates.estimate_s("", language) == 0
    both = rates.estimate_s(first + second, language)
    assert both == pytest.approx(rates.estimate_s(first, language) + rates.estimate_s(second, language))


def test_one_take_moves_the_rate_by_three_tenths() -> None:
    rates = SpeakingRates().learn("hi", "hi+m3", "क" * 100, 10.0)
    assert rates.rate("hi", "hi+m3") == pytest.approx(0.7 * PRIORS["hi"] + 0.3 * 10.0)
    assert rates.rate("hi-IN", "hi+m3") == rates.rate("hi", "hi+m3")
    assert rates.rate("hi", "hi+f2") == rates.rate("hi")  # another voice: the mean of those that were heard
    assert rates.rate("es", "hi+m3") == PRIORS["es"]


@pytest.mark.parametrize(("text", "duration_s"), [("", 1.0), ("…", 1.0), ("नमस्ते", 0.0), ("नमस्ते", -1.0)])
def test_takes_without_text_or_length_teach_nothing(text: str, duration_s: float) -> None:
    assert SpeakingRates().learn("hi", "v", text, duration_s) == SpeakingRates()


def test_what_counts_as_spoken() -> None:
    assert count_spoken_characters("नमस्ते, सब!") == 8  # four letters and two marks, two letters
    assert count_spoken_characters("in 1984") == 2 + 4 * 4
    assert count_spoken_characters("१९") == count_spoken_characters("19")


def test_every_language_has_a_prior() -> None:
    assert all(3 <= prior_rate(code) <= 18 for code in M2M100_CODES)
    assert prior_rate("ne") == pytest.approx((PRIORS["hi"] + PRIORS["mr"]) / 2)  # Devanagari, not measured
    assert prior_rate("cmn") == PRIORS["zh"]


def test_priors_are_those_of_the_voices_here(tmp_path: Path) -> None:
    from f2f.engines.espeak import EspeakEngine
    from f2f.engines.speech import SpeakerProfile
    from f2f.sample.script import LINES

    for language in ("hi", "es"):
        engine = EspeakEngine(language, f"{language}+m3")
        texts = [line[language] for line in LINES]
        seconds = sum(engine.say(text, SpeakerProfile(), tmp_path / "a.wav").duration_s for text in texts)
        engine.close()
        measured = sum(map(count_spoken_characters, texts)) / seconds
        assert measured == pytest.approx(PRIORS[language], rel=0.15)


def test_the_file_round_trips_and_a_damaged_one_is_forgotten(tmp_path: Path) -> None:
    path, rates = tmp_path / "rates.json", SpeakingRates().learn("hi", "v", "क" * 50, 5.0)
    assert read_rates(path) == SpeakingRates()
    write_rates(rates, path)
    assert read_rates(path) == rates
    assert list(tmp_path.iterdir()) == [path]
    for damage in ('{"learnt": {"hi": {"v": ', '{"learnt": {"hi": {"v": NaN}}}', "[]"):
        path.write_text(damage)
        assert read_rates(path) == SpeakingRates()


def test_takes_teach_the_file_their_rate_without_what_the_voice_hurried(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    take = Take(
        segment_id=1, wav="1.wav", duration_s=8.0, sample_rate_hz=16_000, voice="v", text="a" * 150,
        native_rate=1.15,
    )  # fmt: skip
    learn_takes(path, "en", [take])
    assert read_rates(path) == SpeakingRates().learn("en", "v", "a" * 150, 8.0 * 1.15)
    before = path.stat().st_mtime_ns
    learn_takes(path, "en", [take.model_copy(update={"text": ""})])
    assert path.stat().st_mtime_ns == before
