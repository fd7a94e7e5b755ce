"""Voices of people: their own each, the same in every run."""

from __future__ import annotations

from f2f.cast import cast_voices, stable_index
from f2f.engines.espeak import EspeakEngine
from f2f.engines.speech import SpeakerProfile


def test_labels_count_and_names_are_numbers_of_their_own() -> None:
    assert [stable_index(one) for one in (None, "S1", "S2", "S12")] == [0, 0, 1, 11]
    assert stable_index("Asha") == stable_index("asha") != stable_index("Ravi")
    assert stable_index("Asha") == 1677207826  # never to change: voices of whole libraries hang on it


def test_open_dubbing_12_a_person_keeps_the_voice_whoever_else_speaks() -> None:
    with EspeakEngine("hi") as engine:
        everybody = {name: SpeakerProfile(stable_index(name), "female") for name in ("S1", "S2", "S3")}
        together = {name: engine.choose_voice(one) for name, one in cast_voices(engine, everybody).items()}
        alone = cast_voices(engine, {"S3": everybody["S3"]})["S3"]
        assert len(set(together.values())) == 3
        assert engine.choose_voice(alone) == together["S3"]


def test_people_whose_names_collide_get_different_voices() -> None:
    with EspeakEngine("hi") as engine:
        crowd = {f"person {i}": SpeakerProfile(8 * i, "male") for i in range(6)}  # 8 more than 6 voices
        voices = [engine.choose_voice(one) for one in cast_voices(engine, crowd).values()]
        assert len(set(voices)) == 6
        assert cast_voices(engine, crowd) == cast_voices(engine, crowd)
        too_many = {str(i): SpeakerProfile(i, "male") for i in range(9)}
        assert len(cast_voices(engine, too_many)) == 9  # some share, nobody is silent
